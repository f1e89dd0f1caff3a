"""Lines read by a parser of the line protocol that is not ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from tests.publish.rig import AT, HOUSE, REGISTERS, live
from wattrail.publish.line_protocol import live_point, point, registers_point
from wattrail.publish.values import LiveValues
from wattrail.units import Quantities

NANOSECONDS = 1_795_325_400_000_000_000
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), min_size=1, max_size=20)


def test_a_foreign_parser_reads_live_values_and_registers() -> None:
    assert parse_line(live_point("meter", HOUSE, live())) == {
        "measurement": "meter",
        "tags": {"id": "house_a1b2c3", "meter": "house"},
        "fields": {"power": -1834.5, "voltage": 230.4, "current": -7.963, "frequency": 49.98, "power_factor": -0.99},
        "time": NANOSECONDS,
    }
    assert parse_line(registers_point("meter", HOUSE, REGISTERS))["fields"] == {
        "import_wh": 1_234_567, "export_wh": 89_012
    }  # fmt: skip


def test_a_field_keeps_its_type_also_for_whole_numbers() -> None:
    assert " voltage=230.0 " in live_point("meter", HOUSE, live(Quantities(volts=230.0)))
    assert "import_wh=1234567i" in registers_point("meter", HOUSE, REGISTERS)


def test_a_twin_has_a_tag_of_its_own() -> None:
    assert (
        parse_line(registers_point("meter", replace(HOUSE, simulated=True), REGISTERS))["tags"]["simulated"] == "true"
    )
    assert "simulated" not in registers_point("meter", HOUSE, REGISTERS)


def test_a_point_without_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a field"):
        live_point("meter", HOUSE, LiveValues(at=AT))


@given(measurement=NAMES, tag=NAMES, value=NAMES, number=st.floats(allow_nan=False, allow_infinity=False))
def test_names_with_commas_spaces_and_equal_signs_come_back(
    measurement: str, tag: str, value: str, number: float
) -> None:
    text = f"a {value}=b, c"
    found = parse_line(point(measurement, {tag: text}, {"power": number}, AT))
    assert found["measurement"] == measurement
    assert found["tags"] == {tag: text}
    assert found["fields"]["power"] == pytest.approx(number)


def test_estimated_registers_have_a_tag_of_their_own() -> None:
    estimated = registers_point("meter", replace(HOUSE, has_estimates=True), REGISTERS)
    assert parse_line(estimated)["tags"]["estimated"] == "true"
    assert "estimated" not in registers_point("meter", HOUSE, REGISTERS)
    assert "estimated" not in live_point("meter", replace(HOUSE, has_estimates=True), live())
