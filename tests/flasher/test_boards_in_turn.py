"""Several boards on one adapter, in any order, cut at any point: none is written without a backup of that very board.

Two boards have an RF block of their own, two have none and differ in their settings only. Chance is seeded; what must
hold is worked out here from the boards' flash alone, not from what the flasher says of itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from tests.image.boards import MAC, rf_block
from wattrail.errors import WattrailError
from wattrail.flasher import Flasher, Report, Risk
from wattrail.image import recognise

SIZE, SECTOR = 0x200000, 0x1000
RF, CONFIG, APP = 0x1D0000, 0x1D1000, 0x11000
STEPS = 20
SESSION_S, WRITING_FROM_S = 8.5, 6.0
"""About as long as a session takes on a twin whose flash is mostly blank, and when its writing begins."""

ANY = [Risk.UNKNOWN, Risk.WRONG_CHIP, Risk.DAMAGED, Risk.PLACE]
Action = Callable[[Flasher], Report]


class Killed(BaseException):
    """The process is gone."""


class Tracked:
    """One board, and what is true of it whatever anybody notes."""

    def __init__(self, folder: Path, *, mac: bytes | None, config: int) -> None:
        flash = bytearray(b"\xff" * SIZE)
        flash[:0x19000] = random.Random(5).randbytes(0x19000)  # the same firmware on all of them
        flash[CONFIG : CONFIG + SECTOR] = random.Random(config).randbytes(SECTOR)
        if mac is not None:
            block = rf_block().replace(MAC, mac)
            flash[RF : RF + len(block)] = block
        self.desk = Desk(folder, image=bytes(flash), seed=config)
        self.first = bytes(flash)
        self.whole = {self.first}
        """Contents that this board has had while nothing on it was half-written."""
        self.torn: set[int] = set()
        """Sectors that a cut session has changed, and no later one has proven."""

    def changed(self, before: bytes) -> set[int]:
        now = self.desk.flash
        return {at for at in range(0, SIZE, SECTOR) if now[at : at + SECTOR] != before[at : at + SECTOR]}


def actions(chance: random.Random, board: Tracked) -> tuple[int, bytes, Action]:
    """Something a person may do: from where on, and what the flash holds there once it is done."""
    seed = chance.randrange(3)
    match chance.choice(("app", "app", "small", "erase", "config", "stock", "rf")):
        case "app":
            data = random.Random(seed).randbytes(0xC000)
            return APP, data, lambda f: f.write(recognise(data), start=APP, allow=ANY)
        case "small":
            data = random.Random(seed).randbytes(SECTOR)
            at = APP + SECTOR * chance.randrange(4)
            return at, data, lambda f: f.write(recognise(data), start=at, allow=ANY)
        case "erase":
            return 0x18000, b"\xff" * 0x8000, lambda f: f.erase(0x18000, 0x8000)
        case "config":
            own = chance.randbytes(SECTOR)  # settings are a board's own
            return CONFIG, own, lambda f: f.write(recognise(own), start=CONFIG, allow=ANY)
        case "rf":
            return RF, b"\xff" * SECTOR, lambda f: f.erase(RF, SECTOR, allow=[Risk.RF])
        case _:
            dump = recognise(board.first)
            return 0, board.first, lambda f: f.restore(dump, allow=[*ANY, Risk.RF])


def step(chance: random.Random, board: Tracked) -> None:
    """One session, cut or not, and everything that must hold after it."""
    start, wanted, action = actions(chance, board)
    desk, before = board.desk, board.desk.flash
    if chance.random() < 0.6:
        desk.clock.at(desk.clock.monotonic() + chance.uniform(chance.choice((0, WRITING_FROM_S)), SESSION_S), kill)
    report: Report | None = None
    try:
        with desk.session() as flasher:
            assert (flasher.unfinished is not None) or not board.torn, "a half-written board is not called one"
            found = desk.flash  # a killed session's last command may have been carried out since
            report = action(flasher)
    except Killed:
        board.torn |= board.changed(before)
    except WattrailError as error:
        raise AssertionError(f"nothing was wrong with the line: {error}") from error
    desk.clock.at(float("inf"), kill)  # a cut that came too late is none
    if desk.flash[start : start + len(wanted)] == wanted:  # cut or not: the kill may fall between proof and report
        board.torn -= set(range(start, start + len(wanted), SECTOR))
    if report is not None:
        assert desk.flash[start : start + len(wanted)] == wanted, "done, and the flash holds something else"
        if report.backup is not None:
            kept = report.backup.read_bytes()
            assert kept in board.whole or kept == found, "the backup is of another board"
        if report.touched:
            assert report.backup is not None, "a board was written without a backup"
            if found[RF : RF + SECTOR] == b"\xff" * SECTOR:
                assert found in files(desk.folder), "without an identity, the flash is always read again"
    if not board.torn:
        board.whole.add(desk.flash)


def kill() -> None:
    raise Killed


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("backup-*.bin")]


@pytest.mark.parametrize("seed", range(6))
def test_every_board_that_was_written_has_its_first_content_in_a_file(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    boards = [
        Tracked(tmp_path, mac=bytes.fromhex("c8478c010203"), config=11),
        Tracked(tmp_path, mac=bytes.fromhex("c8478c040506"), config=12),
        Tracked(tmp_path, mac=None, config=13),
        Tracked(tmp_path, mac=None, config=14),
    ]
    for _ in range(STEPS):
        board = chance.choice(boards)
        step(chance, board)
        kept = files(tmp_path)
        for each in boards:
            assert each.desk.flash == each.first or each.first in kept, "a board's first content is lost"
    for board in boards[:2]:
        if board.desk.flash[RF : RF + SECTOR] == board.first[RF : RF + SECTOR] and board.desk.flash != board.first:
            with board.desk.session() as flasher:
                originals = [one.path.read_bytes() for one in flasher.originals()]
                assert board.first in originals, "the original is not offered"
                # Where a board without RF block got this one, it may be the same board or not: both are named.
                half = [path for path in flasher.kept_backups() if path.read_bytes() not in board.whole]
                assert half == [], "a half-written flash is offered as a backup"
