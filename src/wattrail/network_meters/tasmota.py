"""Tasmota over HTTP and over MQTT: topics from its discovery, one to eight phases, and what ``Total`` means.

``Total`` is kilowatt-hours with 0 to 5 decimals (EnergyRes), the sum of the phases, or one value a phase with
SetOption129. Every such value is a multiple of 10 mWh, the inner step of an ESP8266. At midnight it falls by up to
1 Wh because the part it keeps is cut to 3 decimals (Tasmota#20668): that is the register's slack. A power cut falls
back to the last save, mostly midnight (class B). Whether ``Total`` contains export depends on the driver, which no
message names: ``ExportRule`` says it, and nobody guesses it. Source: tasmota/energy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from wattrail.energy_register import (
    BootEvidence,
    Direction,
    EnergyRegister,
    Freshness,
    Persistence,
    RegisterCount,
    fastest,
)
from wattrail.errors import AccessDenied, UnexpectedReply
from wattrail.network_meters.decoded import (
    MAX_WATTS,
    Decoded,
    LinkQuality,
    MqttCommand,
    count_of,
    is_marked_simulated,
)
from wattrail.network_meters.mac_address import check_mac
from wattrail.network_meters.payload import find_number, float_of, parse_payload, part_of, text_of
from wattrail.network_meters.published_evidence import PublishedEvidence
from wattrail.sanitize import printable
from wattrail.units import Quantities

__all__ = ["ExportRule", "TasmotaAddress", "TasmotaPages", "TasmotaTopics"]

_STATUS: Final = "/cm?cmnd=Status%200"
_STEP: Final = Fraction(10)
# 1 Wh: at midnight 44.79066 kWh became 44.79013 (Tasmota#20668), "as designed" (#23081).
_SLACK: Final = 100
_FULL_TOPIC: Final = "%prefix%/%topic%/"
_MAC_DIGITS: Final = 12


class ExportRule(StrEnum):
    """What a Tasmota driver does with exported energy."""

    ADDED = "added"  # BL0942, BL0939: power is the absolute value, Total counts both ways
    NONE = "none"  # the person says that nothing is ever exported
    SEPARATE = "separate"  # SDM, DDSU, DTSU: Total is import, ExportActive is export
    SUBTRACTED = "subtracted"  # ADE7953, ADE7880 (Shelly EM, 3EM): Total runs backwards (Tasmota#17178)


_TOTAL: Final = {
    ExportRule.ADDED: Direction.SUM,
    ExportRule.NONE: Direction.IMPORT,
    ExportRule.SEPARATE: Direction.IMPORT,
    ExportRule.SUBTRACTED: Direction.NET,
}


class _Energy:
    """What an ENERGY object means under a rule; None while the rule is not known and not needed."""

    def __init__(self, rule: ExportRule | None, max_watts: int) -> None:
        self._rule = rule
        self._registers = {direction: _register(direction, max_watts) for direction in Direction}

    def decode(self, sensors: object, where: str) -> tuple[Quantities, tuple[RegisterCount, ...]]:
        """Quantities and registers of a ``StatusSNS`` or ``SENSOR`` object. Raises UnexpectedReply."""
        energy = part_of(sensors, "ENERGY")
        if energy is None:
            raise UnexpectedReply(
                f"{where}: expected ENERGY, got none: this device measures no energy",
                hint="configure its module or template for the metering chip",
            )
        sample = _quantities(energy, where)
        if _has_no_total(sensors):
            return sample, ()
        has_clock = not text_of(sensors, "Time").startswith("1970")
        # Until the clock is set, Total lacks the current day: that is not a fall, and not a reading either.
        return sample, self._counts(energy, sample, where) if has_clock else ()

    def _counts(self, energy: Mapping[str, object], sample: Quantities, where: str) -> tuple[RegisterCount, ...]:
        export = _sum(energy, "ExportActive", where)
        rule = self._checked_rule(export, where)
        total = _sum(energy, "Total", where)
        if total is None:
            raise UnexpectedReply(f"{where}: expected ENERGY.Total, got {printable(', '.join(map(str, energy)))}")
        counts = [count_of(self._registers[_TOTAL[rule]], total, "kWh")]
        if export is None or rule in (ExportRule.ADDED, ExportRule.NONE):
            return tuple(counts)
        if export == 0 and sample.volts == 0:  # after 4 s without data some drivers show 0 for all of them
            return ()
        return (*counts, count_of(self._registers[Direction.EXPORT], export, "kWh"))

    def _checked_rule(self, export: Decimal | None, where: str) -> ExportRule:
        if self._rule is None and export is not None:
            raise UnexpectedReply(
                f"{where}: it has ExportActive, and whether Total contains the export depends on the driver",
                hint="set export=subtracted (ADE7953, ADE7880: Shelly EM, 3EM) or export=separate (SDM, DDSU, DTSU)",
            )
        if export is None and self._rule in (ExportRule.SEPARATE, ExportRule.SUBTRACTED):
            raise UnexpectedReply(
                f"{where}: export={self._rule} needs ENERGY.ExportActive, and there is none",
                hint="set export=added, or export=none where nothing is ever exported",
            )
        return self._rule or ExportRule.ADDED


class TasmotaPages:
    """Tasmota's web server, polled with ``Status 0``. Where ``mac`` is given, any other device is refused."""

    def __init__(
        self, where: str, *, export: ExportRule | None = None, max_watts: int = MAX_WATTS, mac: str = ""
    ) -> None:
        self._where = where
        self._mac = mac
        self._energy = _Energy(export, max_watts)
        self._is_asked = False
        self._decoded = Decoded()

    def begin(self) -> None:
        """One request a poll: an ESP8266 answers one after the other."""
        self._is_asked, self._decoded = False, Decoded()

    def next_request(self) -> str | None:
        """``Status 0``, once."""
        was_asked, self._is_asked = self._is_asked, True
        return None if was_asked else _STATUS

    def receive(self, status: int, body: bytes) -> None:
        """The answer. Raises UnexpectedReply, AccessDenied."""
        where = f"{self._where}{_STATUS}"
        if status != 200:
            raise UnexpectedReply(f"{where}: HTTP status {status}, expected 200")
        document = parse_payload(body, where)
        # Without its password it answers 200 all the same, with a warning in place of the status.
        if "password" in text_of(document, "WARNING"):
            raise AccessDenied(
                f"{self._where}: the device refuses the user or the password", hint="docs/sources.md, credentials"
            )
        if text_of(document, "StatusFWR", "SDK") == "obk":
            raise UnexpectedReply(f"{where}: this is OpenBeken, not Tasmota", hint="use openbeken:// in its place")
        check_mac(document, self._mac, where)
        sensors = part_of(document, "StatusSNS")
        sample, registers = self._energy.decode(sensors, where)
        version = text_of(document, "StatusFWR", "Version")
        self._decoded = Decoded(
            sample=sample,
            registers=registers,
            evidence=BootEvidence(
                uptime_s=float_of(document, "StatusSTS", "UptimeSec"),
                revision=version,
                start_stamp=text_of(sensors, *_START),
                **_boot(document),
            ),
            quality=_quality(document, "StatusSTS"),
            is_simulated=is_marked_simulated(version),
            is_power_only=_has_no_total(sensors),
        )

    def finish(self) -> Decoded:
        """What the answer says."""
        return self._decoded


_START: Final = ("ENERGY", "TotalStartTime")


@dataclass(frozen=True, slots=True)
class TasmotaAddress:
    """Where a device publishes: prefixes in the order cmnd, stat, tele, and the words of its availability."""

    topic: str
    full_topic: str = _FULL_TOPIC
    prefixes: tuple[str, str, str] = ("cmnd", "stat", "tele")
    mac: str = ""
    hostname: str = ""
    online: str = "Online"

    def of(self, prefix: int, name: str) -> str:
        """A topic of the device: 0 is cmnd, 1 is stat, 2 is tele."""
        # Prefixes and pattern are settings of the device: a default in their place misses whoever has changed them.
        base = self.full_topic.replace("%prefix%", self.prefixes[prefix]).replace("%topic%", self.topic)
        return base.replace("%hostname%", self.hostname).replace("%id%", self.mac).rstrip("/") + f"/{name}"


class TasmotaTopics:
    """Tasmota behind a broker. ``name`` is its MAC, then its topics come from its discovery, or its topic."""

    def __init__(
        self,
        where: str,
        name: str,
        *,
        may_ask: bool = True,
        full_topic: str = _FULL_TOPIC,
        export: ExportRule | None = None,
        max_watts: int = MAX_WATTS,
    ) -> None:
        self._where = where
        self._may_ask = may_ask
        self._energy = _Energy(export, max_watts)
        is_mac = len(name) == _MAC_DIGITS and all(c in "0123456789ABCDEF" for c in name)
        self._discovery = f"tasmota/discovery/{name}/config" if is_mac else ""
        self._address = None if is_mac else TasmotaAddress(name, full_topic)
        self._evidence = PublishedEvidence()
        self._answered: set[str] = set()
        self._quality = LinkQuality()
        self._is_simulated = False

    def filters(self) -> Sequence[str]:
        """Discovery first where topics are not known yet."""
        if self._address is None:
            return (self._discovery,)
        telemetry = [self._address.of(2, name) for name in ("LWT", "STATE", "SENSOR", "INFO3")]
        asked = [self._address.of(1, f"STATUS{number}") for number in (1, 2, 8, 10, 11)]
        return [*filter(None, [self._discovery]), *telemetry, *(asked if self._may_ask else ())]

    def commands(self) -> Sequence[MqttCommand]:
        """Boot evidence first, then energy."""
        if self._address is None or not self._may_ask:
            return ()
        # Telemetry comes every 300 s unless a person has changed that, and up to an hour apart: so it is asked for.
        return [MqttCommand(self._address.of(0, "Status"), number) for number in ("1", "2", "11", "8")]

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        """One message. Raises UnexpectedReply."""
        where = f"{self._where} topic {printable(topic)}"
        if topic == self._discovery:
            self._discover(parse_payload(payload, where), where)
            return None
        name = topic.rpartition("/")[2]
        if name == "LWT":
            self._age()
            online = self._address.online if self._address else "Online"
            return Decoded(is_online=payload.decode("utf-8", errors="replace") == online)
        return self._receive_json(name, parse_payload(payload, where), where, is_retained=is_retained, at=at)

    def _receive_json(self, name: str, document: object, where: str, *, is_retained: bool, at: float) -> Decoded | None:
        self._answered.add(name)
        match name:
            case "SENSOR":
                return self._said(document, where, Freshness.RETAINED if is_retained else Freshness.PUSHED, at)
            case "STATUS8" | "STATUS10" if not is_retained:
                return self._said(part_of(document, "StatusSNS"), where, Freshness.POLLED, at)
            case "INFO3":  # the first thing after a boot: what was known of the boot before is history
                self._age()
                reason = text_of(document, "Info3", "RestartReason")
                self._evidence.say(reset_reason=reason, is_power_on=_is_power_on(reason))
            case "STATUS1":
                self._evidence.say(**_boot(document))
            case "STATUS2":
                version = text_of(document, "StatusFWR", "Version")
                self._evidence.say(revision=version)
                self._is_simulated |= is_marked_simulated(version)
            case "STATE" | "STATUS11":
                status = document if name == "STATE" else part_of(document, "StatusSTS")
                if not is_retained:
                    self._evidence.say_uptime(float_of(status, "UptimeSec"), at)
                self._quality = LinkQuality(signal_dbm=float_of(status, "Wifi", "Signal"))
        return None

    def _said(self, sensors: object, where: str, freshness: Freshness, at: float) -> Decoded:
        sample, registers = self._energy.decode(sensors, where)
        self._evidence.say(start_stamp=text_of(sensors, *_START))
        if self._may_ask and not {"STATUS1", "STATUS2", "STATUS11"} <= self._answered:
            registers = ()  # without what it says of its boot a total cannot be judged; it is asked for first
        return Decoded(
            sample=sample,
            registers=registers,
            evidence=self._evidence.beside(at, has_total=bool(registers)),
            quality=self._quality,
            freshness=freshness,
            is_simulated=self._is_simulated,
            is_power_only=freshness is not Freshness.RETAINED and _has_no_total(sensors),
        )

    def _age(self) -> None:
        """A new connection, perhaps after a boot: what must be asked for again before a total counts."""
        self._answered = set()
        self._evidence.forget_uptime()

    def _discover(self, document: object, where: str) -> None:
        config = part_of(document) or {}
        prefixes = config.get("tp")
        topic, full_topic = config.get("t"), config.get("ft")
        if not (
            isinstance(topic, str)
            and isinstance(full_topic, str)
            and isinstance(prefixes, list)
            and len(prefixes) == len(("cmnd", "stat", "tele"))
            and not {"+", "#"} & set(topic + full_topic + "".join(map(str, prefixes)))
        ):
            raise UnexpectedReply(
                f"{where}: expected t, ft and tp of Tasmota's discovery, got {printable(str(config))}"
            )
        self._address = TasmotaAddress(
            topic,
            full_topic,
            (str(prefixes[0]), str(prefixes[1]), str(prefixes[2])),
            mac=text_of(config, "mac"),
            hostname=text_of(config, "hn"),
            online=text_of(config, "onln") or "Online",
        )
        self._is_simulated |= is_marked_simulated(config.get("md"), config.get("sw"))


def _register(direction: Direction, max_watts: int) -> EnergyRegister:
    return EnergyRegister(
        name=direction.value,
        step_mwh=_STEP,
        direction=direction,
        # Flash is written at midnight and at a restart by command: a power cut
        # falls back to midnight, sometimes further (Tasmota#5473, #12683, #17854).
        persistence=Persistence.SAVED,
        max_counts_per_us=fastest(max_watts, _STEP),
        slack=_SLACK,
        # After a power cut the energy of yesterday may be added a second time (Tasmota#16791).
        may_rise=True,
    )


def _has_no_total(sensors: object) -> bool:
    """Whether the firmware counts no energy at all: one that does shows that of today too."""
    return not {"Total", "Today", "Yesterday"} & set(part_of(sensors, "ENERGY") or {})


def _sum(energy: Mapping[str, object], key: str, where: str) -> Decimal | None:
    """One value, or the sum over phases; None where the key is missing or a phase is unknown."""
    values = _phases(energy, key, where)
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(values) else None


def _phases(energy: Mapping[str, object], key: str, where: str) -> list[Decimal | None]:
    if key not in energy:
        return []
    # More than one phase makes lists, but not of a voltage or a frequency that all have in common.
    value = energy[key]
    if isinstance(value, list):
        return [find_number(energy, (key, phase), where, text_hint=None) for phase in range(len(value))]
    return [find_number(energy, (key,), where, text_hint=None)]


def _quantities(energy: Mapping[str, object], where: str) -> Quantities:
    """Power and current are sums over the phases, voltage is their mean; a factor of several phases says nothing."""
    volts = [value for value in _phases(energy, "Voltage", where) if value is not None]
    factors = _phases(energy, "Factor", where)
    return Quantities(
        volts=float(sum(volts) / len(volts)) if volts else None,
        amps=_float(_sum(energy, "Current", where)),
        watts=_float(_sum(energy, "Power", where)),
        hertz=next((_float(value) for value in _phases(energy, "Frequency", where)), None),
        power_factor=_float(factors[0]) if len(factors) == 1 else None,
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _boot(document: object) -> dict[str, Any]:
    """StatusPRM: the count of boots and the reason for the last one, as fields of the evidence."""
    count, reason = float_of(document, "StatusPRM", "BootCount"), text_of(document, "StatusPRM", "RestartReason")
    return {
        "boot_count": None if count is None else int(count),
        "reset_reason": reason,
        "is_power_on": _is_power_on(reason),
    }


def _is_power_on(reason: str) -> bool | None:
    return reason.lower().startswith("power") if reason else None


def _quality(document: object, key: str) -> LinkQuality:
    return LinkQuality(signal_dbm=float_of(document, key, "Wifi", "Signal"))
