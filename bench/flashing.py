"""Two megabytes in and out of a chip: seconds, and how much of the wire is used, beside other people's flashers.

The chip is a twin on a pseudo-terminal, in a process of its own, that lets every byte take its time. What a run took
is what the chip saw, from the first command that reads, erases or writes to the last answer; our own runs begin before,
with the CRCs by which they compare. A run that ends with wrong bytes does not count.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final, Literal

import serial
from tests.peers.rig import FAMILY, PEERS

from bench.table import Row, text
from wattrail.flasher import Risk, open_flasher
from wattrail.image import recognise

Task = Literal["read", "write", "renew"]

FLASH: Final = 1 << 21
SECTOR: Final = 4096
CHANGED: Final = 26
"""Sectors of 512 that differ in a renewal: 5 %."""
WIRE_GOAL: Final = 0.97
RENEW_GOAL: Final = 10.0

LONGEST_S: Final = 900.0
FASTEST: Final = 2_000_000
SLOW: Final = 115200
"""Runs at this rate take minutes and load nothing: they go side by side. All others go alone."""

BARE: Final = "a bare host that proves nothing"

_SEED: Final = 7231


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the table. ``chip``: one of ``bench.flash_twin.CHIPS``."""

    task: Task
    baud: int
    chip: str = "at once"

    @property
    def what(self) -> str:
        """The run as text."""
        task = {"read": "read 2 MiB", "write": "write 2 MiB", "renew": "write 2 MiB, 5 % changed"}[self.task]
        return f"flash: {task} at {self.baud}, chip works {self.chip}"

    @property
    def wire_s(self) -> float:
        """What the least exchange takes on the wire: a sector a time, erased 64 KiB a time."""
        sectors, blocks = FLASH // SECTOR, FLASH // 0x10000
        least = sectors * (12 + 4111) if self.task == "read" else sectors * (4108 + 15) + blocks * (13 + 16)
        return least * 10 / self.baud


JOBS: Final = (
    *(Job(task, baud) for baud in (115200, 921600, 2_000_000) for task in ("read", "write")),
    Job("renew", 921600),
    *(Job(task, 921600, "as real") for task in ("read", "write", "renew")),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a job took with one tool, in seconds."""

    tool: str
    seconds: float

    def text(self, job: Job) -> str:
        """Time, and share of the wire's limit where there is one."""
        share = "" if job.task == "renew" else f", {100 * job.wire_s / self.seconds:.1f} %"
        return f"{self.seconds:.1f} s{share}"


# ---- the tools


def ours(job: Job, device: str, file: Path, begins: Callable[[], None]) -> None:
    """Do it with our own flasher. No backup, as others take none; every CRC it asks for beforehand is counted."""
    with open_flasher(f"serial://{device}?simulated=yes", max_baud=job.baud) as flasher:
        flasher.connect()
        if job.task == "read":
            begins()
            file.write_bytes(flasher.read())
        else:
            image = recognise(file.read_bytes())
            begins()
            flasher.write(image, start=0, allow=set(Risk))


def bare(job: Job, device: str, file: Path) -> None:
    """What the bench itself allows: frames made beforehand, an answer counted and not looked at, nothing proven."""
    with serial.Serial(device, 115200, timeout=0.01) as port:
        while not port.read(64).endswith(bytes.fromhex("040E0501E0FC0100")):
            port.write(bytes.fromhex("01E0FC0100"))
        port.timeout = 2
        port.write(bytes.fromhex("01E0FC060F") + job.baud.to_bytes(4, "little") + b"\x14")
        time.sleep(0.012)
        port.baudrate = job.baud
        port.read(12)
        port.write(bytes.fromhex("01E0FCFFF404000D010000"))  # protection off
        port.read(14)
        data, got = file.read_bytes() if job.task == "write" else b"", bytearray()
        for at in range(0, FLASH, SECTOR):
            where = at.to_bytes(4, "little")
            if job.task == "read":
                port.write(bytes.fromhex("01E0FCFFF4050009") + where)
                got += port.read(4111)[15:]
                continue
            if at % 0x10000 == 0:
                port.write(bytes.fromhex("01E0FCFFF406000FD8") + where)
                port.read(16)
            port.write(bytes.fromhex("01E0FCFFF4051007") + where + data[at : at + SECTOR])
            port.read(15)
        if job.task == "read":
            file.write_bytes(got)


def theirs(tool: str, job: Job, device: str, file: Path) -> None:
    """Do it with somebody else's."""
    peer = PEERS[tool]
    words = peer.read if job.task == "read" else peer.write
    blanks = {"device": device, "family": FAMILY["N"], "baud": job.baud, "file": file}
    peer.say(words, **blanks, length=FLASH, start=0, longest_s=LONGEST_S)


def run(tool: str, job: Job) -> Run:
    """One tool, one job, a fresh chip. Raises RuntimeError if the bytes are wrong at the end."""
    with tempfile.TemporaryDirectory() as folder:
        before, file = Path(folder, "before.bin"), Path(folder, "file.bin")
        before.write_bytes(_image(_SEED))
        if job.task != "read":
            file.write_bytes(_wanted(job.task))
        command = [sys.executable, "-m", "bench.flash_twin", str(before), job.chip]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as twin:
            assert twin.stdout is not None
            device = twin.stdout.readline().strip()
            if tool == "wattrail":
                ours(job, device, file, partial(_mark, twin))
            elif tool == BARE:
                bare(job, device, file)
            else:
                theirs(tool, job, device, file)
            saw = json.loads(twin.communicate("")[0])
        if saw["crc"] != zlib.crc32(_wanted(job.task)) or file.read_bytes() != _wanted(job.task):
            raise RuntimeError(f"{tool}, {job.what}: the bytes are wrong")
    return Run(tool, saw["seconds"])


def _mark(twin: subprocess.Popen[str]) -> None:
    """Tell the chip's process that the transfer begins."""
    assert twin.stdin is not None
    twin.stdin.write("now\n")
    twin.stdin.flush()


@cache
def _image(seed: int) -> bytes:
    return random.Random(seed).randbytes(FLASH)


@cache
def _wanted(task: Task) -> bytes:
    """What the flash, and the file, hold at the end: nothing blank, so that nothing can be skipped but by comparing."""
    if task == "read":
        return _image(_SEED)
    if task == "write":
        return _image(_SEED + 1)
    image, chance = bytearray(_image(_SEED)), random.Random(_SEED)
    for sector in chance.sample(range(FLASH // SECTOR), CHANGED):
        image[sector * SECTOR : (sector + 1) * SECTOR] = chance.randbytes(SECTOR)
    return bytes(image)


# ---- the table


def measure(jobs: Sequence[Job] = JOBS) -> dict[Job, list[Run]]:
    """Every job with every tool, ours first; at the fastest rate also the bench's own limit."""
    plan = [(tool, job) for job in jobs for tool in _tools(job)]
    slow = [each for each in plan if each[1].baud == SLOW]
    with ThreadPoolExecutor(max(1, len(slow))) as together:
        found = dict(zip(slow, together.map(lambda each: run(*each), slow), strict=True))
    for tool, job in plan:
        if (tool, job) not in found:
            print(f"    {tool}: {job.what}", file=sys.stderr, flush=True)
            found[tool, job] = run(tool, job)
    return {job: [found[tool, job] for tool in _tools(job)] for job in jobs}


def _tools(job: Job) -> tuple[str, ...]:
    return ("wattrail", *PEERS, *((BARE,) if job.baud == FASTEST else ()))


def rows() -> list[Row]:
    return [row for job, runs in measure().items() for row in _rows(job, runs)]


def _rows(job: Job, runs: Sequence[Run]) -> Iterator[Row]:
    mine, *peers = runs
    for peer in peers:
        ratio = peer.seconds / mine.seconds
        goal = ("", None) if peer.tool == BARE else _goal(job, mine, ratio)
        yield Row(job.what, mine.text(job), f"{peer.text(job)}, {peer.tool}", f"{ratio:.2f}", *goal)


def _goal(job: Job, mine: Run, ratio: float) -> tuple[str, bool]:
    """The fastest everywhere, and more than that where the wire, or the changes, set the limit."""
    if job.task == "renew":
        return f"{RENEW_GOAL:.0f} times faster", ratio >= RENEW_GOAL
    if job.chip == "at once":
        return f"{WIRE_GOAL:.0%} of the wire", job.wire_s / mine.seconds >= WIRE_GOAL and ratio > 1
    return "faster", ratio > 1


if __name__ == "__main__":
    print(text(rows()))
