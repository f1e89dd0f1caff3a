"""What devices say of themselves when somebody looks for meters: which firmware, what it measures, how to read it.

Answers to SSDP, to ``Status 0``, and retained discovery messages of a broker come in; proposals of URLs come out. The
place in a proposal is always that of the answer, never a name that the device chose. Source: openbeken/network,
tasmota/energy, homeassistant/mqtt-discovery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlsplit

from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import UNIT_MWH, MqttCommand, is_marked_simulated
from wattrail.network_meters.mac_address import mac_of
from wattrail.network_meters.payload import parse_payload, part_of, text_of
from wattrail.sanitize import printable

__all__ = ["DISCOVERY_TOPICS", "BrokerDiscovery", "FoundMeter", "SsdpAnswer", "identify", "parse_ssdp"]

DISCOVERY_TOPICS: Final = (
    "tasmota/discovery/+/config",
    "tasmota/discovery/+/sensors",
    "homeassistant/sensor/+/config",
    "homeassistant/sensor/+/+/config",
    "+/connected",
    "stat/+/STATUS2",
    "stat/+/STATUS8",
)
"""Where Tasmota, and OpenBeken, zigbee2mqtt and others by Home Assistant's convention, leave retained messages.

OpenBeken sends those only on request. Its availability, ``<client>/connected``, is always there: who says ``online``
there is asked for ``Status`` 2 and 8, which other firmware does not answer.
"""

MAX_FOUND: Final = 2000
"""Devices that are kept of one broker: a flood of invented ones must not fill the memory."""

_QUANTITIES: Final = {
    "Voltage": "voltage",
    "Current": "current",
    "Power": "power",
    "Total": "energy",
    "ConsumptionTotal": "energy",
    "ExportActive": "exported energy",
}
_CLASSES: Final = ("voltage", "current", "power", "energy")
_JSON_PATH: Final = re.compile(r"value_json\.(?P<dotted>[A-Za-z0-9_.]+)|value_json\[['\"](?P<key>[A-Za-z0-9_]+)['\"]\]")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMeter:
    """A device that may be read. ``measures`` is empty where it said nothing of it; ``identity`` tells devices apart.

    ``mac`` is 12 digits, or empty. ``note`` is what a person must do first, or empty.
    """

    url: str
    name: str
    title: str
    measures: tuple[str, ...] = ()
    identity: str = ""
    mac: str = ""
    note: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class SsdpAnswer:
    """Who answered an M-SEARCH: its server line, and the port of its description."""

    server: str
    port: int


def parse_ssdp(datagram: bytes) -> SsdpAnswer | None:
    """The answer in a datagram, None where it is none."""
    # Any byte is a letter there: a datagram of a stranger raises nothing. Of an answer only
    # server and port are taken; the UUID of OpenBeken is another one after each start.
    lines = datagram.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 200"):
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    try:
        port = urlsplit(headers.get("location", "")).port or 80
    except ValueError:
        port = 80
    return SsdpAnswer(printable(headers.get("server", ""), limit=80), port)


def identify(body: bytes, place: str) -> FoundMeter | None:
    """The meter that gave this answer to ``Status 0`` at ``place`` (host or host:port); None for another web server."""
    try:
        document = parse_payload(body, place)
    except UnexpectedReply:
        return None
    version = text_of(document, "StatusFWR", "Version")
    if not version:
        return None
    is_openbeken = text_of(document, "StatusFWR", "SDK") == "obk"
    measures = _measured(part_of(document, "StatusSNS"))
    label = text_of(document, "Status", "DeviceName") or text_of(document, "StatusNET", "Hostname")
    client = text_of(document, "StatusMQT", "MqttClient")
    identity = client if is_openbeken else text_of(document, "StatusNET", "Mac").replace(":", "")
    firmware = "OpenBeken" if is_openbeken else "Tasmota"
    return FoundMeter(
        url=f"{firmware.lower()}://{place}",
        name=_name(label or identity or place),
        title=f"{firmware} {printable(version, limit=60)}",
        measures=measures,
        identity=printable(identity, limit=60),
        mac=mac_of(document),
        note="" if measures else "it measures nothing: no metering driver runs",
        simulated=is_marked_simulated(version, label),
    )


def _measured(sensors: object) -> tuple[str, ...]:
    energy = part_of(sensors, "ENERGY") or {}
    return tuple(dict.fromkeys(words for key, words in _QUANTITIES.items() if key in energy))


class BrokerDiscovery:
    """Gathers the discovery messages of one broker, ``place`` (host or host:port).

    ``options`` stand at the end of every URL, such as ``&tls=yes``.
    """

    def __init__(self, place: str, options: str = "") -> None:
        self._place = place
        self._options = options
        self._meters: dict[str, FoundMeter] = {}
        self._online: dict[str, None] = {}
        self._ignored = 0

    def receive(self, topic: str, payload: bytes) -> None:
        """One message; what makes no sense is counted and passed over."""
        client, _, last = topic.rpartition("/")
        if last == "connected":
            if payload == b"online" and len(self._online) < MAX_FOUND:
                self._online[client] = None
            return
        try:
            document = parse_payload(payload, topic)
        except UnexpectedReply:
            self._ignored += bool(payload)
            return
        parts = topic.split("/")
        if parts[:2] == ["tasmota", "discovery"]:
            self._receive_tasmota(parts[2], parts[-1], document)
        elif parts[0] == "stat":
            self._receive_status(parts[1], document)
        elif isinstance(document, Mapping):
            self._receive_home_assistant(document)

    def commands(self) -> Sequence[MqttCommand]:
        """Questions to those that are online and of which nothing is known yet."""
        asked = [client for client in self._online if f"openbeken {client}" not in self._meters]
        return [MqttCommand(f"cmnd/{client}/Status", number) for client in asked for number in ("2", "8")]

    def found(self) -> Sequence[FoundMeter]:
        """Every device that measures power or energy, and those of which nobody said what they measure."""
        return [
            meter for meter in self._meters.values() if not meter.measures or {"power", "energy"} & set(meter.measures)
        ]

    @property
    def ignored(self) -> int:
        """Messages that made no sense."""
        return self._ignored

    def _put(self, key: str, meter: FoundMeter) -> None:
        if key in self._meters or len(self._meters) < MAX_FOUND:
            self._meters[key] = meter

    def _receive_tasmota(self, mac: str, kind: str, document: object) -> None:
        key = f"tasmota {mac}"
        before = self._meters.get(key) or FoundMeter(
            url=self._url(mac, "device=tasmota"), name=_name(mac), title="Tasmota", identity=mac
        )
        if kind == "sensors":
            measures = _measured(part_of(document, "sn"))
            note = "" if measures else "it measures nothing: no energy sensor"
            self._put(key, replace(before, measures=measures or ("nothing",), note=note))
            return
        label, version = text_of(document, "dn"), text_of(document, "sw")
        self._put(
            key,
            replace(
                before,
                name=_name(label or mac),
                title=f"Tasmota {printable(version, limit=40)} {printable(text_of(document, 'md'), limit=40)}".strip(),
                simulated=is_marked_simulated(version, label, text_of(document, "md")),
            ),
        )

    def _receive_status(self, client: str, document: object) -> None:
        """An answer to our question, or to somebody else's."""
        key, version = f"openbeken {client}", text_of(document, "StatusFWR", "Version")
        before = self._meters.get(key) or FoundMeter(
            url=self._url(client, "device=openbeken"), name=_name(client), title="OpenBeken", identity=client
        )
        if text_of(document, "StatusFWR", "SDK") == "obk":
            is_simulated = before.simulated or is_marked_simulated(version)
            before = replace(before, title=f"OpenBeken {printable(version, limit=60)}", simulated=is_simulated)
            self._put(key, before)
        if key in self._meters and isinstance(document, Mapping) and "StatusSNS" in document:
            measures = _measured(document["StatusSNS"])
            note = "" if measures else "it measures nothing: no metering driver runs"
            self._put(key, replace(before, measures=measures, note=note))

    def _url(self, topic: str, options: str) -> str:
        return f"mqtt://{self._place}/{quote(topic)}?{options}{self._options}"

    def _receive_home_assistant(self, document: Mapping[str, object]) -> None:
        """One sensor of a device; topics and keys may be abbreviated."""
        base = text_of(document, "~")
        topic = _first(document, "stat_t", "state_topic").replace("~", base, 1)
        quantity = _first(document, "dev_cla", "device_class")
        device = document.get("dev", document.get("device"))
        if quantity not in _CLASSES or not topic or {"+", "#"} & set(topic):
            return
        client, is_openbeken = topic.split("/")[0], topic.endswith("/get") and topic.count("/") == 2
        key = f"openbeken {client}" if is_openbeken else topic
        label = _first(device, "name") or client
        before = self._meters.get(key) or FoundMeter(
            url=self._url(client, "device=openbeken") if is_openbeken else self._url(topic, "device=json"),
            name=_name(label),
            title=_title(device, label),
            identity=client if is_openbeken else topic,
            simulated=is_marked_simulated(label, _first(device, "mdl", "model"), _first(device, "sw", "sw_version")),
        )
        if quantity == "energy" and not is_openbeken:
            before = replace(before, url=self._url(topic, _json_options(topic, document)))
        self._put(key, replace(before, measures=tuple(dict.fromkeys((*before.measures, quantity)))))


def _json_options(topic: str, document: Mapping[str, object]) -> str:
    """Options of device=json for an energy sensor: a profile where the shape is known, else path and unit."""
    if topic.startswith("zigbee2mqtt/"):
        return "device=json&profile=zigbee2mqtt"
    found = _JSON_PATH.search(_first(document, "val_tpl", "value_template"))
    path = (found["dotted"] or found["key"]) if found else ""
    unit = _first(document, "unit_of_meas", "unit_of_measurement")
    return f"device=json&energy={quote(path)}&unit={unit if unit in UNIT_MWH else 'kWh'}"


def _title(device: object, label: str) -> str:
    words = [_first(device, "mf", "manufacturer"), _first(device, "mdl", "model"), _first(device, "sw", "sw_version")]
    return printable(" ".join(filter(None, words)) or label, limit=80)


def _first(document: object, *keys: str) -> str:
    return next(filter(None, (text_of(document, key) for key in keys)), "")


def _name(text: str) -> str:
    """A text as the name of a meter in a configuration."""
    return _NOT_IN_NAMES.sub("-", text).strip("-._")[:64] or "meter"
