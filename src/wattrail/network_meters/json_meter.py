"""Any meter that publishes JSON or plain numbers on MQTT, described by data: topics, paths, units; no expressions.

A ``JsonMeter`` says where each register and quantity stands; ``PROFILES`` are the usual ones. A quantity may have
several places that are added up (import and export power of a P1 reader). Messages of one device come on one topic or
on many; a reading follows each message that holds a register or power. It has all registers or none: what is booked is
made of all of them. Source: mqtt-json/shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final

from wattrail.energy_register import (
    Direction,
    EnergyRegister,
    Freshness,
    Persistence,
    RegisterCount,
    fastest,
)
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import (
    MAX_WATTS,
    UNIT_MWH,
    Decoded,
    LinkQuality,
    MqttCommand,
    count_of,
    is_marked_simulated,
)
from wattrail.network_meters.payload import (
    Path,
    find,
    find_number,
    float_of,
    number_of,
    parse_payload,
    text_of,
)
from wattrail.network_meters.published_evidence import PublishedEvidence
from wattrail.sanitize import printable
from wattrail.units import Quantities

__all__ = ["PROFILES", "JsonMeter", "JsonTopics", "QuantityPath", "RegisterPath"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPath:
    """Where a register stands: a topic below the base (empty: the base itself), a path (empty: the payload is it).

    ``decimals`` of ``unit`` are its exact step.
    """

    name: str
    direction: Direction
    topic: str = ""
    path: Path = ()
    unit: str = "kWh"
    decimals: int = 3
    persistence: Persistence = Persistence.UNKNOWN
    # Only where the device is known to wrap, as HomeMatic's does at 838 860.7 Wh
    # (ioBroker.sourceanalytix#594): with it a fall after a long silence passes for a wrap.
    modulus: int | None = None
    slack: int = 0

    def register(self, max_watts: int) -> EnergyRegister:
        """The register behind it."""
        step = UNIT_MWH[self.unit] / Fraction(10) ** self.decimals
        return EnergyRegister(
            name=self.name,
            step_mwh=step,
            direction=self.direction,
            persistence=self.persistence,
            max_counts_per_us=fastest(max_watts, step),
            modulus=self.modulus,
            slack=self.slack,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityPath:
    """Where a quantity stands, as for a register; ``scale`` makes it V, A, W or Hz, and turns its sign."""

    quantity: str
    topic: str = ""
    path: Path = ()
    scale: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMeter:
    """Everything there is to know of a meter that publishes.

    ``availability`` is a topic below the base with one of two words, plain or under ``state``. ``uptime`` is the path
    of seconds since a boot on ``uptime_topic``. ``last_seen`` is the path of the device's own time (ISO 8601 or epoch
    milliseconds): a bridge repeats what it has cached, and only this says so. ``is_cached`` says that fresh arrival
    proves nothing where there is no such time.
    """

    registers: tuple[RegisterPath, ...]
    quantities: tuple[QuantityPath, ...] = ()
    availability: str = ""
    online: str = "online"
    offline: str = "offline"
    uptime_topic: str = ""
    uptime: Path = ()
    last_seen: Path = ()
    request: MqttCommand | None = None
    expected_s: float = 60.0
    silence_s: float = 300.0
    ignores_retained: bool = True
    is_cached: bool = False
    has_text_numbers: bool = False


def _quantity(quantity: str, where: str, scale: int = 1) -> QuantityPath:
    """A quantity by ``topic#path``."""
    topic, _, path = where.partition("#")
    return QuantityPath(quantity=quantity, topic=topic, path=tuple(filter(None, [path])), scale=Decimal(scale))


_IN, _OUT = Direction.IMPORT, Direction.EXPORT
_KEPT = Persistence.KEPT

# fmt: off
PROFILES: Final[Mapping[str, JsonMeter]] = {
    # zigbee2mqtt/<name>; the bridge caches and repeats: glitches in zigbee2mqtt#27990, #24396, core#114630
    "zigbee2mqtt": JsonMeter(
        registers=(RegisterPath(name="import", direction=_IN, path=("energy",)),),
        quantities=(
            _quantity("watts", "#power"), _quantity("volts", "#voltage"), _quantity("amps", "#current"),
            _quantity("hertz", "#ac_frequency"), _quantity("power_factor", "#power_factor"),
        ),
        availability="availability", last_seen=("last_seen",), is_cached=True,
        request=MqttCommand("get", '{"energy":""}'), silence_s=3700,
    ),
    # sensors/power/p1meter of esp8266_p1meter: integer Wh and W; one register for each tariff, as in the meter
    "p1": JsonMeter(
        registers=(
            RegisterPath(name="import.1", direction=_IN, topic="consumption_low_tarif",
                         unit="Wh", decimals=0, persistence=_KEPT),
            RegisterPath(name="import.2", direction=_IN, topic="consumption_high_tarif",
                         unit="Wh", decimals=0, persistence=_KEPT),
            RegisterPath(name="export.1", direction=_OUT, topic="returndelivery_low_tarif",
                         unit="Wh", decimals=0, persistence=_KEPT),
            RegisterPath(name="export.2", direction=_OUT, topic="returndelivery_high_tarif",
                         unit="Wh", decimals=0, persistence=_KEPT),
        ),
        quantities=(
            _quantity("watts", "actual_consumption"), _quantity("watts", "actual_returndelivery", -1),
            _quantity("volts", "l1_voltage"),
        ),
        # DSMR 4 has a telegram every 10 s, DSMR 5 one every second. Source: dsmr/p1-5
        expected_s=10, silence_s=60,
    ),
    # shellies/<id>/emeter/0 of Gen1 EM and 3EM: Wh with one decimal; falls by 0.1 Wh without a restart (core#93606). A
    # 3EM counts each phase by itself: of mixed signs import and export both rise (ioBroker.shelly#369).
    "shelly-em": JsonMeter(
        registers=(
            RegisterPath(name="import", direction=_IN, topic="total", unit="Wh", decimals=1,
                         persistence=_KEPT, slack=1),
            RegisterPath(name="export", direction=_OUT, topic="total_returned", unit="Wh", decimals=1,
                         persistence=_KEPT, slack=1),
        ),
        quantities=(
            _quantity("watts", "power"), _quantity("volts", "voltage"), _quantity("amps", "current"),
            _quantity("power_factor", "pf"),
        ),
        availability="../../online", online="true", offline="false",
        uptime_topic="../../info", uptime=("uptime",), expected_s=30, silence_s=120,
    ),
    # shellies/<id>/relay/0 of Gen1 plugs: watt-minutes in RAM, 0 at each boot (core#85210); export is added
    "shelly-plug": JsonMeter(
        registers=(
            RegisterPath(name="sum", direction=Direction.SUM, topic="energy", unit="Wmin", decimals=0,
                         persistence=Persistence.VOLATILE),
        ),
        quantities=(_quantity("watts", "power"),),
        availability="../../online", online="true", offline="false",
        uptime_topic="../../info", uptime=("uptime",), expected_s=30, silence_s=120,
    ),
}
# fmt: on
"""Meters whose shape is known, by the word that names them in a URL."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What is read on one topic; each register and quantity with its place in the description of the meter."""

    where: str
    registers: tuple[tuple[int, RegisterPath], ...]
    quantities: tuple[tuple[int, QuantityPath], ...]
    is_json: bool


@cache
def _register(path: RegisterPath, max_watts: int) -> EnergyRegister:
    """One for all meters that are described alike."""
    return path.register(max_watts)


class JsonTopics:
    """One such meter behind a broker, below the topic ``base``."""

    def __init__(self, where: str, base: str, meter: JsonMeter, *, max_watts: int = MAX_WATTS) -> None:
        self._where = where
        self._base = base
        self._meter = meter
        self._registers = [_register(path, max_watts) for path in meter.registers]
        self._values: dict[int, Decimal | None] = {}
        self._counts: dict[int, RegisterCount] = {}
        self._availability = self._topic(meter.availability) if meter.availability else None
        self._uptime = self._topic(meter.uptime_topic) if meter.uptime_topic else None
        named = [path.topic for path in meter.registers] + [path.topic for path in meter.quantities]
        topics = set(map(self._topic, named))
        self._places = {topic: self._place(topic) for topic in topics}
        self._filters = sorted(topics.union(filter(None, (self._availability, self._uptime))))
        self._evidence = PublishedEvidence()
        self._last_seen: float | None = None
        self._is_simulated = is_marked_simulated(base)

    def filters(self) -> Sequence[str]:
        """Every topic that the description names."""
        return self._filters

    def commands(self) -> Sequence[MqttCommand]:
        """The request for a fresh value, where there is one."""
        request = self._meter.request
        return [] if request is None else [MqttCommand(self._topic(request.topic), request.payload)]

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        """One message. Raises UnexpectedReply."""
        if topic == self._availability:
            return self._receive_availability(payload, self._named(topic))
        if is_retained and self._meter.ignores_retained:
            return None
        if topic == self._uptime:
            document = parse_payload(payload, self._named(topic))
            if not is_retained:
                self._evidence.say_uptime(float_of(document, *map(str, self._meter.uptime)), at)
            return None
        place = self._places.get(topic) or self._place(topic)
        return self._receive_values(place, payload, is_retained=is_retained, at=at)

    def _receive_values(self, place: _Place, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        where = place.where
        document = parse_payload(payload, where) if place.is_json else payload[:200].decode("utf-8", errors="replace")
        self._is_simulated |= isinstance(document, Mapping) and document.get("simulated") is True
        if self._is_repeated(document, where):
            return None
        for number, quantity in place.quantities:
            self._values[number] = self._quantity_at(document, quantity, where)
        has_news = self._count(document, place)
        if not has_news and not any(path.quantity == "watts" for _, path in place.quantities):
            return None
        # All registers or none: two tariffs of one meter from different telegrams make a sum that never was.
        missing = [path.name for number, path in enumerate(self._meter.registers) if number not in self._counts]
        has_total = has_news and not missing
        freshness = self._freshness(is_retained=is_retained)
        return Decoded(
            sample=self._sample(),
            registers=tuple(self._counts[number] for number in range(len(self._registers))) if has_total else (),
            evidence=self._evidence.beside(at, has_total=has_total),
            advice=(f"no total is booked before all have come; missing: {', '.join(missing)}",) if missing else (),
            quality=LinkQuality(signal_dbm=float_of(document, "rssi")),
            freshness=freshness,
            is_simulated=self._is_simulated,
            # What a bridge repeats out of its cache proves no power of now.
            is_power_only=not self._registers and freshness is Freshness.PUSHED,
        )

    def _receive_availability(self, payload: bytes, where: str) -> Decoded | None:
        text = payload[:200].decode("utf-8", errors="replace").strip()
        word = text_of(parse_payload(payload, where), "state") if text.startswith("{") else text
        online, offline = self._meter.online, self._meter.offline
        if word not in (online, offline):
            raise UnexpectedReply(
                f"{where}: expected {online!r} or {offline!r}, got {printable(word, limit=40)!r}",
                hint="set online= and offline= to the words of this device",
            )
        return Decoded(is_online=word == online)

    def _count(self, document: object, place: _Place) -> bool:
        """Keep what the registers in this message show; whether there were any."""
        values = [self._number(document, path.path, place.where) for _, path in place.registers]
        for (number, path), value in zip(place.registers, values, strict=True):
            if value is not None:
                self._counts[number] = count_of(self._registers[number], value, path.unit)
        return bool(values) and None not in values

    def _quantity_at(self, document: object, path: QuantityPath, where: str) -> Decimal | None:
        """A quantity that a device leaves out is unknown; a register that it leaves out is an error."""
        if path.path and not (isinstance(document, Mapping) and path.path[0] in document):
            return None
        value = self._number(document, path.path, where)
        return None if value is None else value * path.scale

    def _number(self, document: object, path: Path, where: str) -> Decimal | None:
        if isinstance(document, str) and not path:
            return number_of(document, where)
        return find_number(document, path, where, is_text_allowed=self._meter.has_text_numbers)

    def _sample(self) -> Quantities:
        """Each quantity as the sum of its places, unknown until all of them have come."""
        sums: dict[str, float | None] = {}
        for number, path in enumerate(self._meter.quantities):
            value, before = self._values.get(number), sums.get(path.quantity, 0.0)
            sums[path.quantity] = None if value is None or before is None else before + float(value)
        return Quantities(**sums)

    def _is_repeated(self, document: object, where: str) -> bool:
        """Whether the device's own time says that nothing new was measured."""
        if not self._meter.last_seen or not isinstance(document, Mapping) or self._meter.last_seen[0] not in document:
            return False
        seen = _epoch_s(find(document, self._meter.last_seen, where), where)
        is_repeated = self._last_seen is not None and seen <= self._last_seen
        self._last_seen = seen
        return is_repeated

    def _freshness(self, *, is_retained: bool) -> Freshness:
        if is_retained:
            return Freshness.RETAINED
        # A bridge publishes what it has cached after its own restart:
        # that it came now says nothing of when it was measured.
        return Freshness.CACHED if self._meter.is_cached and self._last_seen is None else Freshness.PUSHED

    def _place(self, topic: str) -> _Place:
        registers = tuple(one for one in enumerate(self._meter.registers) if self._topic(one[1].topic) == topic)
        quantities = tuple(one for one in enumerate(self._meter.quantities) if self._topic(one[1].topic) == topic)
        is_json = any(path.path for _, path in registers) or any(path.path for _, path in quantities)
        return _Place(self._named(topic), registers, quantities, is_json)

    def _named(self, topic: str) -> str:
        return f"{self._where} topic {printable(topic)}"

    def _topic(self, below: str) -> str:
        """A topic below the base; each ``..`` goes one level up."""
        base = self._base
        while below.startswith("../"):
            base, below = base.rpartition("/")[0], below.removeprefix("../")
        return f"{base}/{below}" if below else base


def _epoch_s(value: object, where: str) -> float:
    try:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return float(value) / 1000
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UnexpectedReply(
            f"{where}: last_seen is {printable(str(value), limit=40)!r}, expected ISO 8601 or epoch milliseconds",
            hint="set last_seen: ISO_8601 in the bridge's configuration",
        ) from error
