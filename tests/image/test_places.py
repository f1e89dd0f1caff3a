"""A byte lost or added inside a dump: what stands behind it is found where it is, and the shift to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image.boards import Board, put, rf_block
from wattrail.image import Chip, Image, recognise

N = Board(Chip.N).dump
T = Board(Chip.T).dump


def about_places(image: Image) -> list[str]:
    return [problem.what for problem in image.problems if "belongs at" in problem.what]


@pytest.mark.parametrize(("flash", "place"), [(N, 0x1D0000), (T, 0x1E0000)], ids=["N", "T"])
@pytest.mark.parametrize("lost", [1, 2, 7, 55, 4095, 4096, 4097, 40000])
def test_bytes_lost_in_a_blank_stretch_are_counted(flash: bytes, place: int, lost: int) -> None:
    image = recognise(flash[:0x140000] + flash[0x140000 + lost :] + b"\xff" * lost)
    (said,) = about_places(image)
    assert said.startswith(f"the RF block belongs at {place:#x}: {lost} byte")
    assert f"missing, between 0x129f70 and {place - lost:#x}; read the flash again" in said
    assert image.rf is not None
    assert image.rf.mac == "C8:47:8C:01:02:FE"
    assert "no RF block" not in str(image.problems)


@given(lost=st.integers(-5000, 5000).filter(bool), at=st.integers(0x12A000, 0x1CE000))
@settings(max_examples=25, deadline=None)
def test_any_shift_in_either_direction_is_reported(lost: int, at: int) -> None:
    moved = N[:at] + N[at + lost :] + b"\xff" * lost if lost > 0 else N[:at] + b"\xff" * -lost + N[at:lost]
    (said,) = about_places(recognise(moved))
    assert f": {abs(lost)} byte" in said
    assert ("missing" if lost > 0 else "too many") in said


def test_a_byte_lost_in_code_shows_in_its_blocks_and_the_rf_block() -> None:
    image = recognise(N[:0x20000] + N[0x20001:] + b"\xff")
    assert "33 bytes too late, or 1 too early" in str(image.problems)
    (said,) = about_places(image)
    assert said.startswith("the RF block belongs at 0x1d0000: 1 byte before it is missing")


def test_without_an_rf_block_the_key_of_tuyas_settings_tells_the_shift() -> None:
    flash = bytearray(N)
    put(flash, 0x1D0000, b"\xff" * 0x1000)
    image = recognise(bytes(flash[:0x140000] + flash[0x140003:] + b"\xff" * 3))
    (said,) = about_places(image)
    assert said.startswith("the key of Tuya's settings belongs at 0x1ee000: 3 bytes before it are missing")
    assert "no RF block anywhere" in str(image.problems)


def test_on_a_q_the_key_of_tuyas_settings_stands_elsewhere() -> None:
    """As in a public dump of a WA2; it says which chip it is by its build alone, without its RF block."""
    flash = bytearray(Board(Chip.Q, says=b"< BUILD AT:2021_09_24_18_20_51 BY embed FOR ty_iot_sdk AT bk7231 >").dump)
    key = bytes(flash[0x1EE000:0x1EF000])
    put(flash, 0x1E0000, b"\xff" * 0x20000)
    put(flash, 0x1EB000, key)
    image = recognise(bytes(flash[:0x140000] + flash[0x140005:] + b"\xff" * 5))
    assert image.chip is Chip.Q
    (said,) = about_places(image)
    assert said.startswith("the key of Tuya's settings belongs at 0x1eb000: 5 bytes before it are missing")


def test_the_four_letters_of_an_rf_block_in_code_are_none() -> None:
    """Firmware that reads the block holds its four letters and its tags, one after another, as real ones do."""
    code = b"TLV\0" + bytes.fromhex("01111111 4e61bc00 02111111 08014000 87e5fc03")
    image = recognise(Board(Chip.N, says=code + bytes(64)).dump)
    assert (image.problems, image.rf is not None) == ((), True)


def test_a_block_that_begins_with_another_element_is_not_taken_for_one() -> None:
    flash = bytearray(N)
    put(flash, 0x1D0000, b"\xff" * 0x1000)
    put(flash, 0x1C0000, b"TLV\0" + rf_block()[4:8] + bytes.fromhex("01111111") + rf_block()[12:])
    assert recognise(bytes(flash)).rf is None
