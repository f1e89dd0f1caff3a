"""Which board it is: by everything that was observed, with what speaks against it."""

from __future__ import annotations

from dataclasses import replace

from tests.board.evidence import configuration, device
from wattrail.board import (
    MatchConfidence,
    ObservedWiring,
    disagreements,
    known_boards,
    match_boards,
    wiring_of_configuration,
    wiring_of_template,
)
from wattrail.board.model import BoardMeterBus


def test_a_wiring_of_one_board_alone_is_that_board() -> None:
    best = match_boards(wiring_of_configuration(configuration("Aubess 20A"), "dump"), known_boards())[0]
    assert (best.board.name, best.confidence, best.agreement) == ("aubess-20a", MatchConfidence.LIKELY, 1.0)
    assert "metering chip bl0937" in best.evidence
    assert best.contradictions == ()


def test_a_wiring_that_several_share_names_them_all() -> None:
    found = match_boards(wiring_of_configuration(configuration("LSPA9"), "dump"), known_boards())
    same = {one.board.name for one in found if one.confidence is MatchConfidence.SAME_WIRING}
    assert same == {"crabtek-bsd01", "lspa9-bl0937"}


def test_an_entry_of_the_device_database_finds_its_board() -> None:
    found = match_boards(wiring_of_template(device("SP800WJ-EU"), "devices.json"), known_boards())
    assert {"loratap-sp800wj-eu", "sp400w-il"} == {one.board.name for one in found if one.agreement == 1.0}


def test_a_button_on_another_pin_is_held_against_a_board() -> None:
    moved = {**configuration("Aubess 20A"), "bt1_pin": 9}
    best = match_boards(wiring_of_configuration(moved, "dump"), known_boards())[0]
    assert best.confidence is MatchConfidence.POSSIBLE
    assert "P9 button 1, active low; this board has P9 unused" in best.contradictions


def test_the_other_level_of_a_relay_is_held_against_a_board() -> None:
    turned = {**configuration("Aubess 20A"), "rl1_lv": 0}
    found = {one.board.name: one for one in match_boards(wiring_of_configuration(turned, "dump"), known_boards())}
    assert found["aubess-20a"].contradictions == ("P26 active low; this board has active high",)


def test_two_versions_of_one_product_are_not_taken_for_each_other() -> None:
    # The SHP-102 came with a CB2S (our board) and with a WB2S (this entry), wired differently.
    entry = wiring_of_template(device("Denver SHP-102"), "devices.json")
    assert entry.module == "WB2S"
    versions = [one for one in match_boards(entry, known_boards()) if one.board.name == "denver-shp-102"]
    assert all(one.confidence is MatchConfidence.POSSIBLE for one in versions)
    assert all("module WB2S; this board has CB2S" in one.contradictions for one in versions)


def test_a_wall_switch_without_a_meter_is_none_of_the_boards() -> None:
    # A SmartLED 8044 among the dumps of BK7231GUIFlashTool: button and LED are where the PZIOT-E01 has them.
    keys = {"module": "CBU", "bt1_pin": 20, "netled_pin": 22, "rl1_pin": 28}
    observed = wiring_of_configuration(keys, "dump")
    assert observed.is_without_meter
    assert match_boards(observed, known_boards()) == ()


def test_nothing_observed_matches_no_board() -> None:
    assert match_boards(ObservedWiring(where="x", module="CBU", chip="BK7231N"), known_boards()) == ()


def test_a_microcontroller_is_only_ever_a_possibility() -> None:
    found = match_boards(ObservedWiring(where="x", module="CB3S", bus=BoardMeterBus.TUYAMCU), known_boards())
    assert found
    assert {one.confidence for one in found} == {MatchConfidence.POSSIBLE}
    assert found[0].board.meter.bus is BoardMeterBus.TUYAMCU


def test_the_first_meter_is_found_by_its_driver_alone() -> None:
    best = match_boards(wiring_of_template(device("PZIOT-E01"), "devices.json"), known_boards())[0]
    assert best.board.name == "pziot-e01"
    assert best.confidence is MatchConfidence.POSSIBLE  # its entry names no pins


def test_two_configurations_that_disagree_are_told_apart() -> None:
    first = wiring_of_configuration(configuration("LSPA9"), "storage")
    second = wiring_of_configuration({**configuration("LSPA9"), "bt1_pin": 11, "module": "WB2S"}, "code")
    assert set(disagreements([first, second])) == {
        "module: storage says CB2S, code says WB2S",
        "chip: storage says BK7231N, code says BK7231T",
        "button 1: storage says P10, code says P11",
    }


def test_the_same_pin_with_another_use_is_a_disagreement() -> None:
    first = wiring_of_configuration({"rl1_pin": 26, "rl1_lv": 1}, "a")
    second = wiring_of_configuration({"rl1_pin": 26, "rl1_lv": 0}, "b")
    third = wiring_of_configuration({"bt1_pin": 26}, "c")
    assert disagreements([first, second]) == ("P26: a says relay 1, active high, b says relay 1, active low",)
    assert disagreements([first, third]) == ("P26: a says relay 1, active high, c says button 1",)
    assert disagreements([first, replace(first, where="d")]) == ()
