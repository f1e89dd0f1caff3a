from __future__ import annotations

import json
from dataclasses import replace

from tests.publish.rig import HOUSE, REGISTERS, live
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.units import Quantities

PLAIN, FLAT = PlainDialect(), PlainDialect(topic="home/meters", is_flat=True)


def test_json_stands_below_the_name_of_the_meter() -> None:
    (sent,) = PLAIN.live(HOUSE, live())
    assert sent.topic == "meters/house/live"
    assert json.loads(sent.payload)["power"] == -1834.5
    (sent,) = PLAIN.registers(HOUSE, REGISTERS)
    assert sent.topic == "meters/house/registers"
    assert json.loads(sent.payload)["import_kwh"] == 1234.567


def test_flat_topics_carry_one_bare_number_each() -> None:
    sent = {one.topic: one.payload for one in FLAT.live(HOUSE, live(Quantities(watts=-0.04, volts=231.0)))}
    assert sent.pop("home/meters/house/live")
    assert sent == {"home/meters/house/flat/power": "0.0", "home/meters/house/flat/voltage": "231.0"}
    sent = {one.topic: one.payload for one in FLAT.registers(HOUSE, REGISTERS)}
    assert sent["home/meters/house/flat/import_kwh"] == "1234.567"
    assert sent["home/meters/house/flat/export_kwh"] == "89.012"


def test_retained_live_values_expire_and_registers_do_not() -> None:
    assert all(one.retain and one.expiry_s == 30 for one in FLAT.live(HOUSE, live()))
    assert all(one.retain and one.expiry_s is None for one in FLAT.registers(HOUSE, REGISTERS))


def test_gateway_and_meters_never_share_a_topic_whatever_their_names() -> None:
    meter = replace(HOUSE, name="state")
    (of_meter,) = PLAIN.meter_state(meter, online=True)
    assert of_meter.topic != PLAIN.gateway_state(online=True).topic


def test_topics_of_a_former_name_belong_to_nobody() -> None:
    renamed = replace(HOUSE, name="villa")
    for message in (*FLAT.live(HOUSE, live()), *FLAT.registers(HOUSE, REGISTERS)):
        assert FLAT.owns(HOUSE, message.topic)
        assert not FLAT.owns(renamed, message.topic)
    assert not PlainDialect(topic="home/meters").owns(HOUSE, "home/meters/house/flat/power"), "flat was turned off"
