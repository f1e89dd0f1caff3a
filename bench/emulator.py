"""How fast firmware runs on the emulated module: busy, from reset to its main loop, idle; and BekenEmulator beside it.

A loop of our own is the busy firmware. FIRMWARE names an image of OpenBeken or a folder with some, BEKEN_EMULATOR a
checkout of that program with its requirements in this environment.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer
from typing import Final

from bench.table import Row, text
from wattrail.image.code import TUYA_KEY, crypt, pack
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.cbu.firmware import load_firmware
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.snapshot import load_snapshot, save_snapshot

BUSY_GOAL: Final = 1.0
IDLE_GOAL: Final = 20.0
SNAPSHOT_GOAL_S: Final = 1.0

_LOOP: Final = (
    0xE3A00501,  # mov r0, #0x400000
    0xE3A01000,  # mov r1, #0
    0xE5902000,  # ldr r2, [r0]
    0xE0811002,  # add r1, r1, r2
    0xE2811001,  # add r1, r1, #1
    0xE5801000,  # str r1, [r0]
    0xE1A03081,  # lsl r3, r1, #1
    0xEAFFFFF9,  # b to the load
)
_PEER_S: Final = 120
"""Real seconds that BekenEmulator gets."""

IMAGES: Final = ("OpenBK7231N_QIO_1.18.300.bin", "OpenBK7231T_QIO_1.18.300.bin")
"""What is run of a folder."""
_IN_MAIN_LOOP: Final = b"Main_Init_After_Delay done"
"""What OpenBeken's log says when its start is over."""
_MAX_BOOT_S: Final = 20
"""Device seconds in which it has to."""


def rows() -> list[Row]:
    """The loop always; the rest with images."""
    found = [_busy_row("emulator: a loop of loads and stores", _loop(), 0.2)]
    images = _images(os.environ.get("FIRMWARE", ""))
    if not images:
        found.append(Row("emulator: from reset to the main loop", "not run: FIRMWARE names no image", "", ""))
    return found + [row for image in images for row in _of_image(image)]


def _images(named: str) -> list[Path]:
    path = Path(named)
    if not named or path.is_file():
        return [path] if named else []
    return [found[0] for name in IMAGES if (found := sorted(path.rglob(name)))]


def _loop() -> Cbu:
    code = struct.pack(f"<{len(_LOOP)}I", *_LOOP)
    stored = pack(crypt(code, TUYA_KEY, 0))
    return Cbu("N", ProtectedFlash(0x1560EB, image=stored.ljust(1 << 21, b"\xff")))


def _busy_row(name: str, machine: Cbu, warm_s: float) -> Row:
    machine.run_for(warm_s)
    ratio, instructions = _run(machine, 2.0)
    return Row(
        name,
        f"{ratio:.1f} s a second, {instructions / 1e6:.0f} M instructions/s",
        "1 s a second",
        f"{ratio:.1f}",
        f"{BUSY_GOAL:g}",
        ratio >= BUSY_GOAL,
    )


def _run(machine: Cbu, seconds: float) -> tuple[float, float]:
    """Device seconds, and ticks of the clock, that pass in a second of CPU time."""
    began, start = time.process_time(), machine.seconds
    machine.run_for(seconds)
    took = time.process_time() - began
    return (machine.seconds - start) / took, (machine.seconds - start) * TICKS_PER_SECOND / took


def _of_image(path: Path) -> list[Row]:
    loaded = load_firmware(path.read_bytes())
    machine = Cbu(loaded.chip, ProtectedFlash(0x1560EB, image=loaded.flash), start=loaded.start)
    of = f"OpenBeken {loaded.chip}"
    start, _ = _run(machine, 1.0)
    machine.run_for(9.0)
    idle, _ = _run(machine, 60.0)
    saved_s = _snapshot_s(machine)
    return [
        Row(f"emulator: the first second of {of}", f"{start:.1f} s a second", "", "", f"{BUSY_GOAL:g}",
            start >= BUSY_GOAL),
        _boot_row(path, of),
        Row(f"emulator: {of}, started and idle", f"{idle:.0f} s a second", "1, a module on a desk", f"{idle:.0f}",
            f"{IDLE_GOAL:g}", idle >= IDLE_GOAL),
        Row("emulator: a snapshot saved and loaded", f"{saved_s:.2f} s", f"{10 / start:.1f} s, starting again", "",
            f"{SNAPSHOT_GOAL_S:g} s", saved_s < SNAPSHOT_GOAL_S),
    ]  # fmt: skip


def _boot_row(path: Path, of: str) -> Row:
    """From reset, through the bootloader, to the line of the log that ends OpenBeken's start."""
    began = time.process_time()
    loaded = load_firmware(path.read_bytes())
    machine = Cbu(loaded.chip, ProtectedFlash(0x1560EB, image=loaded.flash), start=loaded.start)
    log = bytearray()
    machine.uart("uart2").listen(log.extend)
    machine.run_until(_MAX_BOOT_S * TICKS_PER_SECOND, lambda: _IN_MAIN_LOOP in log)
    took, what = time.process_time() - began, f"emulator: {of} from reset to its main loop"
    if _IN_MAIN_LOOP not in log:
        return Row(what, f"not reached in {_MAX_BOOT_S} s of device time", "", "")
    peer_s = _peer_boot_s(path)
    peer = "BekenEmulator: not run" if peer_s is None else f"BekenEmulator: {peer_s:.1f} s"
    ratio = "" if peer_s is None else f"{peer_s / took:.1f}"
    return Row(what, f"{took:.1f} s for {machine.seconds:.1f} of the device", peer, ratio)


def _snapshot_s(machine: Cbu) -> float:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        began = time.process_time()
        save_snapshot(machine, Path(folder) / "state")
        load_snapshot(Path(folder) / "state")
        return time.process_time() - began


def _peer_boot_s(image: Path) -> float | None:
    """CPU time of BekenEmulator with the same image up to the same line; None without it, or if the line does not come.

    Not quite alike: it is a process that starts, its ticks come by instructions and not by time, it skips no time.
    """
    folder = os.environ.get("BEKEN_EMULATOR")
    if not folder:
        return None
    began, reached = _children_s(), False
    with subprocess.Popen(
        [sys.executable, "-m", "src.main", str(image.resolve()), "--only-uart", "--with-boot", "-key", "TUYA"],
        cwd=folder, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        limit = Timer(_PEER_S, process.kill)
        limit.start()
        assert process.stdout is not None
        reached = any(_IN_MAIN_LOOP in line for line in process.stdout)
        limit.cancel()
        process.kill()
    return _children_s() - began if reached else None


def _children_s() -> float:
    """CPU time of programs that this one has run and seen end."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    print(text(rows()))
