"""A flasher and a chip that answers garbage, lies or refuses: it ends with an error, and has touched nothing else."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from tests.flasher.test_line_damage import END, START, raw, small_desk, wanted
from tests.fuzz.hostile import MOODS, HostileChip, LyingWire, Mood, Watch
from wattrail.bootrom.constants import EFUSE_CONTROL
from wattrail.clock import ManualClock
from wattrail.errors import WattrailError
from wattrail.flasher import Flasher, Risk

RANGE = (START, END - START)
MOST = 100_000
"""Operations on the port; the longest of these sessions needs a quarter of them."""

ALLOWED = (Risk.UNKNOWN, Risk.WRONG_CHIP, Risk.UNKNOWN_CHIP)


def proves(flasher: Flasher, seed: int, *more: Risk) -> bool:
    """Connect and write; whether that ended in a report, and not in one of our own errors."""
    with suppress(WattrailError), flasher:
        flasher.connect()
        flasher.write(raw(seed), start=START, allow=[*ALLOWED, *more])
        return True
    return False


def touched_nothing_else(watch: Watch, flasher: Flasher) -> bool:
    """Whether every change that was asked for lies in the range, and no register but the eFuse's was written."""
    if watch.registers - {EFUSE_CONTROL}:
        return False
    return not watch.changes or not watch.strays(flasher.target.size, [RANGE])


@pytest.mark.parametrize("reset", ["rts", "manual"])
@pytest.mark.parametrize("backup", [True, False])
def test_a_hostile_chip_ends_in_an_error_and_no_access_outside_the_range(
    tmp_path: Path, reset: str, backup: bool
) -> None:
    outcomes = Counter[str]()
    for seed in range(30):
        watch = Watch(MOST)
        folder = tmp_path / str(seed) if backup else None
        flasher = Flasher(HostileChip(ManualClock(), seed, watch), reset=reset, patience_s=2.0, folder=folder)  # type: ignore[arg-type]
        assert not proves(flasher, seed, *([] if backup else [Risk.NO_BACKUP])), "its flash takes nothing"
        assert touched_nothing_else(watch, flasher), seed
        outcomes["asked to change" if watch.changes else "never got so far"] += 1
    assert min(outcomes["asked to change"], outcomes["never got so far"]) >= 4, f"one kind is hardly tried: {outcomes}"


@pytest.mark.parametrize("mood", MOODS, ids=lambda mood: mood.__name__.strip("_"))
def test_a_chip_that_keeps_the_link_and_is_bad_in_one_way_is_given_up(tmp_path: Path, mood: Mood) -> None:
    for seed in range(4):
        watch = Watch(MOST)
        port = HostileChip(ManualClock(), seed, watch, mood=mood)
        flasher = Flasher(port, reset="rts", patience_s=2.0, folder=tmp_path / str(seed))
        assert not proves(flasher, seed)
        assert touched_nothing_else(watch, flasher)


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize("every", [30, 150, 2000])
def test_a_wire_that_lies_ends_in_the_right_flash_or_in_an_error(tmp_path: Path, chip: str, every: int) -> None:
    for seed in range(8):
        watch = Watch(MOST)
        desk = small_desk(tmp_path / str(seed), chip, seed)
        port = LyingWire(desk.twin.port(reset_line="rts"), seed, every, watch)
        flasher = Flasher(port, reset="rts", patience_s=5.0, folder=desk.folder)
        proved = proves(flasher, seed)
        assert touched_nothing_else(watch, flasher), seed
        assert outside(desk.flash) == outside(desk.before)
        if proved:
            assert desk.flash == wanted(desk, seed)


def outside(flash: bytes) -> bytes:
    return flash[:START] + flash[END:]


def test_a_reader_asks_a_hostile_chip_for_no_change_at_all() -> None:
    for seed in range(20):
        watch = Watch(MOST)
        flasher = Flasher(HostileChip(ManualClock(), seed, watch), reset="rts", patience_s=2.0)
        with suppress(WattrailError), flasher:
            flasher.connect()
            flasher.read()
        assert watch.changes == []


# ---- the watch itself


def test_a_change_outside_the_range_would_be_seen(tmp_path: Path) -> None:
    watch = Watch(MOST)
    desk = Desk(tmp_path, image=random.Random(1).randbytes(0x80000), flash_id=0x13311C, flash_bytes=0x80000)
    flasher = Flasher(LyingWire(desk.twin.port(reset_line="rts"), 1, 1 << 30, watch), reset="rts", folder=tmp_path)
    with flasher:
        flasher.connect()
        flasher.erase(0x50000, 0x2000)
    assert [at for at, _ in watch.changes] == [0x50000, 0x51000]
    assert not touched_nothing_else(watch, flasher)


def test_a_flasher_that_never_ends_would_be_seen() -> None:
    flasher = Flasher(HostileChip(ManualClock(), 1, Watch(50)), reset="rts")
    with pytest.raises(AssertionError, match="has not ended after 50 operations"):
        flasher.connect()
