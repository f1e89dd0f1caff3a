"""The board below a simulated OpenBeken: its flash, its settings in memory and in flash, its restarts and updates.

As the firmware does: settings are changed in memory, saved within a second and before every restart, so that a sector
of settings written from outside is overwritten; a wrong checksum means the defaults. A waiting update is installed by
the bootloader at the next start if its container is whole, whatever chip it is for: one for another chip does not
start. Read in the source of OpenBeken, seen with its Linux build (all but the update). Not modelled: the time that
flash takes, files inside the file system (its image is kept as it is). Source: openbeken/configuration.
"""

from __future__ import annotations

import ctypes
import re
import struct
import zlib
from functools import cache
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.clock import Clock
from wattrail.image.layout import FLASH, LAYOUTS, SECTOR
from wattrail.image.rbl import HEADER, OTA_IV, OTA_KEY
from wattrail.openbeken import (
    CONFIGURATION_BYTES,
    CURRENT_VERSION,
    DEFAULT_FILE_SYSTEM_BYTES,
    FIELDS,
    FILE_SYSTEM_END,
    MAGIC,
    Flag,
)

__all__ = ["SimulatedBoard", "SimulatedSettings"]

RESTART_AFTER_S: Final = 3.0
START_S: Final = 5.0
"""From the restart to the first answer: radio, network, address."""

_SAVE_AFTER_S: Final = 1.0
_VERSION_IN_CODE: Final = re.compile(rb"Open(BK72\d\d[A-Z]?)_(\d[\w.+-]*)\0")


class SimulatedSettings:
    """The structure in memory, by the same table as the codec and by code of its own."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data or bytes(CONFIGURATION_BYTES))

    def text(self, name: str) -> str:
        """A text field."""
        field = FIELDS[name]
        stored = bytes(self.data[field.offset : field.offset + field.length])
        return stored[: stored.find(0)].decode(errors="replace") if 0 in stored else stored.decode(errors="replace")

    def put_text(self, name: str, text: str) -> None:
        """Cut to its room, as the firmware copies texts; what is behind the 0 stays."""
        field = FIELDS[name]
        stored = text.encode()[: field.length - 1] + b"\0"
        self.data[field.offset : field.offset + len(stored)] = stored

    def number(self, name: str) -> int:
        """A number field."""
        field = FIELDS[name]
        return int.from_bytes(self.data[field.offset : field.offset + field.length], "little")

    def put_number(self, name: str, value: int) -> None:
        """Cut to its width, as C does."""
        field = FIELDS[name]
        width = 8 * field.length
        self.data[field.offset : field.offset + field.length] = (value % (1 << width)).to_bytes(field.length, "little")

    def put_byte(self, name: str, index: int, value: int) -> None:
        """One byte of a table."""
        self.data[FIELDS[name].offset + index] = value

    def flag(self, number: int) -> bool:
        """Whether a flag is set."""
        return bool(self.data[FIELDS["flags_low"].offset + number // 8] >> number % 8 & 1)

    def put_flag(self, number: int, *, on: bool) -> None:
        """Set or clear a flag."""
        at, bit = FIELDS["flags_low"].offset + number // 8, 1 << number % 8
        self.data[at] = self.data[at] | bit if on else self.data[at] & ~bit

    def with_checksum(self) -> bytes:
        """The structure as it is saved."""
        struct.pack_into("<3sxI", self.data, 0, MAGIC, CURRENT_VERSION)
        self.data[3] = _checksum(bytes(self.data[4:]))
        return bytes(self.data)


def _checksum(data: bytes) -> int:
    """With the chars of C, which are signed there."""
    crc = 0
    for byte in data:
        crc = _checksum_step(crc, byte)
    return crc & 0xFF


@cache
def _checksum_step(before: int, byte: int) -> int:
    # The shifts of negative numbers are what makes it another CRC-8 than the textbook one.
    crc, extract = ctypes.c_int8(before), ctypes.c_int8(byte)
    for _ in range(8):
        total = (crc.value ^ extract.value) & 1
        crc.value >>= 1
        if total:
            crc.value ^= 0x8C
        extract.value >>= 1
    return crc.value


class SimulatedBoard:
    """Flash and firmware of one board. ``loses_power``, ``never_returns`` and ``has_files`` are its faults.

    ``version`` is that of the running firmware. ``restarts`` counts; whoever owns the board looks at it to restart what
    depends on that.
    """

    def __init__(self, clock: Clock, *, chip: Chip = Chip.N, version: str, mac: bytes, client: str) -> None:
        self.clock, self.chip, self.version = clock, chip, version
        self.flash = bytearray(b"\xff" * FLASH)
        self.layout = LAYOUTS[chip]
        self.settings = self._defaults(mac, client)
        self._initial = bytes(self.settings.data)
        self.restarts = 0
        self.never_returns = False
        self.does_not_start = False
        self._restart_at: float | None = None
        self._up_at = clock.monotonic()
        self._pending_since: float | None = None
        self.save()

    @property
    def is_up(self) -> bool:
        """Whether it answers. Whatever was due by now happens first: a save, a restart."""
        now = self.clock.monotonic()
        if self._pending_since is not None and now - self._pending_since >= _SAVE_AFTER_S:
            self.save()
        if self._restart_at is not None and now >= self._restart_at:
            self._restart(self._restart_at)
        return not self.does_not_start and now >= self._up_at

    def changed(self) -> None:
        """Something in memory has changed, and is saved within a second."""
        if self._pending_since is None:
            self._pending_since = self.clock.monotonic()

    def save(self) -> None:
        """Write the settings to flash, if there is anything to save."""
        place = self.layout["config"]
        self.settings.put_number("change_count", self.settings.number("change_count") + 1)
        self.flash[place.start : place.end] = self.settings.with_checksum().ljust(SECTOR, b"\xff")
        self._pending_since = None

    def save_pending(self) -> None:
        """Save now what would be saved within a second."""
        if self._pending_since is not None:
            self.save()

    def schedule_restart(self, seconds: float = RESTART_AFTER_S) -> None:
        """Restart after so many seconds, as ``/api/reboot`` and a changed network do."""
        self._restart_at = self.clock.monotonic() + seconds

    def cut_power(self) -> None:
        """Power fails and comes back at once: what was not saved is gone."""
        self._pending_since = None
        self._restart(self.clock.monotonic())

    def write(self, start: int, data: bytes, *, is_whole: bool = True) -> None:
        """Write whole sectors, as an upload does; afterwards the counter of updates waits to be saved."""
        count = -len(data) % SECTOR if is_whole else 0
        self.flash[start : start + len(data) + count] = data + b"\xff" * count
        if is_whole:
            self.settings.put_number("ota_count", self.settings.number("ota_count") + 1)
            self.changed()

    @property
    def file_system(self) -> tuple[int, int]:
        """Where in flash its file system begins and ends."""
        end = FILE_SYSTEM_END[self.chip]
        return end - (self.settings.number("file_system_bytes") or DEFAULT_FILE_SYSTEM_BYTES), end

    def _restart(self, at: float) -> None:
        self.save_pending()
        self._restart_at = None
        self.restarts += 1
        self._up_at = at + START_S
        self._install()
        self.does_not_start |= self.never_returns
        place = self.layout["config"]
        stored = bytes(self.flash[place.start : place.start + CONFIGURATION_BYTES])
        # As with a real device whose sector was damaged: all settings are the defaults, the network too.
        if stored[:3] != MAGIC or stored[3] != _checksum(stored[4:]):
            self.settings = SimulatedSettings(self._initial)
            self.save()
        else:
            self.settings = SimulatedSettings(stored)

    def _install(self) -> None:
        """What the bootloader does with a waiting update: nothing where its container is damaged."""
        start = self.layout["download"].start
        header = bytes(self.flash[start : start + HEADER])
        if header[:4] != b"RBL\0" or zlib.crc32(header[:-4]) != int.from_bytes(header[-4:], "little"):
            return
        crc, _, _, size = struct.unpack_from("<4I", header, 76)
        package = bytes(self.flash[start + HEADER : start + HEADER + size])
        if zlib.crc32(package) != crc:
            return
        self.flash[start : start + SECTOR] = b"\xff" * SECTOR
        found = _VERSION_IN_CODE.search(_plain(package, int.from_bytes(header[4:8], "little")))
        # The bootloader looks at the container and not at the code inside.
        if found is None or found[1].decode() != self.chip.value:
            self.does_not_start = True
        else:
            self.version = found[2].decode()

    def _defaults(self, mac: bytes, client: str) -> SimulatedSettings:
        made = SimulatedSettings()
        made.data[FIELDS["mac"].offset : FIELDS["mac"].offset + 6] = mac
        for name, text in {
            "name": f"Open{self.chip.value}_{mac[2:].hex().upper()}", "short_name": client, "mqtt_client": client,
            "mqtt_user": "homeassistant", "ntp_server": "217.147.223.78", "ping_host": "192.168.0.1",
            "startup_command": "startDriver BL0942",
        }.items():  # fmt: skip
            made.put_text(name, text)
        made.put_number("mqtt_port", 1883)
        made.put_number("boot_ok_seconds", 5)
        made.put_flag(Flag.BROADCAST_SELF_STATE, on=True)
        return made


def _plain(package: bytes, algo: int) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if algo & 0xFF:
        decryptor = Cipher(algorithms.AES256(OTA_KEY), modes.CBC(OTA_IV)).decryptor()
        package = decryptor.update(package) + decryptor.finalize()
    return zlib.decompressobj(wbits=31).decompress(package) if algo >> 8 else package
