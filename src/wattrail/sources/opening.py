"""Network meters by URL: which schemes and options there are, and the source that each URL means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, Literal

from wattrail.clock import Clock, SystemClock
from wattrail.credentials import Secrets
from wattrail.energy_register import Direction, Persistence
from wattrail.errors import MissingExtra, UrlError
from wattrail.network_meters.decoded import MAX_WATTS, UNIT_MWH, HttpLink
from wattrail.network_meters.json_meter import PROFILES, JsonMeter, JsonTopics, QuantityPath, RegisterPath
from wattrail.network_meters.mac_address import parse_mac
from wattrail.network_meters.openbeken import OpenBekenPages, OpenBekenTopics
from wattrail.network_meters.payload import parse_path
from wattrail.network_meters.tasmota import ExportRule, TasmotaPages, TasmotaTopics
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.sources.broker import Broker, BrokerAddress, BrokerPool
from wattrail.sources.locating import MeterLocator
from wattrail.sources.polled import MovedMeter, PolledSource
from wattrail.sources.pushed import PushedSource
from wattrail.sources.source import MeterSource, SourceCadence
from wattrail.sources.tuya_opening import OPTIONS as TUYA_OPTIONS
from wattrail.sources.tuya_opening import open_tuya
from wattrail.transport.http import HttpServer
from wattrail.urls import MQTT_PORTS, Option, PortUrl, boolean, choice, number_in, read_options, split

__all__ = [
    "DEVICES", "POLL_S", "SCHEMES", "SourceScheme", "check_source_url", "is_polled", "is_source", "open_source",
]  # fmt: skip

_HTTP_PORT: Final = 80
POLL_S: Final = 10.0
"""Seconds between two polls, where nobody says otherwise."""

_MIN_SILENCE_S: Final = 60.0
_SILENT_POLLS: Final = 3
"""Polls in a row that fail now and then; a longer silence is a gap."""

_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SourceScheme:
    """A scheme, or a device behind a broker: an example for people, and its options."""

    example: str
    options: Sequence[Option]


def _direction(text: str) -> Direction:
    return Direction(choice(*Direction)(text))


def _persistence(text: str) -> Persistence:
    return Persistence(choice(*Persistence)(text.upper()))


def _scale(text: str) -> Fraction:
    return Fraction(choice("0.001", "1", "1000")(text))


def _export(text: str) -> ExportRule:
    return ExportRule(choice(*ExportRule)(text))


# fmt: off
_ANY = (
    Option("login", str, None, "name of the login in the secrets file; the host if left out"),
    Option("max_watts", number_in(int, 1, 10_000_000), MAX_WATTS, "the most the installation carries, watts"),
    Option("simulated", boolean, False, "whether all it says is simulated, where it cannot know that itself"),
)
_SILENCE = Option("silence", number_in(float, 1, 90_000), None, "seconds without a reading that are still usual")
_HTTP = (
    *_ANY,
    Option("mac", parse_mac, "", "MAC of the meter: other devices are refused, and it is found at a new address"),
    Option("timeout", number_in(float, 0.1, 60), 5.0, "seconds for one whole answer"),
)
_MQTT = (
    *_ANY, _SILENCE,
    Option("device", choice("openbeken", "tasmota", "json"), None, "openbeken, tasmota or json"),
    Option("tls", boolean, False, "whether the broker wants TLS"),
)
_ASK = Option("ask", number_in(float, 0, 3600), 10.0, "seconds between questions to the meter; 0 only listens")
_SCALE = Option("energy_scale", _scale, Fraction(1), "corrects a total that is wrong by 1000: 1000 or 0.001")
_OPENBEKEN = (
    _SCALE,
    Option("meter", number_in(int, 1, 2), 1, "which meter of a two-meter build"),
    # A BL0942 counts both ways up under OpenBeken, so its total has export in it. Source: openbeken/network
    Option("direction", _direction, Direction.SUM, "what the total adds up: sum, import, export, net"),
)
_TASMOTA = (
    _SCALE,
    # No default: no message names what a driver does with export, and a guess would book it as import.
    Option("export", _export, None, "what the driver does with export: added, none, separate, subtracted"),
)
_UNIT = Option("unit", choice(*UNIT_MWH), None, "unit of the total: Wh, kWh, Wmin, mWh, MWh")
_JSON = (
    _UNIT,
    Option("profile", choice(*PROFILES), None, f"a known shape: {', '.join(PROFILES)}"),
    Option("energy", parse_path, None, "path of the total, like ENERGY.Total; empty for a plain number"),
    Option("decimals", number_in(int, 0, 9), None, "decimals of the total in its unit: its exact step"),
    Option("direction", _direction, None, "what the total adds up: import, export, sum, net"),
    Option("export_energy", parse_path, None, "path of the exported total, in the same unit"),
    Option("class", _persistence, None, "how it falls: A never, B to a save, C at boot, D at midnight, E unknown"),
    Option("modulus", number_in(int, 2, 2**64), None, "counts after which the total begins again at 0"),
    Option("power", parse_path, None, "path of the power"),
    Option("power_scale", Decimal, Decimal(1), "makes the power watts; -1 turns its sign"),
    Option("volts", parse_path, None, "path of the voltage"),
    Option("amps", parse_path, None, "path of the current"),
    Option("availability", str, None, "topic of the availability, below the base topic"),
    Option("online", str, None, "its word for online"),
    Option("offline", str, None, "its word for offline"),
    Option("last_seen", parse_path, None, "path of the device's own time"),
    Option("retained", choice("ignore", "use"), None, "what to do with values a broker has kept"),
    Option("text_numbers", boolean, False, "whether numbers stand in quotes"),
)
DEVICES: Final[Mapping[str, SourceScheme]] = MappingProxyType({
    "openbeken": SourceScheme("mqtt://broker.lan/obk1A2B3C4D?device=openbeken", (*_MQTT, _ASK, _UNIT, *_OPENBEKEN)),
    "tasmota": SourceScheme("mqtt://broker.lan/A4C138000001?device=tasmota", (
        *_MQTT, _ASK, *_TASMOTA,
        Option("full_topic", str, "%prefix%/%topic%/", "FullTopic, where the URL names the topic and not the MAC"),
    )),
    "json": SourceScheme("mqtt://broker.lan/zigbee2mqtt/plug?device=json&profile=zigbee2mqtt", (*_MQTT, *_JSON)),
})
"""What can be behind a broker, by the word that ``device=`` takes."""

SCHEMES: Final[Mapping[str, SourceScheme]] = MappingProxyType({
    "openbeken": SourceScheme("openbeken://192.168.1.20", (*_HTTP, *_OPENBEKEN)),
    "tasmota": SourceScheme("tasmota://192.168.1.21?export=subtracted", (*_HTTP, *_TASMOTA)),
    "mqtt": SourceScheme(DEVICES["openbeken"].example, _MQTT),
    "tuya": SourceScheme("tuya://192.168.1.22?version=3.3&board=pziot-e01", (*_ANY, _SILENCE, _SCALE, *TUYA_OPTIONS)),
})
"""Schemes of network meters."""
# fmt: on


def is_source(text: str) -> bool:
    """Whether a URL is that of a network meter, by its scheme."""
    return text.partition("://")[0].strip().lower() in SCHEMES


def is_polled(text: str) -> bool:
    """Whether a network meter is asked, so that its caller keeps the cadence; the others keep it themselves."""
    return is_source(text) and not text.strip().lower().startswith(("mqtt:", "tuya:"))


def check_source_url(text: str) -> str:
    """The URL itself. Raises UrlError, as ``open_source`` does; contacts nobody and looks no login up."""
    with suppress(MissingExtra):
        open_source(text, secrets=Secrets.none())
    return text


def open_source(
    text: str,
    *,
    poll_s: float = POLL_S,
    pool: BrokerPool | None = None,
    secrets: Secrets | None = None,
    clock: Clock | None = None,
    locator: MeterLocator | None = None,
) -> MeterSource:
    """The source that a URL means; it talks to nobody before its first ``read``.

    ``poll_s`` is how often a source that is polled will be read. Sources that are opened with the same ``pool`` share a
    connection to each broker, with the same ``locator`` a search for meters that have moved. Raises UrlError,
    ConfigError and FileError for the secrets file, MissingExtra.
    """
    url = split(text)
    if url.scheme not in SCHEMES:
        raise UrlError(f"{str(url)!r}: not a network meter; known: {', '.join(SCHEMES)}")
    if not url.host:
        raise UrlError(f"{str(url)!r}: the host is missing", hint=f"write it like {SCHEMES[url.scheme].example}")
    secrets, clock, pool = secrets or Secrets(), clock or SystemClock(), pool or BrokerPool()
    if url.scheme == "mqtt":
        return _pushed(url, pool, secrets, clock)
    if url.scheme == "tuya":
        return open_tuya(url, read_options(url, SCHEMES["tuya"].options), secrets, clock)
    locator = locator or MeterLocator(pool, clock=clock)
    return _polled(url, secrets, clock, locator, SourceCadence(poll_s, max(_MIN_SILENCE_S, _SILENT_POLLS * poll_s)))


def _polled(url: PortUrl, secrets: Secrets, clock: Clock, locator: MeterLocator, cadence: SourceCadence) -> MeterSource:
    values: _Values = read_options(url, SCHEMES[url.scheme].options)
    if url.path.strip("/"):
        raise UrlError(f"{str(url)!r}: nothing stands after the host but options")
    # OpenBeken has no other user. Source: openbeken/network
    login = secrets.find(values["login"] or url.host, default_user="admin")
    is_openbeken = url.scheme == "openbeken"
    # A header for OpenBeken; Tasmota takes a login in the query only. Source: tasmota/energy
    auth: Literal["basic", "query"] = "basic" if is_openbeken else "query"
    port = _HTTP_PORT if url.port is None else url.port
    server = HttpServer(url.host, port, credentials=login, auth=auth, timeout_s=values["timeout"])
    where, mac, max_watts = str(url).partition("?")[0].rstrip("/"), values["mac"], values["max_watts"]
    link: HttpLink = (
        OpenBekenPages(where, meter=values["meter"], direction=values["direction"], max_watts=max_watts, mac=mac)
        if is_openbeken
        else TasmotaPages(where, export=values["export"], max_watts=max_watts, mac=mac)
    )

    def server_at(place: str) -> HttpServer:
        host, _, number = place.partition(":")
        return HttpServer(host, int(number or _HTTP_PORT), auth=auth, timeout_s=values["timeout"])

    moved = MovedMeter(lambda: locator.find(mac), server_at, has_login=login is not None) if mac else None
    check = UnitCheck(is_stated=False, scale=values["energy_scale"])
    return PolledSource(
        str(url), server, link, cadence=cadence, clock=clock, unit_check=check, max_watts=max_watts, moved=moved,
        simulated=values["simulated"],
    )  # fmt: skip


def _pushed(url: PortUrl, pool: BrokerPool, secrets: Secrets, clock: Clock) -> MeterSource:
    device = url.query.get("device", "")
    if device not in DEVICES:
        said = f"device={device} is not known" if device else "the option device= is missing"
        raise UrlError(
            f"{str(url)!r}: {said}; it says what publishes there: {', '.join(DEVICES)}",
            hint=f"write it like {DEVICES['openbeken'].example}",
        )
    values: _Values = read_options(url, DEVICES[device].options)
    topic = url.path.strip("/")
    if not topic or {"+", "#"} & set(topic):
        raise UrlError(
            f"{str(url)!r}: after the broker stands the topic of one meter, without + and #",
            hint=f"write it like {DEVICES[device].example}",
        )
    port = url.port if url.port is not None else MQTT_PORTS["mqtts" if values["tls"] else "mqtt"]
    address = BrokerAddress(url.host, port, values["tls"], values["login"] or url.host)
    broker = pool.broker(address, secrets.find(address.login))
    make = {"openbeken": _openbeken, "tasmota": _tasmota, "json": _json}[device]
    return make(url, broker, topic, values, clock)


def _cadence(values: _Values, expected_s: float, silence_s: float) -> SourceCadence:
    return SourceCadence(expected_s, values["silence"] or silence_s)


def _openbeken(url: PortUrl, broker: Broker, topic: str, values: _Values, clock: Clock) -> MeterSource:
    may_ask, meter = values["ask"] > 0, values["meter"]
    link = OpenBekenTopics(
        str(url).partition("?")[0],
        topic,
        meter=meter,
        may_ask=may_ask,
        unit=values["unit"] or "Wh",
        direction=values["direction"],
        max_watts=values["max_watts"],
    )
    # Status 8 is in watt-hours whatever flag 40 says; only a published total depends on it.
    is_unit_stated = not may_ask or meter == 2
    return PushedSource(
        str(url),
        broker,
        link,
        # Unasked, each value is published after 60 s at the latest, changed or not. Source: openbeken/network
        cadence=_cadence(values, values["ask"] or 60.0, 150.0),
        clock=clock,
        ask_s=values["ask"] or None,
        unit_check=UnitCheck(is_stated=is_unit_stated, scale=values["energy_scale"]),
        max_watts=values["max_watts"],
        simulated=values["simulated"],
    )


def _tasmota(url: PortUrl, broker: Broker, topic: str, values: _Values, clock: Clock) -> MeterSource:
    link = TasmotaTopics(
        str(url).partition("?")[0],
        topic,
        may_ask=values["ask"] > 0,
        full_topic=values["full_topic"],
        export=values["export"],
        max_watts=values["max_watts"],
    )
    # Unasked, a reading comes each TelePeriod, 300 s unless it was set. Source: tasmota/energy
    cadence = _cadence(values, values["ask"] or 300.0, 60.0 if values["ask"] else 700.0)
    check = UnitCheck(is_stated=False, scale=values["energy_scale"])
    ask_s = values["ask"] or None
    return PushedSource(
        str(url), broker, link, cadence=cadence, clock=clock, ask_s=ask_s, unit_check=check,
        max_watts=values["max_watts"], simulated=values["simulated"],
    )  # fmt: skip


def _json(url: PortUrl, broker: Broker, topic: str, values: _Values, clock: Clock) -> MeterSource:
    meter = _json_meter(url, values)
    cadence = _cadence(values, meter.expected_s, meter.silence_s)
    return PushedSource(
        str(url),
        broker,
        JsonTopics(str(url).partition("?")[0], topic, meter, max_watts=values["max_watts"]),
        cadence=cadence,
        clock=clock,
        ask_s=meter.silence_s / 2 if meter.request else None,
        unit_check=UnitCheck(),
        max_watts=values["max_watts"],
        simulated=values["simulated"],
    )


def _json_meter(url: PortUrl, values: _Values) -> JsonMeter:
    """The profile, with what the URL says in place of what it says."""
    profile = PROFILES.get(values["profile"] or "", None)
    if profile is None and values["energy"] is None and values["power"] is None:
        raise UrlError(
            f"{str(url)!r}: device=json needs profile= or energy=, or power= of a meter without a total",
            hint=f"write it like {DEVICES['json'].example}",
        )
    meter = profile or JsonMeter(registers=())
    quantities = {name: values[option] for name, option in (("watts", "power"), ("volts", "volts"), ("amps", "amps"))}
    stated = [
        QuantityPath(quantity=name, path=path, scale=values["power_scale"] if name == "watts" else Decimal(1))
        for name, path in quantities.items()
        if path is not None
    ]
    kept = [
        replace(path, scale=path.scale * values["power_scale"]) if path.quantity == "watts" else path
        for path in meter.quantities
        if quantities.get(path.quantity) is None
    ]
    changes: dict[str, Any] = {
        name: values[name] for name in ("availability", "online", "offline", "last_seen") if values[name] is not None
    }
    if values["retained"]:
        changes["ignores_retained"] = values["retained"] == "ignore"
    registers = tuple(_registers(url, meter.registers, values))
    return replace(
        meter, registers=registers, quantities=(*kept, *stated), has_text_numbers=values["text_numbers"], **changes
    )


def _registers(url: PortUrl, of_profile: Sequence[RegisterPath], values: _Values) -> list[RegisterPath]:
    """The registers of a profile, or the one that ``energy=`` names, with what else the URL says of them."""
    fields = {"unit": "unit", "decimals": "decimals", "persistence": "class", "modulus": "modulus"}
    said: dict[str, Any] = {field: values[option] for field, option in fields.items() if values[option] is not None}
    way: Direction | None = values["direction"]
    first = [RegisterPath(name="import", direction=Direction.IMPORT, path=values["energy"])]
    registers = [replace(path, **said) for path in (of_profile if values["energy"] is None else first)]
    if way is not None and len(registers) > 1:
        raise UrlError(
            f"{str(url)!r}: direction= is of one total, and profile={values['profile']} has {len(registers)}",
            hint="drop direction=, or name one total by energy=",
        )
    if way is not None:
        registers = [replace(path, name=way.value, direction=way) for path in registers]
    if values["export_energy"] is not None:
        second: dict[str, Any] = {"unit": registers[0].unit, "decimals": registers[0].decimals} if registers else {}
        export = RegisterPath(name="export", direction=Direction.EXPORT, path=values["export_energy"])
        registers.append(replace(export, **(second | said)))
    return registers
