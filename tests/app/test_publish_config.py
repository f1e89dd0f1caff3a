"""The [publish] tables of wattrail.toml: what they become, and what is refused by file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattrail.app import ServicePlan, plan_service
from wattrail.app.config import parse_config
from wattrail.errors import ConfigError
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.influxdb import InfluxPlan
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.publish.p1_server import P1Plan

METER = '[[meter]]\nname = "house"\nurl = "serial:///dev/ttyUSB0?baud=4800"\n'
SHED = '[[meter]]\nname = "shed"\nurl = "serial:///dev/ttyUSB1?baud=4800"\n'


def planned(text: str, **options: Any) -> ServicePlan:
    return plan_service(parse_config(METER + text, "wattrail.toml"), **options)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        planned(text)
    return f"{caught.value} | {caught.value.hint}"


def test_nothing_is_published_unless_it_is_configured() -> None:
    plan = planned("")
    assert plan.consumers == ()
    assert plan.web is not None
    assert plan.web.metrics is None


def test_every_table_becomes_a_consumer(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    plan = planned(f"""
[publish.home_assistant]
broker = "mqtts://broker.lan"
ca_file = "{authority}"
[publish.mqtt]
broker = "mqtt://192.168.1.5:1884"
login = "house broker"
topic = "home/meters"
flat = true
change_w = 50
registers_s = 30
[publish.openmetrics]
kwh = true
[publish.influxdb]
url = "http://192.168.1.6:8086"
version = 2
org = "home"
bucket = "energy"
[publish.p1]
every_s = 1
""")
    home, plain, influx, p1 = plan.consumers
    assert isinstance(home, MqttPlan)
    assert isinstance(home.dialect, HomeAssistantDialect)
    assert home.target == "mqtts://broker.lan:8883"
    assert home.address.login == "broker.lan", "the host names the login"
    assert home.ca_file == authority
    assert isinstance(plain, MqttPlan)
    assert plain.dialect == PlainDialect(topic="home/meters", is_flat=True)
    assert (plain.target, plain.address.login) == ("mqtt://192.168.1.5:1884", "house broker")
    assert (plain.cadence.live_s, plain.cadence.registers_s, plain.cadence.change_w) == (10.0, 30.0, 50.0)
    assert isinstance(influx, InfluxPlan)
    assert influx.influx.path() == "/api/v2/write?org=home&bucket=energy&precision=ns"
    assert isinstance(p1, P1Plan)
    assert (p1.meter, p1.host, p1.every_s) == ("house", "127.0.0.1", 1)
    assert plan.web is not None
    assert plan.web.metrics is not None
    assert plan.web.metrics.has_kwh


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", None), ("192.168.1.9", "http://192.168.1.9:8042/")])
def test_home_assistant_links_to_a_page_that_others_can_reach(host: str, url: str | None) -> None:
    (home,) = planned('[publish.home_assistant]\nbroker = "mqtt://b"\n', host=host).consumers
    assert isinstance(home, MqttPlan)
    assert isinstance(home.dialect, HomeAssistantDialect)
    assert home.dialect.configuration_url == url


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '[publish.mqqt]\nbroker = "mqtt://b"',
            r"publish has no field 'mqqt'; known: home_assistant, .*, mqtt, .* mqtt",
        ),
        ('[publish.mqtt]\nbroker = "mqtt://b"\nflatt = true', r"publish.mqtt has no field 'flatt'; .* flat"),
        ("[publish.mqtt]", r"publish.mqtt.broker: this field is missing"),
        ('[publish.mqtt]\nbroker = "b"', r"must be like mqtt://192.168.1.5"),
        ('[publish.mqtt]\nbroker = "mqtt://b:99999"', r"must be like mqtt://192.168.1.5"),
        ('[publish.mqtt]\nbroker = "mqtt://b/topic"', r"the topic has a field of its own"),
        ('[publish.mqtt]\nbroker = "mqtt://u:planted@b"', r"must not contain a user or a password"),
        ('[publish.mqtt]\nbroker = "mqtt://b"\ntopic = "a/#"', r"line 6: publish.mqtt.topic: must be a topic"),
        ('[publish.mqtt]\nbroker = "mqtt://b"\ntopic = "/a"', r"must be a topic"),
        (
            '[publish.mqtt]\nbroker = "mqtt://b"\nlive_s = 0.1',
            r"publish.mqtt.live_s: must be greater than or equal to 1",
        ),
        ('[publish.mqtt]\nbroker = "mqtts://b"\nca_file = "/none"', r"there is no file '/none'"),
        ('[publish.home_assistant]\nbroker = "mqtt://b"\ndiscovery_prefix = "ha+"', r"must be a topic"),
        (
            '[publish.home_assistant_history]\nurl = "http://h:8123"',
            r"home_assistant_history: needs .publish.home_assist",
        ),
        ('[publish.influxdb]\nurl = "http://i"\nversion = 4\ndatabase = "d"', r"must be 1, 2 or 3"),
        ('[publish.influxdb]\nurl = "http://i"\nversion = 2\ndatabase = "d"', r"version 2 needs org and bucket"),
        ('[publish.influxdb]\nurl = "http://i"\nversion = 1\ndatabase = "d"\norg = "o"', r"version 1 has no org"),
        ('[publish.influxdb]\nurl = "ftp://i"\nversion = 1\ndatabase = "d"', r"must be like http://192.168.1.5:8086"),
        ("[publish.p1]\nevery_s = 5", r"publish.p1.every_s: must be 1 or 10"),
        ('[publish.p1]\nmeter = "garage"', r"unknown meter 'garage'; known: house"),
        (f"[publish.p1]\n{SHED}", r"has no meter, and 2 are configured \| .*house, shed"),
    ],
)
def test_what_cannot_work_is_refused_by_line_and_field(text: str, complaint: str) -> None:
    import re

    said = refused(text)
    assert re.search(complaint, said), said
    assert "planted" not in said


def test_two_consumers_of_one_broker_need_topics_of_their_own() -> None:
    said = refused(
        '[publish.home_assistant]\nbroker = "mqtt://b"\ntopic = "x"\n[publish.mqtt]\nbroker = "mqtt://b"\ntopic = "x"'
    )
    assert "publish.mqtt.topic: 'x' is the topic of home_assistant too" in said


def test_two_meters_at_one_place_are_refused_by_name() -> None:
    said = refused(SHED.replace("ttyUSB1", "ttyUSB0"))
    assert "meter[2].url: meter 'house' is read there too, and its energy would be counted twice" in said
    planned(SHED.replace("ttyUSB1", "ttyUSB0") + "address = 1\n")
