"""Registers and bit fields refuse what does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.wire import Field, Register, hex_pairs, inverted_sum


@given(st.integers(1, 24), st.booleans(), st.data())
def test_every_count_that_fits_survives_the_bus(bits: int, signed: bool, data: st.DataObject) -> None:
    register = Register(1, "R", bits, 0, "", signed=signed)
    count = data.draw(st.integers(register.lowest, register.highest))
    assert register.decode(register.encode(count)) == count


def test_a_count_too_wide_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"R: 256 does not fit 0\.\.255"):
        Register(1, "R", 8, 0, "").encode(256)


def test_a_word_with_foreign_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="has bits above the 8 that exist"):
        Register(1, "R", 8, 0, "").decode(0x100)


def test_fields_may_not_overlap() -> None:
    with pytest.raises(ValueError, match=r"R\.b: bits overlap"):
        Register(1, "R", 8, 0, "", fields=(Field("a", 0, 2), Field("b", 1)))


def test_a_field_value_too_wide_does_not_spill_into_its_neighbour() -> None:
    with pytest.raises(ValueError, match=r"a: 4 does not fit 2 bit\(s\)"):
        Field("a", 0, 2).put(0, 4)


def test_an_unknown_field_lists_the_known() -> None:
    with pytest.raises(KeyError, match="known: a"):
        Register(1, "R", 8, 0, "", fields=(Field("a", 0, 2),)).field("b")


def test_the_sum_is_blind_to_order() -> None:
    assert inverted_sum(b"\xa8\x1d\x55\x00\x00") == inverted_sum(b"\xa8\x1d\x00\x00\x55") == 0xE5


def test_bytes_are_shown_as_pairs() -> None:
    assert hex_pairs(b"\x58\xaa") == "58 AA"
    assert hex_pairs(b"") == "nothing"
