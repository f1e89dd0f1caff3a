"""The cable, the power, the process, cut at two hundred points: always resumed, never called done too early."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.flasher.desk import CHIPS, Desk
from tests.image.boards import MAC, put, rf_block
from wattrail.errors import LinkFailed, PortLost
from wattrail.flasher import Report, Resumed, Risk
from wattrail.image import LAYOUTS, recognise

START, END, USED, SIZE = 0x1C000, 0x44000, 0x50000, 0x200000
POINTS = 200
WHAT = ("power", "cable", "process", "Ctrl-C", "brown-out")
ALLOWED = [Risk.UNKNOWN, Risk.WRONG_CHIP]


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def new_content() -> bytes:
    return random.Random(99).randbytes(END - START)


def desk_for(folder: Path, chip: str, seed: int, what: str) -> Desk:
    """Little more in use than what is written, so that most cuts fall into that.

    CEN is wired only where the board must come back by itself.

    The board has the RF block of a real one: without an identity it would be named no earlier backup as its own.
    """
    image = bytearray(random.Random(seed).randbytes(USED).ljust(SIZE, b"\xff"))
    image[0x30000:0x36000] = b"\xff" * 0x6000
    put(image, LAYOUTS[CHIPS[chip]]["rf"].start, rf_block().replace(MAC, b"\xc8\x47\x8c" + seed.to_bytes(3, "big")))
    reset = "rts" if what == "brown-out" else None
    return Desk(folder, chip, reset=reset, image=bytes(image), seed=seed)


def cut(desk: Desk, what: str) -> None:
    """It happens."""
    desk.helpful = what == "brown-out"  # nobody is there to reset what lost its power
    match what:
        case "power":
            desk.twin.power(False)
        case "cable":
            desk.twin.faults.unplug()
        case "process":
            raise Killed
        case "Ctrl-C":
            raise KeyboardInterrupt
        case "brown-out":
            desk.twin.faults.brown_out()


def session(desk: Desk) -> Report:
    with desk.session(patience_s=4) as flasher:
        return flasher.write(recognise(new_content()), name="new.bin", start=START, allow=ALLOWED)


def span_of_a_session(folder: Path, chip: str, what: str) -> float:
    """How long one takes that nothing happens to."""
    desk = desk_for(folder, chip, 0, what)
    session(desk)
    return desk.clock.monotonic()


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize("what", WHAT)
def test_every_cut_is_resumed_and_none_is_called_a_success(tmp_path: Path, chip: str, what: str) -> None:
    points = POINTS // len(WHAT) // 2
    span = span_of_a_session(tmp_path / "whole", chip, what)
    resumed = 0
    for point in range(points):
        desk = desk_for(tmp_path / str(point), chip, point + 1, what)
        should = desk.before[:START] + new_content() + desk.before[END:]
        moment = span * (point + random.Random(point).random()) / points
        desk.clock.at(moment, lambda desk=desk: cut(desk, what))
        try:
            first: Report | None = session(desk)
        except (LinkFailed, PortLost, Killed, KeyboardInterrupt):
            first = None
        if first is not None:
            assert desk.flash == should, f"called a success at {moment} s, and is none"
        else:
            assert what != "brown-out", "the board came back by itself, and so should the session"

        desk.twin.faults.replug()
        desk.twin.power(True)
        desk.helpful = True
        second = session(desk)
        assert desk.flash == should, f"cut at {moment} s and not resumed"
        assert second.resumed is bool(desk.events_of(Resumed))
        if first is None:
            assert second.backup is not None
            assert second.backup.read_bytes() == desk.before, (
                "the backup is of the flash as it was before the first try"
            )
        resumed += second.resumed
    assert resumed > points // 5 or what == "brown-out", "too few of the cuts fell into the write itself"
