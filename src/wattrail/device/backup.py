"""The backup of a device: its settings, its files, and its whole flash where that is wanted, in one zip file.

``manifest.json`` says what it is of, when, and the SHA-256 of every member, so that a damaged file is never put back.
The settings hold every password in clear: the file is readable by its owner only.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES, Chip
from wattrail.device.client import DeviceInformation, OpenBekenClient
from wattrail.errors import ConfigError, FileError, ImageError
from wattrail.files import parse_json, read_bytes
from wattrail.image.layout import FLASH
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, decode_configuration
from wattrail.sanitize import printable
from wattrail.transport.http import SendProgress
from wattrail.whole_file import whole_file

__all__ = [
    "DeviceBackup",
    "backup_name",
    "chip_of",
    "is_backup_of",
    "known_mac",
    "read_backup",
    "take_backup",
    "write_backup",
    "write_dump",
]

_MANIFEST: Final = "manifest.json"
_SECTOR, _FILES, _FLASH = "configuration.bin", "file-system.bin", "flash.bin"
_FORMAT: Final = 1
_MAX_BYTES: Final = 2 * MAX_FLASH_BYTES
_MAX_MANIFEST_BYTES: Final = 1 << 16
_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, OSError, RuntimeError, ValueError,
)  # fmt: skip
"""What the library raises for a damaged archive, one bent bit at a time: it checks a member's sum only at its end."""


@dataclass(frozen=True, slots=True)
class DeviceBackup:
    """What is kept of one device. ``sector`` is that of its settings, ``flash`` all of it from 0 on."""

    chip: Chip
    chipset: str
    mac: str
    version: str
    short_name: str
    taken_at: str
    is_simulated: bool
    sector: bytes
    file_system: bytes | None = None
    flash: bytes | None = None

    @property
    def configuration(self) -> OpenBekenConfiguration:
        """The settings. Raises ImageError, ChecksumError."""
        return decode_configuration(self.sector, self.chip)

    @property
    def members(self) -> Mapping[str, bytes]:
        """The files in it by name."""
        found = {_SECTOR: self.sector, _FILES: self.file_system, _FLASH: self.flash}
        return {name: data for name, data in found.items() if data is not None}


def chip_of(information: DeviceInformation, name: str) -> Chip:
    """The chip. Raises ConfigError for one whose flash has no known layout."""
    if information.chip is None:
        raise ConfigError(
            f"{name}: where a {information.chipset} keeps OpenBeken's settings is not known here",
            hint=f"known are {', '.join(chip.value for chip in Chip)}",
        )
    return information.chip


async def take_backup(
    client: OpenBekenClient, at: datetime, *, whole_flash: bool = False, progress: SendProgress | None = None
) -> DeviceBackup:
    """Read everything that is kept. Raises what the client does, ConfigError for a chip of unknown layout."""
    information = await client.information()
    chip = chip_of(information, client.name)
    sector, _ = await client.configuration(chip)
    return DeviceBackup(
        chip, information.chipset, information.mac, information.version, information.short_name,
        at.isoformat(timespec="seconds"), information.is_simulated, sector,
        await client.file_system(),
        await client.read_flash(0, FLASH, progress=progress) if whole_flash else None,
    )  # fmt: skip


def is_backup_of(backup: DeviceBackup, information: DeviceInformation, present: OpenBekenConfiguration) -> bool:
    """Whether a backup is of the device that answers: by the MAC it says, else by that in its settings."""
    if backup.mac and information.mac:
        return backup.mac == information.mac
    return backup.configuration.raw("mac") == present.raw("mac")


def known_mac(said: str, settings: OpenBekenConfiguration) -> str:
    """The MAC that the firmware says, else that of its settings."""
    return said or settings.raw("mac").hex(":").upper()


def backup_name(backup: DeviceBackup) -> str:
    """The name of its file: MAC and time, and the mark of a simulated device."""
    stamp = backup.taken_at[:19].replace(":", "").replace("T", "-")
    mac = "".join(char for char in backup.mac.upper() if char in "0123456789ABCDEF") or "unknown"
    return f"{'SIMULATED-' if backup.is_simulated else ''}openbeken-{mac}-{stamp}.zip"


def write_backup(backup: DeviceBackup, path: Path) -> None:
    """Write it beside its place, then give it its name; nothing is replaced. Raises FileError."""
    # Before it is packed; whole_file refuses once more what was made meanwhile.
    if path.exists():
        raise FileError(f"{path} exists already, and a backup replaces nothing", hint="name another file")
    manifest = {
        "format": _FORMAT, "kind": "openbeken-backup", "chip": backup.chip.value, "chipset": backup.chipset,
        "mac": backup.mac, "version": backup.version, "short_name": backup.short_name, "taken_at": backup.taken_at,
        "simulated": backup.is_simulated, "sha256": {name: _digest(data) for name, data in backup.members.items()},
    }  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
        for name, data in backup.members.items():
            archive.writestr(name, data)
    _write_private(path, packed.getvalue())


def write_dump(flash: bytes, path: Path) -> None:
    """Write the whole flash as ``flash restore`` takes it; nothing is replaced. Raises FileError."""
    if path.exists():
        raise FileError(f"{path} exists already, and a backup replaces nothing", hint="name another file")
    _write_private(path, flash)


def _write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, replace=False, mode=0o600) as file:
            file.write(data)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}", hint="name a file elsewhere") from error


def read_backup(path: Path) -> DeviceBackup:
    """A backup whose members are what was kept. Raises FileError, ImageError naming what is damaged."""
    data = read_bytes(path, limit=_MAX_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = archive.getinfo(_MANIFEST).file_size
            if size > _MAX_MANIFEST_BYTES:  # a few bytes may unpack to gigabytes
                raise ImageError(f"{path}: its {_MANIFEST} has {size} bytes, at most {_MAX_MANIFEST_BYTES} are read")
            manifest = parse_json(archive.read(_MANIFEST).decode(), f"{path}: {_MANIFEST}")
            found = _members(archive, manifest, path)
    except _DAMAGED as error:
        raise ImageError(
            f"{path} is not a backup of a device: {printable(str(error), limit=120)}",
            hint="'wattrail device backup HOST' makes one",
        ) from error
    return _backup(manifest, found, path)


def _members(archive: zipfile.ZipFile, manifest: object, path: Path) -> Mapping[str, bytes]:
    fields = manifest if isinstance(manifest, Mapping) else {}
    digests = fields.get("sha256")
    if not isinstance(digests, Mapping) or fields.get("format") != _FORMAT:
        raise ImageError(f"{path}: the manifest is not of format {_FORMAT}", hint="use the version that wrote it")
    found: dict[str, bytes] = {}
    for name in (_SECTOR, _FILES, _FLASH):
        if name not in digests:
            continue
        # By what the archive says of itself, before a byte of it is unpacked.
        if archive.getinfo(name).file_size > MAX_FLASH_BYTES:
            raise ImageError(f"{path}: {name} is larger than any flash")
        found[name] = archive.read(name)
        if _digest(found[name]) != digests[name]:
            raise ImageError(f"{path}: {name} is damaged: its SHA-256 is another one", hint="take another backup")
    return found


def _backup(manifest: object, found: Mapping[str, bytes], path: Path) -> DeviceBackup:
    fields = manifest if isinstance(manifest, Mapping) else {}
    texts = {key: str(fields.get(key, "")) for key in ("chipset", "mac", "version", "short_name", "taken_at")}
    chip = next((chip for chip in Chip if chip.value == fields.get("chip")), None)
    if chip is None or _SECTOR not in found:
        raise ImageError(f"{path}: the backup names no known chip, or has no {_SECTOR}")
    return DeviceBackup(
        # Anything but a plain no counts as simulated: a twin's backup must not pass for a device's.
        chip, **texts, is_simulated=fields.get("simulated") is not False, sector=found[_SECTOR],
        file_system=found.get(_FILES), flash=found.get(_FLASH),
    )  # fmt: skip


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
