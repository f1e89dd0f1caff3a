"""An update over the air: what is sent is checked before, and what came of it afterwards.

The firmware writes what it is sent and checks nothing; its bootloader checks the container at the next start, and keeps
the old firmware where that does not fit. An image for another chip passes these checks and does not start. So the
container is opened here, and its build names its chip. Source: openbeken/network, bk7231-image/rbl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.clock import Clock
from wattrail.device.backup import DeviceBackup, chip_of, is_backup_of, known_mac
from wattrail.device.client import DeviceInformation, OpenBekenClient
from wattrail.device.restart import Note, Pause, wait_for_restart
from wattrail.errors import ImageError, LinkError, PortError, WriteRefused
from wattrail.image import recognise
from wattrail.image.chips import build_names
from wattrail.image.layout import LAYOUTS
from wattrail.image.model import ImageKind
from wattrail.image.rbl import HEADER, RblHeader, open_ota
from wattrail.network_meters.payload import float_of
from wattrail.openbeken import DEFAULT_FILE_SYSTEM_BYTES, FILE_SYSTEM_END
from wattrail.transport.http import SendProgress

__all__ = ["Check", "OtaPlan", "OtaReport", "check_image", "update"]

_BUILD: Final = re.compile(rb"Open(?P<chip>BK72\d\d[A-Z]?)_(?P<version>\d[\w.+-]*)\0")
_NUMBERS: Final = re.compile(r"\d+")
WEAK_SIGNAL_DBM: Final = -75
"""Signal below which an upload of half a megabyte breaks now and then."""

SUPPLY_HINT: Final = (
    "erasing and writing flash while the radio sends takes the most current of all: supply the module as it is meant "
    "to be (mains, or 3.3 V of at least 500 mA), never from the 3.3 V pin of a serial adapter"
)
"""Reports of boards that brown out in the middle. Source: bk-boot/supply."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what, whether it passed, and what was seen."""

    what: str
    passed: bool
    seen: str

    def as_json(self) -> dict[str, object]:
        """For JSON."""
        return {"what": self.what, "passed": self.passed, "seen": self.seen}


@dataclass(frozen=True, slots=True)
class OtaPlan:
    """An image that fits a device. ``order`` is newer, older, same or unknown, against what runs there."""

    data: bytes = field(repr=False)
    header: RblHeader
    chip: Chip
    version: str
    order: str
    room: int
    overwrites_files: bool


@dataclass(frozen=True, slots=True)
class OtaReport:
    """What came of an update: the battery of checks after the restart."""

    plan: OtaPlan
    before: DeviceInformation
    after: DeviceInformation | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the device is well."""
        return all(check.passed for check in self.checks)


def check_image(data: bytes, information: DeviceInformation, backup: DeviceBackup) -> OtaPlan:
    """An image for this device.

    Raises ImageError for a damaged or foreign one, WriteRefused for another chip, or too little room.
    """
    chip = chip_of(information, information.short_name or "the device")
    header, code = _opened(data)
    found = _BUILD.search(code)
    version = found["version"].decode("ascii", "replace") if found else ""
    named = [name for name, _ in build_names(code)]
    # There are no builds for M: it runs N's. Source: bk7231-image/build-names
    if chip not in named and not (chip is Chip.M and Chip.N in named):
        said = ", ".join(one.value for one in named) or "no chip"
        raise WriteRefused(
            f"the image is for {said}, the device is a {chip.value}: it would not start",
            risk="",
            hint=f"take the file OpenBK{chip.value.removeprefix('BK')}_….rbl" + ("" if named else " of OpenBeken"),
        )
    waiting, configured = LAYOUTS[chip]["download"], backup.configuration.number("file_system_bytes")
    has_files = backup.file_system is not None and bool(backup.file_system.strip(b"\xff"))
    if len(data) > waiting.length:  # of which files take the last part on an N, and one in the middle on a T
        raise WriteRefused(
            f"the image has {len(data)} bytes, the space for a waiting update {waiting.length}",
            risk="",
            hint="flash it by wire",
        )
    # The file system ends at a fixed place and grows downwards from it, into the space of a waiting update.
    files = FILE_SYSTEM_END[chip] - (configured or DEFAULT_FILE_SYSTEM_BYTES)
    overwrites = has_files and waiting.start + len(data) > files
    return OtaPlan(data, header, chip, version, _order(version, information.version), waiting.length, overwrites)


def _opened(data: bytes) -> tuple[RblHeader, bytes]:
    # The bootloader installs nothing else, and the firmware would write it all the same.
    if data[:4] != b"RBL\0":
        found = recognise(data)
        kind = found.kind.value if found.kind is not ImageKind.UNKNOWN else "file of no known format"
        raise ImageError(
            f"this {kind} is not an RBL container, which is what the bootloader installs",
            hint="take the .rbl of the release; 'wattrail image convert' makes one of an app or a QIO image",
        )
    header, code = open_ota(data)
    if len(data) != HEADER + header.package_size:
        rest = len(data) - HEADER - header.package_size
        raise ImageError(f"{rest} bytes follow the package of the RBL container", hint="fetch the file again")
    return header, code


def _order(new: str, old: str) -> str:
    """By the numbers of both versions."""
    left, right = (tuple(map(int, _NUMBERS.findall(text))) for text in (new, old))
    if not left or not right or new.count(".") != old.partition("_")[0].count("."):
        return "unknown"
    return "same" if left == right else "newer" if left > right else "older"


async def update(
    client: OpenBekenClient,
    plan: OtaPlan,
    backup: DeviceBackup,
    *,
    pause: Pause,
    clock: Clock,
    note: Note = lambda _: None,
    progress: SendProgress | None = None,
    restores_files: bool = False,
) -> OtaReport:
    """Send the image, restart, and look whether all is well.

    Raises what the client does while sending, when nothing is installed yet; afterwards the report says what is wrong.
    """
    before, status = await client.information(), await client.status()
    signal = float_of(status, "StatusSTS", "Wifi", "Signal")
    if signal is not None and signal < WEAK_SIGNAL_DBM:
        note(f"the signal is weak, {signal:g} dBm: if the upload breaks, nothing is changed; bring the device nearer")
    note(f"supply: {SUPPLY_HINT}")
    await client.upload_firmware(plan.data, progress=progress)
    note("the image is there; restart")
    asked_at = clock.monotonic()
    await client.reboot()
    try:
        after = await wait_for_restart(
            client, before, asked_at, pause=pause, clock=clock, timeout_s=180.0
        )  # installing takes a minute
    except (PortError, LinkError) as error:
        return OtaReport(plan, before, None, (Check("answers again", passed=False, seen=str(error)),))
    if restores_files and backup.file_system is not None:
        note("put the files back")
        await client.write_file_system(backup.file_system)
    return OtaReport(plan, before, after, await _checks(client, plan, before, after, status, backup, pause))


async def _checks(
    client: OpenBekenClient,
    plan: OtaPlan,
    before: DeviceInformation,
    after: DeviceInformation,
    status: object,
    backup: DeviceBackup,
    pause: Pause,
) -> tuple[Check, ...]:
    checks = [Check("answers again", passed=True, seen=f"up for {after.uptime_s} s")]
    expected = plan.version or "another build"
    # Without a version in the image, that the build is another one is all that can be expected.
    is_expected = after.version == plan.version if plan.version else after.build != before.build
    checks.append(Check("runs the new firmware", is_expected, f"version {after.version}, expected {expected}"))
    _, now = await client.configuration(plan.chip)
    checks.append(Check("is the same device", is_backup_of(backup, after, now), f"MAC {known_mac(after.mac, now)}"))
    kept = [name for name in ("wifi_ssid", "mqtt_host", "short_name", "startup_command")
            if now.text(name) != backup.configuration.text(name)]  # fmt: skip
    checks.append(Check("kept its settings", not kept, "changed: " + ", ".join(kept) if kept else "all as before"))
    if _energy(status) is not None:
        energy = _energy(await client.status())
        # A driver that has just started shows no voltage for some seconds.
        for _ in range(5):
            if energy is not None and float_of(energy, "Voltage"):
                break
            await pause(2.0)
            energy = _energy(await client.status())
        volts = float_of(energy, "Voltage") if energy is not None else None
        checks.append(Check("its driver runs", energy is not None, "energy is in Status 8" if energy else "no ENERGY"))
        checks.append(Check("measures", bool(volts), f"{volts:.1f} V" if volts else "no voltage"))
    return tuple(checks)


def _energy(status: object) -> object | None:
    found = status.get("StatusSNS") if isinstance(status, Mapping) else None
    energy = found.get("ENERGY") if isinstance(found, Mapping) else None
    return energy if isinstance(energy, Mapping) and energy else None
