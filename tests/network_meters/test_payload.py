"""Exact numbers out of payloads, and errors that say what stands there instead."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.energy_register import Direction, EnergyRegister, Persistence
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import count_of
from wattrail.network_meters.payload import (
    MAX_PAYLOAD_BYTES,
    find,
    find_number,
    number_of,
    parse_path,
    parse_payload,
)


def register(step: Fraction) -> EnergyRegister:
    return EnergyRegister(
        name="import",
        step_mwh=step,
        direction=Direction.IMPORT,
        persistence=Persistence.KEPT,
        max_counts_per_us=Fraction(1),
    )


def test_a_number_keeps_every_decimal_it_was_written_with() -> None:
    document = parse_payload(b'{"Total":16384.123}', "meter")
    assert find(document, ("Total",), "meter") == Decimal("16384.123")


def test_a_bare_infinity_costs_only_its_own_value() -> None:
    document = parse_payload(b'{"Frequency":inf,"Power": -nan,"name":"inf, nan","Voltage":230.1}', "meter")
    assert document == {"Frequency": None, "Power": None, "name": "inf, nan", "Voltage": Decimal("230.1")}


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ()), ("energy", ("energy",)), ("ENERGY.Power[1]", ("ENERGY", "Power", 1)), ("[0].a", (0, "a"))],
)
def test_a_path_is_keys_and_indexes(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


def test_a_path_that_breaks_off_is_refused() -> None:
    with pytest.raises(ValueError, match=r"it breaks off at '\[x\]'"):
        parse_path("a[x]")


def test_a_path_that_matches_nothing_lists_what_is_there() -> None:
    with pytest.raises(UnexpectedReply, match=r"path 'ENERGY.Total' matches nothing: ENERGY has Power, Voltage"):
        find({"ENERGY": {"Power": 1, "Voltage": 2}}, ("ENERGY", "Total"), "meter")
    with pytest.raises(UnexpectedReply, match=r"path 'Power\[3\]' matches nothing: Power is a list of 3"):
        find({"Power": [1, 2, 3]}, ("Power", 3), "meter")
    with pytest.raises(UnexpectedReply, match="path 'a' matches nothing: the payload is 5"):
        find(5, ("a",), "meter")


def test_a_number_in_quotes_is_refused_with_the_option_that_allows_it() -> None:
    with pytest.raises(UnexpectedReply, match=r"energy is '12\.5', expected a number") as caught:
        find_number({"energy": "12.5"}, ("energy",), "meter")
    assert "text_numbers=yes" in (caught.value.hint or "")
    assert find_number({"energy": "12.5"}, ("energy",), "meter", is_text_allowed=True) == Decimal("12.5")


def test_true_is_not_a_number() -> None:
    with pytest.raises(UnexpectedReply, match="energy is True, expected a number"):
        find_number({"energy": True}, ("energy",), "meter")


def test_what_is_not_json_is_quoted() -> None:
    with pytest.raises(UnexpectedReply, match=r"expected JSON, got '<html>\\x1b\[2J'"):
        parse_payload(b"<html>\x1b[2J", "http://meter")


def test_ten_megabytes_are_refused_unread() -> None:
    with pytest.raises(UnexpectedReply, match=f"10485760 bytes, a meter sends at most {MAX_PAYLOAD_BYTES}"):
        parse_payload(b"[" * (10 << 20), "meter")


@pytest.mark.parametrize("text", ["1e999999999", "9" * 40, "[" * 5000, '{"a":1e-99999}'])
def test_numbers_and_nesting_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(UnexpectedReply):
        parse_payload(text.encode(), "meter")


@pytest.mark.parametrize("text", ["", "on", "1e99999999", "0x10", "1_000x"])
def test_a_plain_text_that_is_not_a_number_is_quoted(text: str) -> None:
    with pytest.raises(UnexpectedReply, match="expected a number, got"):
        number_of(text, "meter")


def test_a_plain_infinity_is_unknown() -> None:
    assert number_of("inf", "meter") is None
    assert number_of("nan", "meter") is None


def test_a_value_becomes_whole_counts_of_the_exact_step() -> None:
    assert count_of(register(Fraction(1000)), Decimal("1234.5674"), "kWh").count == 1_234_567
    assert count_of(register(Fraction(50, 3)), Decimal("7"), "Wmin").count == 7


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(payload: bytes) -> None:
    with suppress(UnexpectedReply):
        parse_payload(payload, "meter")


@given(st.integers(0, 10**12), st.integers(0, 6))
def test_whatever_is_printed_comes_back_as_the_same_count(count: int, decimals: int) -> None:
    text = str(Decimal(count).scaleb(-decimals))
    step = Fraction(1_000_000, 10**decimals)
    value = find_number(parse_payload(text.encode(), "meter"), (), "meter")
    assert value is not None
    assert count_of(register(step), value, "kWh").count == count
