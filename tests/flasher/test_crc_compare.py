"""Finding by CRCs what differs: right, and with few questions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.bootrom.crc_compare import SectorState, blank_crc, crc_queries, differing, second_half
from wattrail.bootrom.requests import wire_crc

SECTOR = 4096
BASE = 0x40000


def answered(flash: bytes, want: bytes) -> tuple[dict[int, SectorState], list[tuple[int, int]]]:
    """The findings, and the spans that were asked for."""
    questions, asked = crc_queries(BASE, want), []
    span = next(questions)
    while True:
        asked.append(span)
        at = span[0] - BASE
        try:
            span = questions.send(wire_crc(flash[at : at + span[1]]))
        except StopIteration as done:
            return done.value, asked


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=300))
def test_the_crc_of_the_second_half_follows_from_the_whole_and_the_first(first: bytes, second: bytes) -> None:
    assert second_half(wire_crc(first + second), wire_crc(first), len(second)) == wire_crc(second)


def test_it_follows_for_whole_blocks_of_flash_too() -> None:
    data = random.Random(1).randbytes(0x10000)
    assert second_half(wire_crc(data), wire_crc(data[:0x8000]), 0x8000) == wire_crc(data[0x8000:])


def test_a_block_that_is_right_takes_one_question() -> None:
    want = random.Random(2).randbytes(16 * SECTOR)
    found, asked = answered(want, want)
    assert set(found.values()) == {SectorState.SAME}
    assert asked == [(BASE, 16 * SECTOR)]


def test_a_blank_block_is_known_as_such_by_one_question() -> None:
    found, asked = answered(b"\xff" * 16 * SECTOR, random.Random(3).randbytes(16 * SECTOR))
    assert set(found.values()) == {SectorState.BLANK}
    assert len(asked) == 1


def test_one_sector_of_sixteen_is_found_with_a_dozen_questions() -> None:
    want = random.Random(4).randbytes(16 * SECTOR)
    for sector in range(16):
        flash = bytearray(want)
        flash[sector * SECTOR + 77] ^= 0x10
        found, asked = answered(bytes(flash), want)
        assert differing(found) == [BASE + sector * SECTOR]
        assert len(asked) <= 10


def test_a_new_firmware_is_not_searched_for_sectors_that_are_the_same() -> None:
    want = random.Random(5).randbytes(16 * SECTOR)
    found, asked = answered(random.Random(6).randbytes(16 * SECTOR), want)
    assert len(differing(found)) == 16
    assert len(asked) == 5


@given(st.integers(1, 16), st.lists(st.sampled_from(["same", "blank", "other"]), min_size=16, max_size=16))
def test_no_sector_that_differs_is_ever_taken_for_right(count: int, fates: list[str]) -> None:
    chance = random.Random(7)
    want = chance.randbytes(count * SECTOR)
    flash = b"".join(
        {"same": want[n * SECTOR : (n + 1) * SECTOR], "blank": b"\xff" * SECTOR, "other": chance.randbytes(SECTOR)}[
            fates[n]
        ]
        for n in range(count)
    )
    found, asked = answered(flash, want)
    really = {BASE + n * SECTOR for n in range(count) if fates[n] != "same"}
    assert really <= set(differing(found))
    assert all(found[BASE + n * SECTOR] is not SectorState.BLANK or fates[n] == "blank" for n in range(count))
    assert all(at >= BASE and at + length <= BASE + len(want) for at, length in asked)


def test_behind_a_block_that_was_new_one_sector_that_differs_is_enough() -> None:
    chance = random.Random(8)
    want = chance.randbytes(16 * SECTOR)
    questions = crc_queries(BASE, want, expect_new=True)
    assert next(questions) == (BASE + 8 * SECTOR, SECTOR)
    with pytest.raises(StopIteration) as done:
        questions.send(0x12345678)
    assert set(done.value.value.values()) == {SectorState.OTHER}


def test_a_right_sector_after_a_new_block_restores_the_whole_comparison() -> None:
    want = random.Random(9).randbytes(16 * SECTOR)
    questions = crc_queries(BASE, want, expect_new=True)
    next(questions)
    assert questions.send(wire_crc(want[8 * SECTOR : 9 * SECTOR])) == (BASE, 16 * SECTOR)


def test_parts_of_sectors_are_refused() -> None:
    for start, length in ((BASE + 1, SECTOR), (BASE, SECTOR - 1), (BASE, 0)):
        with pytest.raises(ValueError, match="not whole sectors"):
            next(crc_queries(start, bytes(length)))


def test_the_blank_crc_is_the_published_one() -> None:
    assert blank_crc(SECTOR) == 0x0EAB98F5
