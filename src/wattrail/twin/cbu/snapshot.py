"""The state of a machine in a file: a zip with its memory, its flash, and everything else as JSON.

A machine that is loaded goes on as the saved one would have, access by access.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from wattrail.errors import ConfigError
from wattrail.files import read_bytes
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.cbu.bus import RAM_START, TCM_START
from wattrail.twin.cbu.machine import Cbu

__all__ = ["load_snapshot", "save_snapshot", "snapshot_bytes"]

FORMAT: Final = "wattrail emulated CBU"
VERSION: Final = 2
_MAX_BYTES: Final = 64 << 20


def snapshot_bytes(machine: Cbu) -> bytes:
    """The state, between two calls of ``run``. Raises ConfigError while a frame of the network is on its way in."""
    if machine.guest.is_running:  # who began it, and what is to become of the result, cannot be saved
        raise ConfigError("a call into the firmware is under way", hint="let the machine run on a little, then save")
    state = {
        "format": FORMAT,
        "version": VERSION,
        "simulated": True,
        "chip": machine.chip.name,
        "start": machine.start,
        "flash": {"id": machine.flash.mid, "sr": machine.flash.sr},
        "clock": machine.clock.save(),
        "cpu": machine.cpu.save(),
        "idle": machine.idle.save(),
        "code_stores": machine.code_stores.save(),
        "resets": machine.resets,
        "peripherals": {name: peripheral.save() for name, peripheral in machine.peripherals.items()},
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in (
            ("state.json", json.dumps(state).encode()),
            ("tcm.bin", machine.cpu.read_memory(TCM_START, RAM_START - TCM_START)),
            ("ram.bin", machine.cpu.read_memory(RAM_START, machine.chip.ram)),
            ("flash.bin", bytes(machine.flash.data)),
        ):
            # A date of its own: the same state gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def save_snapshot(machine: Cbu, path: Path) -> None:
    """Write it; the file appears whole or not at all. Raises ConfigError if it cannot be saved now, or written."""
    new, content = path.with_name(f"{path.name}.new"), snapshot_bytes(machine)
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: the snapshot cannot be written: {error.strerror}", hint="free some space, or name another file"
        ) from error


def load_snapshot(path: Path) -> Cbu:
    """A machine as it was saved. Raises FileError, ConfigError for another or a damaged file."""
    content = read_bytes(path, limit=_MAX_BYTES)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            state: Mapping[str, Any] = json.loads(archive.read("state.json"))
            if (state.get("format"), state.get("version")) != (FORMAT, VERSION):
                raise ValueError(f"it is a {state.get('format')!r}, version {state.get('version')}")
            return _restored(state, archive.read("tcm.bin"), archive.read("ram.bin"), archive.read("flash.bin"))
    except (zipfile.BadZipFile, AttributeError, LookupError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path}: not a snapshot of this program's emulator: {error}",
            hint="'wattrail twin snapshot' makes one from a firmware file",
        ) from error


def _restored(state: Mapping[str, Any], tcm: bytes, ram: bytes, flash: bytes) -> Cbu:
    held = ProtectedFlash(int(state["flash"]["id"]), image=flash, sr=int(state["flash"]["sr"]))
    machine = Cbu(state["chip"], held, start=int(state["start"]))
    machine.cpu.write_memory(TCM_START, tcm)
    machine.cpu.write_memory(RAM_START, ram)
    for name, peripheral in machine.peripherals.items():
        peripheral.load(state["peripherals"][name])
    machine.clock.load(state["clock"])
    machine.cpu.load(state["cpu"])
    machine.idle.load(state["idle"])
    machine.code_stores.load(state["code_stores"])
    machine.resets = [(int(tick), str(reason)) for tick, reason in state["resets"]]
    return machine
