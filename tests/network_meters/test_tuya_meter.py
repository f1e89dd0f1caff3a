"""What data points of Tuya's stock firmware amount to: scales, directions, packets, and a cache that answers zeros.

Packets are those of real devices, with their source in docs/references.md, tuya/data-points.
"""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import pytest

from wattrail.board import load_board
from wattrail.energy_register import Direction, Freshness, Persistence
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import Decoded
from wattrail.network_meters.tuya_map import board_map, parse_map
from wattrail.network_meters.tuya_meter import ANSWER, PUSH, TuyaMeter

PZIOT = "101:volts/10,102:amps/100,103:watts/100,109:import/100"
CLAMPS = (
    "112:volts/10,113:amps/1000,101:watts/10,102:direction,114:amps/1000,105:watts/10,104:direction,"
    "106:import/100,108:import/100,107:export/100,109:export/100,111:hertz/100"
)
FULL = {101: 2312, 102: 437, 103: 98650, 109: 123456}


def meter(points: str = PZIOT, *, swap: bool = False, news_s: float = 0.0) -> TuyaMeter:
    return TuyaMeter("tuya://meter", parse_map(points), swap=swap, news_s=news_s)


def say(link: TuyaMeter, points: dict[int, object], topic: str = ANSWER, *, at: float = 0.0) -> Decoded | None:
    document = {"dps": {str(number): value for number, value in points.items()}, "t": 1764000000}
    return link.receive(topic, json.dumps(document).encode(), is_retained=False, at=at)


def counts(said: Decoded | None) -> dict[str, int]:
    return {} if said is None else {one.register.name: one.count for one in said.registers}


def packet(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def test_a_pziot_e01_is_read_by_the_data_of_its_board() -> None:
    points = [(point.id, point.quantity, point.decimals) for point in load_board("pziot-e01").datapoints]
    assert board_map(points, Direction.IMPORT) == parse_map(PZIOT)
    said = say(meter(), FULL)
    assert said is not None
    assert (said.sample.volts, said.sample.amps, said.sample.watts) == (231.2, 4.37, 986.5)
    assert said.freshness is Freshness.CACHED
    (count,) = said.registers
    assert (count.register.name, count.register.persistence) == ("import", Persistence.UNKNOWN)
    assert count.register.milliwatt_hours(count.count) == 1_234_560_000


def test_data_points_below_data_are_those_of_3_4_and_3_5() -> None:
    document = {"protocol": 4, "t": 1, "data": {"dps": {"101": 2312}}}
    said = meter().receive(PUSH, json.dumps(document).encode(), is_retained=False, at=0)
    assert said is not None
    assert (said.sample.volts, said.freshness) == (231.2, Freshness.PUSHED)


def test_messages_are_parts_of_a_whole() -> None:
    link = meter()
    say(link, FULL)
    said = say(link, {103: 5000}, PUSH)
    assert said is not None
    assert (said.sample.watts, said.sample.volts) == (50.0, 231.2)
    assert counts(say(link, {109: 123457}, PUSH)) == {"import": 123457}


def test_a_cache_that_is_empty_says_nothing() -> None:
    link = meter()
    assert say(link, dict.fromkeys(FULL, 0)) is None
    assert counts(say(link, FULL)) == {"import": 123456}
    assert say(link, dict.fromkeys(FULL, 0)) is None


def test_a_cache_that_fills_up_does_not_make_the_total_zero() -> None:
    link = meter()
    say(link, FULL)
    said = say(link, FULL | {101: 2300, 109: 0})
    assert said is not None
    assert said.sample.volts == 230.0
    assert counts(said) in ({}, {"import": 123456})
    assert counts(say(link, FULL)) == {"import": 123456}


def test_a_zero_that_the_device_pushes_is_a_reset() -> None:
    link = meter()
    say(link, FULL)
    assert counts(say(link, {109: 0}, PUSH)) == {"import": 0}


def test_an_export_that_was_never_counted_is_zero_beside_an_import() -> None:
    link = meter("1:import/100,2:export/100,101:volts/10")
    assert counts(say(link, {1: 500, 2: 0, 101: 2300})) == {"import": 500, "export": 0}


def test_an_empty_meter_is_read_from_its_first_count_on() -> None:
    link = meter()
    said = say(link, FULL | {109: 0})
    assert said is not None
    assert not said.registers
    assert counts(say(link, {109: 1}, PUSH)) == {"import": 1}


def test_zeros_without_voltage_and_energy_may_be_true() -> None:
    said = say(meter("18:amps/1000,19:watts/10"), {18: 0, 19: 0})
    assert said is not None
    assert (said.sample.amps, said.sample.watts) == (0.0, 0.0)


def test_a_register_that_stands_still_as_power_does_is_given_with_news() -> None:
    link = meter(news_s=1000)
    assert counts(say(link, FULL | {103: 1000}, at=0))
    assert counts(say(link, FULL | {103: 1001}, at=10))  # 10 W for 10 s are far below 0.01 kWh
    assert not counts(say(link, FULL | {103: 1001}, at=150))  # nothing changed: perhaps nobody has measured
    assert not link.has_news
    assert counts(say(link, FULL | {103: 1002}, at=160))
    assert counts(say(link, FULL | {103: 1002, 109: 123457}, at=161))


def test_a_register_that_lags_behind_power_is_left_out_until_it_changes() -> None:
    link = meter(news_s=1850)
    given = []
    for at in range(0, 7200, 10):  # 3 kW, reported each 10 s; energy once an hour
        said = say(link, {101: 2300 + at % 7, 102: 1300, 103: 300_000, 109: 100_000 + 300 * (at // 3600)}, at=at)
        given += [(at, counts(said)["import"])] if counts(said) else []
    (register,) = (point for point in link._registers.values())
    for (before, first), (after, then) in pairwise(given):
        possible = float(register.max_counts_per_us) * (after - before) * 1e6 + 2
        assert then - first <= possible, "the ledger would not believe it"
    assert given[0][0] == 0
    assert given[-1][1] == 100_300


def test_export_counts_by_power_that_flows_back() -> None:
    link = meter("1:import/100,2:export/100,9:watts", news_s=1000)
    assert counts(say(link, {1: 5, 2: 7, 9: -1000}, at=0))
    assert counts(say(link, {1: 5, 2: 7, 9: -1001}, at=30))
    assert not counts(say(link, {1: 5, 2: 7, 9: -1002}, at=60))  # 16 Wh, and no step
    assert counts(say(link, {1: 5, 2: 8, 9: -1002}, at=61))
    assert counts(say(link, {1: 5, 2: 8, 9: -1003}, at=70))


def test_two_clamps_are_added_up_each_with_its_direction() -> None:
    values: dict[int, object] = {
        112: 2300,
        113: 1000,
        101: 2300,
        102: "FORWARD",
        114: 2000,
        105: 4600,
        104: "1",
        111: 4998,
    }
    said = say(meter(CLAMPS), values | {106: 1, 108: 2, 107: 3, 109: 4})
    assert said is not None
    assert (said.sample.amps, said.sample.watts, said.sample.hertz) == (3.0, -230.0, 49.98)
    assert counts(said) == {"import.106": 1, "import.108": 2, "export.107": 3, "export.109": 4}


def test_a_sum_is_unknown_until_all_its_parts_have_come() -> None:
    said = say(meter(CLAMPS), {112: 2300, 113: 1000, 101: 2300, 106: 1})
    assert said is not None
    assert (said.sample.volts, said.sample.amps, said.sample.watts, said.registers) == (230.0, None, None, ())


def test_a_direction_word_that_is_not_known_is_named() -> None:
    with pytest.raises(UnexpectedReply, match="data point 102 is 'sideways', expected one of"):
        say(meter("101:watts/10,102:direction"), {101: 5, 102: "sideways"})


def test_a_transformer_the_other_way_round_changes_import_and_export() -> None:
    said = say(meter("1:import/100,2:export/100,9:watts/10,101:volts/10", swap=True), {1: 5, 2: 7, 9: 1000, 101: 2300})
    assert said is not None
    assert said.sample.watts == -100.0
    assert counts(said) == {"export": 5, "import": 7}
    assert [one.register.direction for one in said.registers] == [Direction.EXPORT, Direction.IMPORT]


def test_negative_power_is_export() -> None:
    said = say(meter("103:watts,101:volts/10"), {103: -747, 101: 2300})  # DDS238, tinytuya#175
    assert said is not None
    assert said.sample.watts == -747.0


@pytest.mark.parametrize(
    ("word", "digits", "volts", "amps", "watts"),
    [
        ("phase", "088000 03e8 002710", 217.6, 1.0, 10000.0),  # the example of Tuya's own model
        ("phase", "088000 03e8 002710 000b", 217.6, 1.0, 10000.0),  # two more bytes, SMT006
        ("phase", "020f 0902 000564 000088 00011f 00013e 2a 00", 230.6, 1.38, 136.0),
        ("phase", "020f 0902 000564 000088 00011f 00013e 2a 02", 230.6, 1.38, -136.0),  # zigbee2mqtt#32948
        ("phase", "010f 0902 000564 000088 00011f 00013e 2a", 230.6, 1.38, 136.0),
        ("phase_dds238", "01 000302 00 000000 0317 001055 0917", 232.7, 4.181, -770.0),
    ],
)
def test_packets_of_a_phase(word: str, digits: str, volts: float, amps: float, watts: float) -> None:
    said = say(meter(f"6:{word}"), {6: packet(digits)})
    assert said is not None
    assert (said.sample.volts, said.sample.amps, said.sample.watts) == (volts, amps, watts)


def test_three_phases_are_one_meter() -> None:
    one = packet("088000 03e8 002710")
    said = say(meter("6:phase,7:phase,8:phase,1:import/100"), {6: one, 7: one, 8: one, 1: 9})
    assert said is not None
    assert (said.sample.volts, said.sample.amps, said.sample.watts) == (217.6, 3.0, 30000.0)


@pytest.mark.parametrize(
    "value", [packet("0880"), packet("030f" + "00" * 16), "not base64!", 12, packet("02" + "00" * 14)]
)
def test_a_packet_of_no_known_layout_is_refused(value: object) -> None:
    word = "phase_dds238" if value == packet("02" + "00" * 14) else "phase"
    with pytest.raises(UnexpectedReply, match=r"data point 6 is .*expected a packet of 8, 10, 17 or 18 bytes"):
        say(meter(f"6:{word}"), {6: value})


@pytest.mark.parametrize(
    ("points", "value", "words"),
    [
        (PZIOT, {101: "on"}, "data point 101 is 'on', expected a number for volts"),
        (PZIOT, {109: True}, "data point 109 is 'True', expected the whole number of a register"),
        (PZIOT, {109: 10**25}, "data point 109 is '10000"),
    ],
)
def test_a_value_that_is_not_a_number_is_named(points: str, value: dict[int, object], words: str) -> None:
    with pytest.raises(UnexpectedReply, match=words):
        say(meter(points), value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("101=volts", "is not a data point like 101:volts/10"),
        ("101:volts/3", "is not a data point like"),
        ("0:volts", "numbers from 1 to 255"),
        ("300:volts", "numbers from 1 to 255"),
        ("101:ohms", "'ohms' is not known: volts, amps, watts"),
        ("101:volts,101:amps", "each once"),
        ("101:volts,102:direction", "follows the watts"),
        (",".join(f"{number}:volts" for number in range(1, 80)), "at most 64"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_map(text)


def test_a_board_whose_data_points_count_steps_only_has_no_register() -> None:
    plug = board_map(
        [(17, "energy step", 3), (18, "current", 3), (19, "power", 1), (20, "voltage", 1)], Direction.IMPORT
    )
    assert plug == parse_map("18:amps/1000,19:watts/10,20:volts/10")
    assert plug.registers == ()


def test_a_simulated_device_says_so() -> None:
    said = say(meter(), FULL | {200: "SIMULATED"})
    assert said is not None
    assert said.is_simulated


def test_power_without_a_register_is_proven_by_news_alone() -> None:
    link = meter("18:amps/1000,19:watts/10,20:volts/10")
    first = say(link, {18: 100, 19: 230, 20: 2300})
    again = say(link, {18: 100, 19: 230, 20: 2300})
    other = say(link, {20: 2301}, PUSH)
    assert [said and said.is_power_only for said in (first, again, other)] == [True, False, True]
    assert other is not None
    assert other.sample.watts == 23.0
    counted = say(meter(), FULL, PUSH)
    assert counted is not None
    assert not counted.is_power_only
