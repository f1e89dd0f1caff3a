"""The machine: its programs and libraries, its clock, its disk, and what its service manager says."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from wattrail import __version__
from wattrail.app.doctor.finding import DoctorFinding, Surroundings, fine, warn, wrong
from wattrail.app.machine_zone import machine_zone
from wattrail.extras import install_command
from wattrail.sanitize import printable
from wattrail.urls import innermost

__all__ = ["check_clock", "check_disk", "check_service", "check_versions"]

_LIBRARIES: Final = {
    "serial": ("serialx", "serial"), "rfc2217": ("serialx", "serial"), "spi": ("spidev", "spi"),
    "spi+gpio": ("gpiod", "spi"), "spi+ftdi": ("pyftdi", "ftdi"), "twin": ("numpy", "twin"),
    "mqtt": ("aiomqtt", "mqtt"), "mqtts": ("aiomqtt", "mqtt"), "openbeken": ("h11", "http"), "tasmota": ("h11", "http"),
    "tuya": ("cryptography", "tuya"),
}  # fmt: skip
"""The library that a scheme needs, and the extra that brings it."""

_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of adjtimex(2)
_LOW_BYTES: Final = 500_000_000
_EMPTY_BYTES: Final = 50_000_000
_SYSTEMCTL_S: Final = 5.0


def check_versions(around: Surroundings) -> Iterator[DoctorFinding]:
    """Python, SQLite, and the libraries that the configuration needs."""
    yield fine(f"wattrail {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    schemes = {innermost(meter.url).scheme for meter in around.plan.gateway.meters} if around.plan else set()
    needed = {_LIBRARIES[scheme] for scheme in schemes if scheme in _LIBRARIES}
    if around.plan is not None and around.plan.web is not None:
        needed |= {("fastapi", "run"), ("uvicorn", "run")}
    if around.config is not None and around.config.publish.home_assistant_history is not None:
        needed |= {("websockets", "websocket")}
    for library, extra in sorted(needed):
        if find_spec(library) is None:  # found and not imported: FastAPI takes a second
            yield wrong(f"{library} is missing, and the configuration needs it", install_command(library, extra))


class _Timex(ctypes.Structure):
    """The beginning of struct timex of Linux, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 512),
    )  # fmt: skip


def _is_synchronised() -> bool | None:
    """Whether the kernel says that something keeps its clock right; None where it says nothing."""
    try:
        # A structure of zeros asks for no change, so this only reads; it needs no rights.
        library, timex = ctypes.CDLL(None), _Timex()
        if library.adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not timex.status & _UNSYNCHRONISED


def check_clock(around: Surroundings) -> Iterator[DoctorFinding]:
    """Whether it is kept right, and in which zone days begin."""
    synchronised = _is_synchronised()
    if synchronised is False:
        yield warn(
            "nothing keeps the clock of this machine right",
            "type: sudo timedatectl set-ntp true, or install chrony; entries are dated by this clock",
        )
    elif synchronised:
        yield fine("the clock is synchronised")
    zone = around.plan.gateway.zone if around.plan else None
    if zone is not None:
        yield fine(f"days begin and end in {zone}")
    elif machine_zone(around.etc / "localtime") in {None, "UTC", "Etc/UTC"}:
        yield warn("days begin and end in UTC, the zone of this machine", 'write timezone = "Europe/Berlin" in [site]')
    else:
        machine = machine_zone(around.etc / "localtime")
        yield fine(f"days begin and end in {machine}, the zone of this machine")


class _Mount(NamedTuple):
    """The file system under a path: the number of its device, and its type."""

    device: str
    kind: str


def check_disk(around: Surroundings) -> Iterator[DoctorFinding]:
    """Room, whether it may be written, and what it is."""
    if not isinstance(around.database, Path):
        return  # the server's disk is seen there
    # The folder of the database may not be made yet.
    folder = next(place for place in around.database.absolute().parents if place.exists())
    free = shutil.disk_usage(folder).free
    text = f"{folder}: {free / 1e6:,.0f} MB are free"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield wrong(f"{folder} is mounted read-only", "see dmesg: a damaged disk or SD card is made so; check it")
    elif free < _EMPTY_BYTES:
        yield wrong(text, "free some space: readings are lost once none is left; docs/store.md says what grows")
    elif free < _LOW_BYTES:
        yield warn(text, "free some space, or move the database: [store] path")
    else:
        yield fine(text)
    mount = _mount_of(folder, around.proc)
    if mount is not None and mount.kind in {"tmpfs", "ramfs"}:
        yield wrong(f"{folder} is in memory ({mount.kind}): all is lost at power off", "move it: [store] path")
    elif mount is not None and (around.sys / "dev/block" / mount.device).resolve().name.startswith("mmcblk"):
        yield warn(f"{folder} is on an SD card, which wears", "keep a backup elsewhere; a USB disk lasts longer")


def _mount_of(folder: Path, proc: Path) -> _Mount | None:
    """By the longest mount point above a folder, in /proc/self/mountinfo: see proc(5)."""
    best, found = "", None
    try:
        lines = (proc / "self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields, _, rest = line.partition(" - ")
        # The kernel writes a space in a path as \040. Source: proc(5)
        parts = fields.split(" ")
        point = parts[4].replace("\\040", " ") if len(parts) > 4 else ""
        # Of two mounts on one point the later covers the first, so an equal length wins.
        if point and folder.is_relative_to(point) and len(point) >= len(best):
            best, found = point, _Mount(parts[2], rest.split(" ")[0])
    return found


def check_service(around: Surroundings) -> Iterator[DoctorFinding]:
    """What systemd says of the unit."""
    # The folder by which sd_booted(3) knows it too.
    if not (around.run / "systemd/system").is_dir() or shutil.which("systemctl") is None:
        yield fine("systemd does not run here")
        return
    names = "LoadState,ActiveState,SubState,NRestarts,UnitFileState,StatusText"
    command = ["systemctl", "show", "wattrail.service", f"--property={names}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMCTL_S, check=False).stdout
    unit = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    yield from unit_findings({key: printable(value, limit=200) for key, value in unit.items()})


def unit_findings(unit: dict[str, str]) -> Iterator[DoctorFinding]:
    state = f"{unit.get('ActiveState', 'unknown')} ({unit.get('SubState', '')})"
    if unit.get("LoadState") != "loaded":
        yield fine("there is no wattrail.service; docs/how-to/run-as-a-service.md has one")
    elif unit.get("ActiveState") == "active":
        yield fine(f"wattrail.service is {state}: {unit.get('StatusText') or 'no status'}")
    else:
        yield wrong(f"wattrail.service is {state}", "type: journalctl -u wattrail -n 50, then systemctl start wattrail")
    if unit.get("LoadState") == "loaded" and unit.get("UnitFileState") == "disabled":
        yield warn("wattrail.service does not start with the machine", "type: sudo systemctl enable wattrail")
    if int(unit.get("NRestarts") or 0) > 0:
        yield warn(f"systemd has started it again {unit['NRestarts']} times", "type: journalctl -u wattrail -p warning")
