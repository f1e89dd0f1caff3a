"""Meters described by data: zigbee2mqtt, P1 readers, Shelly Gen1, and one that nobody has described yet."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.energy_register import Direction, EnergyRegister, Freshness, Persistence, RegisterCount, fastest
from wattrail.errors import LinkError, UnexpectedReply
from wattrail.network_meters.decoded import Decoded
from wattrail.network_meters.json_meter import PROFILES, JsonMeter, JsonTopics, QuantityPath, RegisterPath
from wattrail.network_meters.openbeken import OpenBekenTopics
from wattrail.network_meters.tasmota import TasmotaTopics
from wattrail.network_meters.unit_check import UnitCheck

PLUG = '{"energy":12.34,"power":-120,"voltage":231.2,"current":0.52,"linkquality":120,"last_seen":"%s"}'

WATTS = QuantityPath(quantity="watts", path=("power",))


def topics(profile: str, base: str) -> JsonTopics:
    return JsonTopics("mqtt://broker", base, PROFILES[profile])


def say(link: JsonTopics, topic: str, payload: str, *, is_retained: bool = False, at: float = 0.0) -> Decoded | None:
    return link.receive(topic, payload.encode(), is_retained=is_retained, at=at)


def energies(said: Decoded | None) -> dict[str, float]:
    assert said is not None
    return {one.register.name: float(one.register.milliwatt_hours(one.count)) for one in said.registers}


def test_zigbee2mqtt_gives_energy_and_power() -> None:
    said = say(topics("zigbee2mqtt", "zigbee2mqtt/plug"), "zigbee2mqtt/plug", PLUG % "2026-11-28T12:00:00+01:00")
    assert energies(said) == {"import": 12_340_000}
    assert said is not None
    assert (said.sample.watts, said.sample.volts, said.sample.amps) == (-120.0, 231.2, 0.52)
    assert said.freshness is Freshness.PUSHED
    assert said.registers[0].register.persistence is Persistence.UNKNOWN


def test_what_a_bridge_repeats_from_its_cache_is_not_a_reading() -> None:
    link = topics("zigbee2mqtt", "zigbee2mqtt/plug")
    assert say(link, "zigbee2mqtt/plug", PLUG % "2026-11-28T12:00:00+01:00") is not None
    assert say(link, "zigbee2mqtt/plug", PLUG % "2026-11-28T11:00:00Z") is None  # the same moment
    assert say(link, "zigbee2mqtt/plug", PLUG % "2026-11-28T11:00:01Z") is not None


def test_without_a_time_of_the_device_its_values_may_be_cached() -> None:
    said = say(topics("zigbee2mqtt", "zigbee2mqtt/plug"), "zigbee2mqtt/plug", '{"energy":12.34}')
    assert said is not None
    assert said.freshness is Freshness.CACHED


def test_availability_comes_as_a_word_or_as_json() -> None:
    link = topics("zigbee2mqtt", "zigbee2mqtt/plug")
    for payload, is_online in (("online", True), ('{"state":"offline"}', False)):
        said = say(link, "zigbee2mqtt/plug/availability", payload, is_retained=True)
        assert said is not None
        assert said.is_online is is_online
    with pytest.raises(UnexpectedReply, match="expected 'online' or 'offline', got 'asleep'"):
        say(link, "zigbee2mqtt/plug/availability", "asleep")


def test_a_p1_reader_has_a_register_for_each_tariff() -> None:
    link, base = topics("p1", "sensors/power/p1meter"), "sensors/power/p1meter"
    first = say(link, f"{base}/consumption_low_tarif", "2209397")
    assert energies(first) == {}  # what is booked is made of all of them
    assert first is not None
    assert first.advice == ("no total is booked before all have come; missing: import.2, export.1, export.2",)
    say(link, f"{base}/consumption_high_tarif", "1964962")
    say(link, f"{base}/returndelivery_low_tarif", "0")
    said = say(link, f"{base}/returndelivery_high_tarif", "17")
    assert energies(said) == {
        "import.1": 2_209_397_000, "import.2": 1_964_962_000, "export.1": 0, "export.2": 17_000,
    }  # fmt: skip


def test_power_of_two_places_is_known_when_both_have_come() -> None:
    link, base = topics("p1", "sensors/power/p1meter"), "sensors/power/p1meter"
    first = say(link, f"{base}/actual_consumption", "0")
    said = say(link, f"{base}/actual_returndelivery", "313")
    assert first is not None
    assert said is not None
    assert (first.sample.watts, said.sample.watts) == (None, -313)


def test_a_shelly_em_keeps_tenths_of_a_watt_hour_and_its_slack() -> None:
    link, base = topics("shelly-em", "shellies/shellyem-B9F355/emeter/0"), "shellies/shellyem-B9F355"
    assert f"{base}/online" in link.filters()
    say(link, f"{base}/info", '{"uptime":4711,"emeters":[]}')
    say(link, f"{base}/emeter/0/total", "2748359.7")
    said = say(link, f"{base}/emeter/0/total_returned", "0.2")
    assert energies(said) == {"import": 2_748_359_700, "export": 200}
    assert said is not None
    assert said.evidence.uptime_s == 4711
    assert (said.registers[0].register.slack, said.registers[0].register.persistence) == (1, Persistence.KEPT)


def test_a_shelly_plug_counts_watt_minutes_exactly() -> None:
    link = topics("shelly-plug", "shellies/shellyplug-1/relay/0")
    said = say(link, "shellies/shellyplug-1/relay/0/energy", "3")
    assert said is not None
    assert said.registers[0].register.step_mwh == Fraction(50, 3)
    assert energies(said) == {"sum": 50.0}


def test_what_a_broker_has_kept_is_passed_over_unless_wanted() -> None:
    assert say(topics("zigbee2mqtt", "z/plug"), "z/plug", PLUG % "2026-11-28T12:00:00Z", is_retained=True) is None


def test_a_register_that_is_missing_lists_what_is_there() -> None:
    with pytest.raises(UnexpectedReply, match="path 'energy' matches nothing: the payload has consumption, power"):
        say(topics("zigbee2mqtt", "z/plug"), "z/plug", '{"consumption":1,"power":2}')


def test_a_time_that_is_none_is_said() -> None:
    with pytest.raises(UnexpectedReply, match="last_seen is 'yesterday', expected ISO 8601 or epoch milliseconds"):
        say(topics("zigbee2mqtt", "z/plug"), "z/plug", PLUG % "yesterday")


def test_a_modulus_and_a_class_of_ones_own_reach_the_register() -> None:
    meter = JsonMeter(
        registers=(
            RegisterPath(
                name="import", direction=Direction.IMPORT, unit="Wh", decimals=1, modulus=2**23,
                persistence=Persistence.KEPT,
            ),
        )
    )  # fmt: skip
    said = JsonTopics("mqtt://broker", "homematic/es", meter).receive(
        "homematic/es", b"838860.7", is_retained=False, at=0.0
    )
    assert said is not None
    assert said.registers[0].count == 2**23 - 1
    assert said.registers[0].register.modulus == 2**23


def import_register(step: Fraction) -> EnergyRegister:
    return EnergyRegister(
        name="import",
        step_mwh=step,
        direction=Direction.IMPORT,
        persistence=Persistence.UNKNOWN,
        max_counts_per_us=fastest(44_000, step),
    )


def check_a_kilowatt(step: Fraction) -> None:
    """An hour of 1 kW on a register that counts watt-hours, whose step is taken for this many mWh."""
    check, register = UnitCheck(), import_register(step)
    for second in range(0, 3600, 10):
        check.check(float(second), 1000.0, [RegisterCount(register, second * 1000 // 3600)])


def test_a_unit_that_is_right_is_never_doubted() -> None:
    check_a_kilowatt(Fraction(1000))


def test_watt_hours_taken_for_kilowatt_hours_are_found() -> None:
    with pytest.raises(UnexpectedReply, match=r"rose by .* Wh where power says .* Wh: \d+ times too much") as caught:
        check_a_kilowatt(Fraction(1_000_000))
    assert "unit=" in (caught.value.hint or "")


def test_kilowatt_hours_taken_for_watt_hours_are_found() -> None:
    with pytest.raises(UnexpectedReply, match="times too little"):
        check_a_kilowatt(Fraction(1))


def test_export_beside_a_resting_import_register_is_not_a_mistake() -> None:
    check, register = UnitCheck(), import_register(Fraction(1000))
    for second in range(0, 36_000, 10):
        watts = -5000.0 if second % 3600 < 3500 else 1000.0
        check.check(float(second), watts, [RegisterCount(register, second // 120)])


def test_a_total_that_rises_while_power_shows_nothing_is_not_a_mistake() -> None:
    check, register = UnitCheck(), import_register(Fraction(1000))
    for second in range(0, 36_000, 10):  # firmware that adds export and shows 0 W for it
        is_export = second >= 18_000
        check.check(float(second), 0.0 if is_export else 1.5, [RegisterCount(register, max(0, second - 18_000) // 5)])


def hear_everywhere(payload: bytes) -> None:
    """Every kind of message of every kind of meter with this payload; anything but a LinkError is a bug."""
    others = (
        (OpenBekenTopics("w", "o"), ("o/power/get", "o/uptime", "o/connected", "stat/o/STATUS8", "stat/o/STATUS11")),
        (TasmotaTopics("w", "t"), ("tele/t/SENSOR", "tele/t/STATE", "tele/t/LWT", "stat/t/STATUS1", "tele/t/INFO3")),
        (TasmotaTopics("w", "A4C138000001"), ("tasmota/discovery/A4C138000001/config",)),
        (JsonTopics("w", "z/plug", PROFILES["zigbee2mqtt"]), ("z/plug", "z/plug/availability")),
        (JsonTopics("w", "s/0", PROFILES["shelly-em"]), ("s/0/total", "s/0/power", "info", "online")),
    )
    for link, names in others:
        for name in names:
            with suppress(LinkError):
                link.receive(name, payload, is_retained=False, at=0.0)


@given(st.binary(max_size=60))
def test_any_message_is_a_reading_nothing_or_a_link_error(payload: bytes) -> None:
    hear_everywhere(payload)


KEYS = ["ENERGY", "StatusSNS", "StatusSTS", "Total", "Power", "energy", "last_seen", "UptimeSec", "state", "tp", "t"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_reading_nothing_or_a_link_error(document: object) -> None:
    hear_everywhere(json.dumps(document).encode())


def test_a_meter_without_a_total_says_what_of_its_power_was_measured() -> None:
    plain = JsonTopics("mqtt://b", "plug", JsonMeter(registers=(), quantities=(WATTS,)))
    said = say(plain, "plug", '{"power": 42.5}')
    assert said is not None
    assert (said.sample.watts, said.registers, said.is_power_only) == (42.5, (), True)
    counted = say(topics("zigbee2mqtt", "z/plug"), "z/plug", '{"energy": 1, "power": 42.5}')
    assert counted is not None
    assert not counted.is_power_only


def test_what_a_bridge_may_have_cached_proves_no_power() -> None:
    bridged = JsonTopics(
        "mqtt://b", "plug", JsonMeter(registers=(), quantities=(WATTS,), last_seen=("last_seen",), is_cached=True)
    )
    cached, seen = (
        say(bridged, "plug", '{"power": 5}'),
        say(bridged, "plug", '{"power": 5, "last_seen": 1764000000000}'),
    )
    assert cached is not None
    assert seen is not None
    assert (cached.is_power_only, seen.is_power_only) == (False, True)
    kept = JsonTopics("mqtt://b", "plug", JsonMeter(registers=(), quantities=(WATTS,), ignores_retained=False))
    said = say(kept, "plug", '{"power": 5}', is_retained=True)
    assert said is not None
    assert not said.is_power_only
