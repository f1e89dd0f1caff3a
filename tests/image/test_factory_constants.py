"""Calibration constants that a factory left in flash."""

from __future__ import annotations

import struct

import pytest

from tests.image.boards import Board
from wattrail.chips.bl0942.scaling import SCALING
from wattrail.image.factory_constants import COUNTS_PER_KWH, COUNTS_PER_WATT, find_factory_constants
from wattrail.metrology.calibrate import factory_calibration

PUBLISHED = bytes.fromhex("60 3e 00 00 82 30 00 00 13 0c 00 00 5d 0a 00 00")
"""Of a Tongou breaker, at 0x1D5000 of its dump; openshwprojects/BK7231GUIFlashTool #35."""


def with_words(board: Board, words: bytes, at: int = 0x1D5000) -> bytes:
    return board.dump[:at] + words + board.dump[at + len(words) :]


def test_the_published_constants_of_a_breaker_are_found(n: Board) -> None:
    found = find_factory_constants(with_words(n, PUBLISHED))
    assert found is not None
    assert (found.at, found.chip, found.counts_per_kwh) == (0x1D5000, "BL0942", 2653)
    scale = found.calibration
    assert (scale.counts_per_volt, scale.counts_per_amp, scale.counts_per_watt) == (15968, 124180, 309.1)


def test_what_is_found_is_what_calibrate_takes(n: Board) -> None:
    found = find_factory_constants(with_words(n, PUBLISHED))
    assert found is not None
    assert factory_calibration(*found.words, scaling=SCALING) == found.calibration


def test_another_published_set_fits_as_well(n: Board) -> None:
    assert find_factory_constants(with_words(n, struct.pack("<4I", 15901, 12728, 3159, 2711))) is not None


@pytest.mark.parametrize(
    "words",
    [(0, 0, 0, 0), (15968, 12418, 3091, 2700), (15968, 12418, 2900, 2489), (1, 2, 3, 4), (15968, 0, 3091, 2653)],
)
def test_words_that_do_not_fit_each_other_are_not_constants(n: Board, words: tuple[int, ...]) -> None:
    assert find_factory_constants(with_words(n, struct.pack("<4I", *words))) is None


def test_constants_with_something_behind_them_are_not_believed(n: Board) -> None:
    assert find_factory_constants(with_words(n, PUBLISHED + b"and more")) is None


def test_a_dump_without_constants_has_none(n: Board, t: Board) -> None:
    assert find_factory_constants(n.dump) is None
    assert find_factory_constants(t.dump) is None


def test_the_two_relations_are_those_of_the_chip() -> None:
    """The room of images imports no chip; its two numbers follow from the chip's own."""
    per_watt = SCALING.watt_per_mv2 / (SCALING.v_rms_per_mv * SCALING.i_rms_per_mv)
    assert pytest.approx(per_watt, rel=1e-12) == COUNTS_PER_WATT
    assert pytest.approx(3.6e12 / SCALING.watt_us_per_count, rel=1e-12) == COUNTS_PER_KWH
