"""Discovery documents by the rules of Home Assistant's MQTT integration, and the messages that go with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.publish.rig import EXPORTING, HOUSE, REGISTERS, live
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.values import QUANTITIES, PublishedMeter
from wattrail.units import Quantities

DIALECT = HomeAssistantDialect()
ALL = frozenset(quantity.key for quantity in QUANTITIES)

# Home Assistant's own table: device class, the units it accepts, the state classes it accepts.
ACCEPTED = {
    "energy": ({"Wh", "kWh", "MWh"}, {"total", "total_increasing"}),
    "power": ({"W", "kW"}, {"measurement"}),
    "voltage": ({"mV", "V", "kV"}, {"measurement"}),
    "current": ({"mA", "A"}, {"measurement"}),
    "frequency": ({"Hz", "kHz", "MHz", "GHz"}, {"measurement"}),
    "power_factor": ({"%", None}, {"measurement"}),
    "signal_strength": ({"dB", "dBm"}, {"measurement"}),
    "temperature": ({"°C", "°F", "K"}, {"measurement"}),
}


def document(meter: PublishedMeter = HOUSE, dialect: HomeAssistantDialect = DIALECT) -> dict[str, Any]:
    (message,) = dialect.announcement(meter, ALL)
    found: dict[str, Any] = json.loads(message.payload)
    return found


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def test_the_device_document_is_retained_at_a_topic_that_is_found() -> None:
    (message,) = DIALECT.announcement(HOUSE, ALL)
    assert message.retain
    assert message.qos == 1
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)


def test_device_origin_and_both_levels_of_availability_are_given() -> None:
    found = document()
    assert found["device"]["identifiers"] == ["wattrail_house_a1b2c3"]
    assert found["device"]["name"] == "house"
    assert found["origin"]["name"] == "wattrail"
    assert found["availability"] == [{"topic": "wattrail/bridge/state"}, {"topic": "wattrail/m/house_a1b2c3/state"}]
    assert found["availability_mode"] == "all"
    assert "" not in set(texts(found)), "an empty text is an error"


def test_both_registers_fit_the_energy_dashboard() -> None:
    for way in ("import", "export"):
        component = document()["components"][way]
        assert component["state_topic"] == "wattrail/m/house_a1b2c3/registers"
        assert component["value_template"] == f"{{{{ value_json.{way}_kwh }}}}"
        assert (component["device_class"], component["state_class"]) == ("energy", "total_increasing")
        assert component["unit_of_measurement"] == "kWh"
        assert "expire_after" not in component, "a register stays true without news"


@pytest.mark.parametrize("key", sorted({"import", "export", *ALL}))
def test_class_unit_and_state_class_fit_together(key: str) -> None:
    component = document()["components"][key]
    units, state_classes = ACCEPTED[component["device_class"]]
    assert component.get("unit_of_measurement") in units
    assert component["state_class"] in state_classes
    assert component["platform"] == "sensor"


def test_every_unique_id_is_its_own_and_stays_when_a_meter_is_renamed() -> None:
    def ids(meter: PublishedMeter) -> list[str]:
        return [component["unique_id"] for component in document(meter)["components"].values()]

    assert len(set(ids(HOUSE))) == len(ids(HOUSE)) == len(ALL) + 3
    renamed = replace(HOUSE, name="main house")
    assert ids(renamed) == ids(HOUSE)
    assert DIALECT.announcement(renamed, ALL)[0].topic == DIALECT.announcement(HOUSE, ALL)[0].topic
    assert document(renamed)["device"]["name"] == "main house"


def test_the_link_stays_available_while_the_meter_is_offline() -> None:
    link = document()["components"]["link"]
    assert link["platform"] == "binary_sensor"
    assert link["availability"] == [{"topic": "wattrail/bridge/state"}], "a list, as above it: else it is refused"
    assert "availability_topic" not in link
    assert link["entity_category"] == "diagnostic"


def test_a_watched_meter_has_a_problem_sensor_that_outlives_its_silence() -> None:
    assert "alarm" not in document()["components"]
    (message,) = DIALECT.announcement(HOUSE, ALL | {"alarm"})
    alarm = json.loads(message.payload)["components"]["alarm"]
    assert (alarm["platform"], alarm["device_class"]) == ("binary_sensor", "problem")
    assert alarm["availability"] == [{"topic": "wattrail/bridge/state"}]
    (state,) = DIALECT.alarms(HOUSE, ())
    assert (state.topic, state.retain) == (alarm["state_topic"], True)
    assert json.loads(state.payload)["state"] == "OFF"


@pytest.mark.parametrize(("live_s", "expiry_s"), [(5.0, 60), (10.0, 60), (60.0, 180)])
def test_live_values_expire_after_three_cadences(live_s: float, expiry_s: int) -> None:
    dialect = HomeAssistantDialect(live_s=live_s)
    assert document(dialect=dialect)["components"]["power"]["expire_after"] == expiry_s
    (message,) = dialect.live(HOUSE, live())
    assert message.expiry_s == expiry_s
    assert not message.retain, "a value of the past would be shown as present"


def test_only_quantities_that_a_meter_has_become_entities() -> None:
    (message,) = DIALECT.announcement(HOUSE, frozenset({"power", "voltage"}))
    assert set(json.loads(message.payload)["components"]) == {"import", "export", "power", "voltage", "link"}


def test_live_and_register_payloads_are_those_of_the_templates() -> None:
    (sent,) = DIALECT.live(HOUSE, live())
    assert json.loads(sent.payload) == {
        "t": "2026-11-22T05:30:00.000Z", "power": -1834.5, "voltage": 230.4, "current": -7.963, "frequency": 49.98,
        "power_factor": -0.99,
    }  # fmt: skip
    (sent,) = DIALECT.registers(HOUSE, REGISTERS)
    assert sent.retain
    assert json.loads(sent.payload) == {
        "t": "2026-11-22T05:30:00.000Z", "import_kwh": 1234.567, "export_kwh": 89.012
    }  # fmt: skip


def test_what_is_unknown_is_left_out_and_never_zero() -> None:
    (sent,) = DIALECT.live(HOUSE, live(Quantities(volts=230.0, watts=float("nan"))))
    assert json.loads(sent.payload) == {"t": "2026-11-22T05:30:00.000Z", "voltage": 230.0}


def test_a_twin_is_marked_as_simulated() -> None:
    twin = replace(HOUSE, simulated=True)
    assert document(twin)["device"]["name"] == "house (simulated)"
    assert json.loads(DIALECT.live(twin, live(EXPORTING))[0].payload)["simulated"] is True
    assert json.loads(DIALECT.registers(twin, REGISTERS)[0].payload)["simulated"] is True


def test_topics_of_another_base_belong_to_the_meter_no_more() -> None:
    (config,) = DIALECT.announcement(HOUSE, ALL)
    (state,) = DIALECT.meter_state(HOUSE, online=True)
    moved = HomeAssistantDialect(topic="energy")
    assert all(DIALECT.owns(HOUSE, topic) for topic in (config.topic, state.topic))
    assert moved.owns(HOUSE, config.topic)
    assert not moved.owns(HOUSE, state.topic)


def test_estimated_registers_say_so_and_keep_their_ids() -> None:
    counted, estimated = document(), document(replace(HOUSE, has_estimates=True))
    for way in ("import", "export"):
        assert estimated["components"][way]["name"] == f"Energy {way} (estimated)"
        assert estimated["components"][way]["unique_id"] == counted["components"][way]["unique_id"]
    (message,) = DIALECT.registers(replace(HOUSE, has_estimates=True), REGISTERS)
    assert json.loads(message.payload)["estimated"] is True
