"""Boards as files: each that comes with wattrail can be read, and a faulty one is refused by file, line and field."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from wattrail.board import board_names, known_boards, load_board, load_front_panel, parse_board
from wattrail.board.model import BoardMeterBus, BoardPinRole, FactGroup
from wattrail.errors import ConfigError
from wattrail.twin.boards import BOARDS

GOOD = """
title = "A plug"
kind = "plug"
module = "CB2S"
chip = "BK7231N"

[meter]
bus = "uart"
chip = "bl0942"

[[pins]]
pin = 26
role = "relay"
active = "high"
channel = 1

[[sources]]
facts = ["module", "meter", "pins"]
where = "https://example.org/teardown"
"""


def test_every_known_board_can_be_read() -> None:
    boards = known_boards()
    assert [board.name for board in boards] == list(board_names())
    assert len(boards) >= 27


def test_the_boards_cover_every_way_to_meter() -> None:
    chips = Counter(board.meter.chip for board in known_boards())
    buses = {board.meter.bus for board in known_boards()}
    assert buses == set(BoardMeterBus)
    assert {"bl0942", "bl0937", "hlw8012", "hlw8032", "cse7766"} <= set(chips)
    assert chips["bl0942"] >= 20


@pytest.mark.parametrize("name", board_names())
def test_every_source_of_a_board_can_be_looked_up(name: str) -> None:
    for source in (*load_board(name).sources, *load_board(name).products):
        assert source.where.startswith(("https://", "src/wattrail/")), source


def test_the_first_meter_has_the_pins_that_were_read_on_its_board() -> None:
    board = load_board("pziot-e01")
    assert {pin.pin: pin.role for pin in board.pins} == {
        9: BoardPinRole.ENERGY_PULSE,
        14: BoardPinRole.SPI_CLOCK,
        16: BoardPinRole.SPI_TO_CHIP,
        17: BoardPinRole.SPI_FROM_CHIP,
        20: BoardPinRole.BUTTON,
        22: BoardPinRole.LED,
        28: BoardPinRole.TEST_PAD,
    }
    assert [(point.id, point.unit, point.decimals) for point in board.datapoints] == [
        (101, "V", 1),
        (102, "A", 2),
        (103, "W", 2),
        (109, "kWh", 2),
    ]
    assert {fact for source in board.sources for fact in source.facts} == set(FactGroup)


@pytest.mark.parametrize("name", sorted({*BOARDS} & {*board_names()}))
def test_a_board_and_its_twin_are_wired_alike(name: str) -> None:
    board, twin = load_board(name), BOARDS[name]
    assert (board.meter.chip, board.meter.bus, board.meter.front_end) == (
        twin.chip,
        twin.interface,
        twin.front_end.name,
    )
    assert board.meter.baud in {None, twin.baud}


def test_a_file_of_a_person_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_board(str(path)).name == "mine"


def test_an_unknown_name_brings_those_that_are_near() -> None:
    with pytest.raises(ConfigError, match="no board 'pziot'") as error:
        load_board("pziot")
    assert error.value.hint is not None
    assert "pziot-e01" in error.value.hint


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('role = "relay"', 'role = "heater"'), r"line 13: pins\[1\].role"),
        (('chip = "bl0942"', 'chip = "bl9999"'), "line 9: meter.chip: unknown metering chip 'bl9999'; known: bl0942"),
        (('chip = "BK7231N"', 'chip = "BK7231T"'), "line 5: chip: the module CB2S has a BK7231N, got BK7231T"),
        (('bus = "uart"', 'bus = "pulses"'), "a meter of pulses needs pins with the roles cf, cf1 and sel"),
        (('"module", "meter", "pins"', '"module", "pins"'), "no source is named for meter"),
        (('chip = "bl0942"', 'chip = "bl0942"\nfront_end = "bw-shp10"'), "bw-shp10 is a front end of bl0940"),
        (("channel = 1", 'channel = 1\n[[pins]]\npin = 26\nrole = "led"'), "P26 has two roles; keep one of them"),
        (('kind = "plug"', 'kind = "plug"\nkolour = "red"'), "the file has no field 'kolour'"),
    ],
)
def test_a_faulty_file_is_refused_by_line_and_field(change: tuple[str, str], complaint: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigError, match=complaint):
        parse_board(GOOD.replace(*change, 1), name="mine", where="mine.toml")


def test_a_front_panel_of_a_person_takes_the_place_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "panel.toml"
    path.write_text('[[patterns]]\nstate = "power"\npattern = "off"\n', encoding="utf-8")
    panel = load_front_panel(path)
    assert panel.gestures == ()
    assert [pattern.state for pattern in panel.patterns] == ["power"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[patterns]]\nstate = "power"\npattern = "blink"', r'pattern: must be "on", "off" or up to 8 pairs'),
        ('[[patterns]]\nstate = "power"\npattern = "5/500"', "no time between 0 and 20 ms, got '5/500'"),
        ('[[patterns]]\nstate = "power"\npattern = "0/0"', "must last longer than 0 ms"),
        ('[[gestures]]\naction = "factory_reset"\nmin_s = 3\nwarn_s = 3', "warn_s: must be less than min_s"),
        ('[[gestures]]\naction = "explode"\nmin_s = 3', r"gestures\[1\].action"),
    ],
)
def test_a_faulty_front_panel_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        load_front_panel(path)
