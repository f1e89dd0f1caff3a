"""OpenBeken over HTTP and over MQTT: its pages, topics and totals.

What it says about energy. ``ConsumptionTotal`` of ``Status 8`` is watt-hours with six decimals, from a double in RAM
that is printed through a float: beyond 16 kWh it moves in steps of 2 mWh, beyond 4 MWh of 0.5 Wh, and never falls. A
flash save follows every 10 Wh, and a power cut falls back to the last one (class B). ``energycounter`` of MQTT is the
same number with three decimals, in kWh where flag 40 is set, and nothing on MQTT says whether it is: the link therefore
asks for ``Status 8`` there too, and takes ``energycounter`` only where it may not ask. The BL0942 counts the absolute
value of power, so that export is added (``sum``). BootCount and RestartReason of ``Status`` are constants: only uptime,
the page's reboot reason and the clear date are evidence. Source: openbeken/network.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Freshness, Persistence, fastest
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import (
    MAX_WATTS,
    UNIT_MWH,
    Decoded,
    LinkQuality,
    MqttCommand,
    count_of,
    is_marked_simulated,
    merged,
)
from wattrail.network_meters.mac_address import check_mac
from wattrail.network_meters.payload import find_number, float_of, number_of, parse_payload, part_of, text_of
from wattrail.network_meters.published_evidence import PublishedEvidence
from wattrail.sanitize import printable
from wattrail.units import Quantities

__all__ = ["OpenBekenPages", "OpenBekenTopics"]

_STATUS: Final = "/cm?cmnd=Status%200"
_INFO: Final = "/api/info"
_INDEX: Final = "/index?state=1"

_IS_POWER_SIGNED: Final = 1 << 25
"""Flag 25; the only place that shows it is /api/info, which has flags 0 to 31."""

_HTTP_STEP: Final = Fraction(1, 1000)
"""Six decimals of a watt-hour, in mWh."""

_ENERGY: Final = {
    "volts": ("Voltage",),
    "amps": ("Current",),
    "watts": ("Power",),
    "hertz": ("Frequency",),
    "power_factor": ("Factor",),
}
_TOPICS: Final = {
    "voltage": "volts",
    "current": "amps",
    "power": "watts",
    # The frequency has a number for a name, that of its sensor in Home Assistant's discovery.
    "138": "hertz",
    "power_factor": "power_factor",
}
_ROW: Final = re.compile(
    r"<tr><td><b>(?P<label>[^<]{1,40})</b></td><td[^>]{0,60}>\s*(?P<value>[^<]{1,30})</td><td>(?P<unit>[^<]{0,8})</td>"
)
_LABELS: Final = {
    "Voltage": "volts",
    "Current": "amps",
    "Power": "watts",
    "Frequency": "hertz",
    "Power Factor": "power_factor",
}
_TOTALS: Final = {"Energy Total", "Total Consumption"}
_REASON: Final = re.compile(r"Reboot reason: (?P<words>(?:\d{1,3} - )?(?P<text>[A-Za-z_ ]{1,40}))")
_POWER_ON: Final = frozenset({"Pwr", "POWER_ON", "ESP_RST_POWERON"})
"""Words of Beken, LN882H and Realtek, of ECR6600, of ESP32; the numbers before them differ by chip."""

_NO_REASON: Final = frozenset({"Unk", "Unknown", "ESP_RST_UNKNOWN", "ESP_RST_BROWNOUT", "UNKNOWN", "ERROR"})
_NO_CLOCK: Final = ("0000", "1970")
"""Years of a date that a device without a clock writes."""

_CLEARED: Final = re.compile(r"Energy Clear Date: (?P<date>\d[\d :T+-]{8,30})")

_UNSIGNED: Final = "power has no sign: export shows as 0 W and is booked as import; on the meter, set flag 25"


class OpenBekenPages:
    """The web server of OpenBeken, polled. ``meter`` 2 is the second one of a two-meter build.

    Where ``mac`` is given, the answers of any other device are refused.
    """

    def __init__(
        self,
        where: str,
        *,
        meter: int = 1,
        direction: Direction = Direction.SUM,
        max_watts: int = MAX_WATTS,
        mac: str = "",
    ) -> None:
        self._where = where
        self._mac = mac
        self._meter = meter
        step = _HTTP_STEP if meter == 1 else UNIT_MWH["kWh"] / 1000
        self._register = _register(direction, step, max_watts)
        self._queue: deque[str] = deque()
        self._asked = ""
        self._info: Mapping[str, object] | None = None
        self._page = ""
        self._uptime_s: float | None = None
        self._total: Decimal | None = None
        self._decoded = Decoded()

    def begin(self) -> None:
        """Ask for the state, and for what is only known from pages if that is not known yet."""
        self._queue = deque([_STATUS])
        self._decoded = Decoded()
        if self._info is None:
            # Its flags change with a person's hand only: once after
            # each boot is enough for a server that answers one by one.
            self._queue.append(_INFO)
        if not self._page or self._meter == 2:
            self._queue.append(_INDEX)

    def next_request(self) -> str | None:
        """The next path."""
        self._asked = self._queue.popleft() if self._queue else ""
        return self._asked or None

    def receive(self, status: int, body: bytes) -> None:
        """One answer. Raises UnexpectedReply."""
        where = f"{self._where}{self._asked}"
        if status != 200:
            raise UnexpectedReply(
                f"{where}: HTTP status {status}, expected 200: {_beginning(body)}",
                hint="check the address: OpenBeken answers 200 to everything",
            )
        if self._asked == _STATUS:
            self._receive_status(parse_payload(body, where), where)
        elif self._asked == _INFO:
            # Safe mode has no /api; it answers 200 with a page.
            found = parse_payload(body, where) if body.lstrip().startswith(b"{") else None
            self._info = part_of(found) or {}
        else:
            self._page = body.decode("utf-8", errors="replace")

    def finish(self) -> Decoded:
        """The state, with what the pages add. Raises UnexpectedReply."""
        decoded = self._decoded
        if self._meter == 2:
            sample, total = self._second_meter()
            decoded = replace(decoded, sample=sample, registers=(count_of(self._register, total, "kWh"),))
        return replace(decoded, evidence=_with_page(decoded.evidence, self._page), advice=self._advice())

    def _receive_status(self, document: object, where: str) -> None:
        # Its answers are shaped like Tasmota's, many fields with constants in them; this one tells the two apart.
        if text_of(document, "StatusFWR", "SDK") != "obk":
            raise UnexpectedReply(
                f"{where}: StatusFWR.SDK is '{printable(text_of(document, 'StatusFWR', 'SDK'))}', expected 'obk'",
                hint="this is not OpenBeken; use tasmota:// for Tasmota",
            )
        check_mac(document, self._mac, where)
        energy = _energy_object(document, where)
        uptime_s = float_of(document, "StatusSTS", "UptimeSec")
        total = find_number(energy, ("ConsumptionTotal",), where, text_hint=None)
        self._check_boot(uptime_s, total)
        version = text_of(document, "StatusFWR", "Version")
        self._decoded = Decoded(
            sample=_quantities(energy, where),
            registers=() if total is None else (count_of(self._register, total, "Wh"),),
            evidence=BootEvidence(uptime_s=uptime_s, revision=version),
            quality=_quality(document),
            is_simulated=is_marked_simulated(version),
        )

    def _check_boot(self, uptime_s: float | None, total: Decimal | None) -> None:
        """Read the page again where it may say something new: after a boot, and after the total was reset."""
        has_booted = uptime_s is not None and self._uptime_s is not None and uptime_s < self._uptime_s
        has_fallen = total is not None and self._total is not None and total < self._total
        if has_booted or has_fallen:
            self._page = ""  # asked for until it has come, also in a later poll
            if _INDEX not in self._queue:
                self._queue.append(_INDEX)
        if has_booted:
            self._info = None
        self._uptime_s, self._total = uptime_s, total

    def _second_meter(self) -> tuple[Quantities, Decimal]:
        """The second table of the page; the total there has 3 decimals of kWh."""
        seen: set[str] = set()
        second: dict[str, str] = {}
        for row in _ROW.finditer(self._page):
            label = row["label"].strip()
            if label in seen:
                second[label] = row["value"]
            seen.add(label)
        total = next((number_of(second[label], self._where) for label in _TOTALS & second.keys()), None)
        if total is None:
            raise UnexpectedReply(
                f"{self._where}{_INDEX}: expected the tables of two meters, got one", hint="drop meter=2 from the URL"
            )
        numbers = {_LABELS[name]: number_of(text, self._where) for name, text in second.items() if name in _LABELS}
        return Quantities(**{name: float(number) for name, number in numbers.items() if number is not None}), total

    def _advice(self) -> tuple[str, ...]:
        flags = text_of(self._info, "flags")
        # Printed as a signed number: flag 31 makes it negative, and the other bits stand in it as they should.
        if not flags.lstrip("-").isdecimal() or int(flags) & _IS_POWER_SIGNED:
            return ()
        return (_UNSIGNED,)


class OpenBekenTopics:
    """OpenBeken behind a broker; ``client`` is its MQTT client id.

    With ``may_ask`` energy comes from ``Status 8``, in watt-hours whatever flag 40 says. Without, and always for the
    second meter, from ``energycounter`` in ``unit``, which only the person can know.
    """

    def __init__(
        self,
        where: str,
        client: str,
        *,
        meter: int = 1,
        may_ask: bool = True,
        unit: str = "Wh",
        direction: Direction = Direction.SUM,
        max_watts: int = MAX_WATTS,
    ) -> None:
        self._where = where
        self._client = client
        self._suffix = "_b" if meter == 2 else ""
        self._may_ask = may_ask
        self._takes_status = may_ask and meter == 1
        self._unit = unit
        step = _HTTP_STEP if self._takes_status else UNIT_MWH[unit] / 1000
        self._register = _register(direction, step, max_watts)
        self._sample = Quantities()
        self._quality = LinkQuality()
        self._evidence = PublishedEvidence()
        self._answered: set[str] = set()
        self._is_simulated = False

    def filters(self) -> Sequence[str]:
        """Values with and without ``/get`` (flag 50), the availability, and the answers to ``Status``."""
        stat = f"stat/{self._client}"
        return (
            f"{self._client}/+",
            f"{self._client}/+/get",
            *(f"{stat}/STATUS{number}" for number in (2, 8, 11) if self._may_ask),
        )

    def commands(self) -> Sequence[MqttCommand]:
        """Firmware, uptime, then energy: when the energy comes, its evidence is there."""
        if not self._may_ask:
            return ()
        return [MqttCommand(f"cmnd/{self._client}/Status", number) for number in ("2", "11", "8")]

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        """One message. Raises UnexpectedReply."""
        where = f"{self._where} topic {printable(topic)}"
        if topic.startswith("stat/"):
            return None if is_retained else self._receive_status(topic, payload, where, at)
        # Not the second level: a person may write a client id of several.
        name = topic.removeprefix(f"{self._client}/").partition("/")[0]
        if name == "connected":
            # What was known of its boot is history, and firmware may be another one now.
            self._sample, self._answered = Quantities(), set()
            self._evidence.forget_uptime()
            return Decoded(is_online=payload == b"online")
        if not payload:  # somebody asks for a value; the device receives its own values back, and so do we
            return None
        text = payload[:64].decode("utf-8", errors="replace")
        return self._receive_value(name, text, where, Freshness.RETAINED if is_retained else Freshness.PUSHED, at)

    def _receive_status(self, topic: str, payload: bytes, where: str, at: float) -> Decoded | None:
        document, name = parse_payload(payload, where), topic.rpartition("/")[2]
        self._answered.add(name)
        if name == "STATUS2":
            version = text_of(document, "StatusFWR", "Version")
            self._is_simulated = is_marked_simulated(version)
            self._evidence.say(revision=version)
        elif name == "STATUS11":
            self._evidence.say_uptime(float_of(document, "StatusSTS", "UptimeSec"), at)
            self._quality = _quality(document)
        elif self._takes_status:
            energy = _energy_object(document, where)
            total = find_number(energy, ("ConsumptionTotal",), where, text_hint=None)
            self._sample = merged((self._sample, _quantities(energy, where)))
            # Without what it says of its boot a total cannot be judged; both are asked for first.
            has_evidence = {"STATUS2", "STATUS11"} <= self._answered
            self._answered.discard("STATUS11")
            return self._said(total if has_evidence else None, "Wh", Freshness.POLLED, at)
        return None

    def _receive_value(self, name: str, text: str, where: str, freshness: Freshness, at: float) -> Decoded | None:
        match name:
            case "uptime":
                if freshness is not Freshness.RETAINED:
                    self._evidence.say_uptime(_float(text, where), at)
            case "rssi":
                self._quality = replace(self._quality, signal_dbm=_float(text, where))
            case "temp":
                self._quality = replace(self._quality, device_celsius=_float(text, where))
            case "build":
                self._is_simulated |= is_marked_simulated(text)
            case "energycounter_clear_date":
                self._evidence.say(start_stamp=_date(text))
            case _ if name == f"energycounter{self._suffix}" and not self._takes_status:
                return self._said(number_of(text, where), self._unit, freshness, at)
            case _ if name.endswith(self._suffix) and name.removesuffix(self._suffix) in _TOPICS:
                return self._receive_quantity(_TOPICS[name.removesuffix(self._suffix)], text, where, freshness, at)
        return None

    def _receive_quantity(self, field: str, text: str, where: str, freshness: Freshness, at: float) -> Decoded | None:
        self._sample = replace(self._sample, **{field: _float(text, where)})
        return self._said(None, "Wh", freshness, at) if field == "watts" else None

    def _said(self, total: Decimal | None, unit: str, freshness: Freshness, at: float) -> Decoded:
        return Decoded(
            sample=self._sample,
            registers=() if total is None else (count_of(self._register, total, unit),),
            evidence=self._evidence.beside(at, has_total=total is not None),
            quality=self._quality,
            freshness=freshness,
            is_simulated=self._is_simulated,
        )


def _float(text: str, where: str) -> float | None:
    number = number_of(text, where)
    return None if number is None else float(number)


def _register(direction: Direction, step: Fraction, max_watts: int) -> EnergyRegister:
    return EnergyRegister(
        name=direction.value,
        step_mwh=step,
        direction=direction,
        # Saved every 10 Wh, and before a restart by command; a power cut falls back to that.
        persistence=Persistence.SAVED,
        max_counts_per_us=fastest(max_watts, step),
    )


def _energy_object(document: object, where: str) -> Mapping[str, object]:
    energy = part_of(document, "StatusSNS", "ENERGY")
    if energy is None:
        raise UnexpectedReply(
            f"{where}: expected StatusSNS.ENERGY, got none: no metering driver runs",
            hint="on the meter, run: startDriver BL0942SPI (PZIOT-E01), or startDriver BL0942 for a UART meter",
        )
    return energy


def _quantities(energy: Mapping[str, object], where: str) -> Quantities:
    numbers = {
        name: find_number(energy, path, where, text_hint=None) for name, path in _ENERGY.items() if path[0] in energy
    }
    return Quantities(**{name: float(number) for name, number in numbers.items() if number is not None})


def _quality(document: object) -> LinkQuality:
    signal = float_of(document, "StatusSTS", "Wifi", "Signal")
    return LinkQuality(signal_dbm=signal, device_celsius=float_of(document, "StatusSNS", "ESP32", "Temperature"))


def _with_page(evidence: BootEvidence, page: str) -> BootEvidence:
    """Reboot reason and clear date, the two things that only the page says."""
    reason, cleared = _REASON.search(page), _CLEARED.search(page)
    text = reason["text"].strip() if reason else ""
    return replace(
        evidence,
        reset_reason=reason["words"].strip() if reason else "",
        is_power_on=text in _POWER_ON if text and text not in _NO_REASON else None,
        start_stamp=_date(cleared["date"]) if cleared else "",
    )


def _date(text: str) -> str:
    """A date as the device writes it; empty where its clock was never set: such a date proves no reset."""
    return "" if text.startswith(_NO_CLOCK) else printable(text.strip(), limit=40)


def _beginning(body: bytes) -> str:
    return f"'{printable(body[:80].decode('utf-8', errors='replace'), limit=60)}'"
