"""What devices say of themselves when somebody looks for meters."""

from __future__ import annotations

import json

from wattrail.network_meters.discovery import BrokerDiscovery, SsdpAnswer, identify, parse_ssdp

STATUS = {
    "Status": {"DeviceName": "Boiler room"},
    "StatusFWR": {"Version": "OpenBK7231N_1.18.230", "SDK": "obk"},
    "StatusMQT": {"MqttClient": "obk51A0"},
    "StatusSNS": {"ENERGY": {"Voltage": 230, "Power": 5, "ConsumptionTotal": 1}},
}


def discovery_of(*messages: tuple[str, object]) -> BrokerDiscovery:
    discovery = BrokerDiscovery("broker.lan")
    for topic, payload in messages:
        discovery.receive(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return discovery


def test_openbeken_says_what_it_measures() -> None:
    meter = identify(json.dumps(STATUS).encode(), "192.0.2.1")
    assert meter is not None
    assert (meter.url, meter.name, meter.identity) == ("openbeken://192.0.2.1", "Boiler-room", "obk51A0")
    assert meter.measures == ("voltage", "power", "energy")
    assert meter.title == "OpenBeken OpenBK7231N_1.18.230"


def test_tasmota_is_told_apart_from_openbeken_by_its_version() -> None:
    status = {"StatusFWR": {"Version": "14.4.1(tasmota)"}, "StatusNET": {"Mac": "A4:C1:38:00:00:01"}}
    meter = identify(json.dumps(status).encode(), "192.0.2.1:8080")
    assert meter is not None
    assert (meter.url, meter.identity) == ("tasmota://192.0.2.1:8080", "A4C138000001")
    assert meter.note == "it measures nothing: no metering driver runs"


def test_another_web_server_is_not_a_meter() -> None:
    assert identify(b"<html>printer</html>", "192.0.2.1") is None
    assert identify(b'{"StatusFWR": 3}', "192.0.2.1") is None


def test_ssdp_names_the_firmware_and_a_port() -> None:
    answer = b"HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.9:8080/ssdp.xml\r\nSERVER: OpenBk\r\n\r\n"
    assert parse_ssdp(answer) == SsdpAnswer("OpenBk", 8080)
    assert parse_ssdp(b"NOTIFY * HTTP/1.1\r\nSERVER: OpenBk\r\n\r\n") is None
    assert parse_ssdp(b"HTTP/1.1 200 OK\r\nLOCATION: http://[::1\r\n\r\n") == SsdpAnswer("", 80)


def test_tasmota_is_found_with_what_its_sensors_say() -> None:
    found = discovery_of(
        ("tasmota/discovery/A4C1/config", {"dn": "Solar", "sw": "14.4.1", "md": "Generic"}),
        ("tasmota/discovery/A4C1/sensors", {"sn": {"ENERGY": {"Total": 1, "Power": 2}}}),
    ).found()
    (meter,) = found
    assert meter.url == "mqtt://broker.lan/A4C1?device=tasmota"
    assert (meter.name, meter.title, meter.measures) == ("Solar", "Tasmota 14.4.1 Generic", ("power", "energy"))


def test_a_tasmota_lamp_is_not_a_meter() -> None:
    messages = ("tasmota/discovery/A4C1/config", {"dn": "Lamp"}), ("tasmota/discovery/A4C1/sensors", {"sn": {}})
    assert discovery_of(*messages).found() == []


def test_openbeken_is_found_by_what_it_tells_home_assistant() -> None:
    sensor = {"dev": {"name": "house", "mf": "Beken", "mdl": "BK7231N"}, "~": "obk1", "dev_cla": "energy",
              "stat_t": "~/energycounter/get"}  # fmt: skip
    power = {**sensor, "dev_cla": "power", "stat_t": "~/power/get"}
    (meter,) = discovery_of(("homeassistant/sensor/a/config", sensor), ("homeassistant/sensor/b/config", power)).found()
    assert (meter.url, meter.measures) == ("mqtt://broker.lan/obk1?device=openbeken", ("energy", "power"))


def test_anything_with_energy_in_json_is_proposed_by_its_path() -> None:
    sensor = {"device": {"name": "Heat pump"}, "device_class": "energy", "state_topic": "hp/state",
              "unit_of_measurement": "Wh", "value_template": "{{ value_json.meter.total | float }}"}  # fmt: skip
    plug = {**sensor, "state_topic": "zigbee2mqtt/plug", "value_template": "{{ value_json.energy }}"}
    found = discovery_of(("homeassistant/sensor/x/e/config", sensor), ("homeassistant/sensor/y/e/config", plug)).found()
    assert [meter.url for meter in found] == [
        "mqtt://broker.lan/hp/state?device=json&energy=meter.total&unit=Wh",
        "mqtt://broker.lan/zigbee2mqtt/plug?device=json&profile=zigbee2mqtt",
    ]


def test_who_is_online_and_unknown_is_asked() -> None:
    discovery = discovery_of(("obk1/connected", b"online"), ("obk2/connected", b"offline"))
    assert [(command.topic, command.payload) for command in discovery.commands()] == [
        ("cmnd/obk1/Status", "2"),
        ("cmnd/obk1/Status", "8"),
    ]
    discovery.receive("stat/obk1/STATUS2", json.dumps(STATUS).encode())
    discovery.receive("stat/obk1/STATUS8", json.dumps(STATUS).encode())
    (meter,) = discovery.found()
    assert meter.measures == ("voltage", "power", "energy")
    assert discovery.commands() == []


def test_what_a_device_chose_cannot_change_the_url() -> None:
    sensor = {"~": "x", "dev_cla": "energy", "stat_t": "a?device=tasmota&b/c d", "unit_of_meas": "x&y"}
    (meter,) = discovery_of(("homeassistant/sensor/a/config", sensor)).found()
    assert meter.url == "mqtt://broker.lan/a%3Fdevice%3Dtasmota%26b/c%20d?device=json&energy=&unit=kWh"
    assert discovery_of(("homeassistant/sensor/a/config", {**sensor, "stat_t": "#"})).found() == []


def test_junk_among_the_messages_is_counted() -> None:
    discovery = discovery_of(("tasmota/discovery/A4C1/config", b"\xff{"), ("homeassistant/sensor/a/config", b"[1]"))
    assert (list(discovery.found()), discovery.ignored) == ([], 1)
