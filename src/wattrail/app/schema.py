"""The fields of ``wattrail.toml``: their types, their bounds, and what each is for."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic.fields import FieldInfo

from wattrail.app.alarm_schema import AlarmSection, check_alarms
from wattrail.app.publish_schema import PublishSection, existing_file
from wattrail.app.virtual_schema import VirtualSection, require_members
from wattrail.calibration import MAX_CONSTANT, MIN_CONSTANT, Calibration
from wattrail.chips import CHIPS
from wattrail.database_address import parse_address
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway.plan import MeterPlan
from wattrail.sources import check_source_url, is_source
from wattrail.store import DEFAULT_RETENTION, Retention
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import FILE, METER, Section, form_hint, one_of
from wattrail.transport import SCHEMES, check_url
from wattrail.urls import METER_NAME, innermost

__all__ = [
    "CalibrationSection",
    "Config",
    "LogSection",
    "MeterSection",
    "SafetySection",
    "SiteSection",
    "StoreSection",
    "WebSection",
]


FOREVER_TEXT: Final = "for ever"
MAX_KEPT_DAYS: Final = 36_600
_WIRED_SCHEMES: Final = [name for name, scheme in SCHEMES.items() if scheme.reach == "wire"]
"""A century."""

# The longest month and year: nothing goes earlier than was written.
_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_KEPT: Final = re.compile(r"(?P<count>[1-9][0-9]{0,4}) (?P<unit>day|week|month|year)s?")


def _name(text: str) -> str:
    if not METER_NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} cannot be the name of a meter: use letters, digits, dot, dash and underscore, at most 64"
        )
    return text


def _front_end(name: str) -> str:
    if name not in FRONT_ENDS:
        raise ValueError(f"unknown front end {name!r}; known: {', '.join(FRONT_ENDS)}")
    return name


def _chip(name: str) -> str:
    if name not in CHIPS:
        raise ValueError(f"unknown chip {name!r}; known: {', '.join(CHIPS)}")
    return name


def _timezone(name: str) -> str:
    try:
        # Looked up in the data of this machine, which may lack a zone that others have.
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name!r}; write one such as Europe/Berlin") from error
    return name


def _host_name(text: str) -> str:
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name: write it without scheme and port, such as meters.example.org")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address or a network, such as 127.0.0.1 or 172.18.0.0/16") from error
    return text


def _url(text: str) -> str:
    return check_source_url(text) if is_source(text) else check_url(text)


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("must be the path of a file")
    return text


def _server_url(text: str) -> str:
    if isinstance(parse_address(text), Path):
        raise ValueError("must be the URL of a server's database, as postgresql://host/database; a file is a path")
    return text


def _keep(value: object) -> timedelta | None:
    """``14 days``, ``3 years`` or ``for ever``."""
    if value == FOREVER_TEXT:
        return None
    found = _KEPT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1 <= (days := int(found["count"]) * _DAYS[found["unit"]]) <= MAX_KEPT_DAYS:
        raise ValueError(f'must be a time such as "14 days" or "3 years", or "{FOREVER_TEXT}", got {value!r}')
    return timedelta(days=days)


def _constant(value: float) -> float:
    """Within the limits of Calibration; checked as given, since an integer of hundreds of digits overflows a float."""
    if not MIN_CONSTANT <= value <= MAX_CONSTANT:
        raise ValueError(f"must be from {MIN_CONSTANT:g} to {MAX_CONSTANT:g}")
    return value


def usual(kept: timedelta | None) -> FieldInfo:
    """The usual time of a field as it is written, for its form."""
    text = FOREVER_TEXT if kept is None else f"{kept.days} days"
    return form_hint(default=text)


_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")

Keep = Annotated[timedelta | None, BeforeValidator(_keep), WithJsonSchema({"type": "string"})]
Constant = Annotated[float, AfterValidator(_constant)]


_ALIKE = {"twin", "replay"}
"""Schemes whose URL may stand twice: each meter gets a simulation or a replay of its own."""


class CalibrationSection(Section):
    """Counts per volt, ampere and watt of one meter, as ``wattrail meter calibrate`` measures them."""

    counts_per_volt: Constant
    """Counts per volt."""
    counts_per_amp: Constant
    """Counts per ampere."""
    counts_per_watt: Constant
    """Counts per watt."""


class MeterSection(Section):
    """One ``[[meter]]``."""

    name: Annotated[str, AfterValidator(_name)]
    """Name. What it measures is kept under it."""
    # The page asks for the wiring where saving would: of a port of this machine, not of an adapter on the network.
    url: Annotated[str, AfterValidator(_url), form_hint(wired_schemes=_WIRED_SCHEMES)]
    """Where the meter is, as a URL."""
    address: Annotated[int, Field(ge=0, le=3)] = 0
    """Address of the chip on a shared UART."""
    chip: Annotated[str, AfterValidator(_chip), one_of(CHIPS)] | None = None
    """Metering chip."""
    front_end: Annotated[str, AfterValidator(_front_end), one_of(FRONT_ENDS)] | None = None
    """Known parts around the chip, which set its scale."""
    calibration: CalibrationSection | None = None
    """Measured constants, in place of known parts."""
    inverted: bool = False
    """The wire passes the meter in the other direction."""
    poll_s: Annotated[float, Field(ge=0.2, le=3600)] = 1.0
    """Seconds from one reading to the next."""

    @model_validator(mode="after")
    def _scaled_once(self) -> Self:
        if self.front_end and self.calibration:
            raise ValueError("front_end and calibration both set the scale; keep one of them")
        return self

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        # Made for its errors, which then name this section and its line.
        self.planned()
        return self

    def planned(self) -> MeterPlan:
        """The meter to read. Raises ConfigError for values that do not fit together."""
        # A source on the network has a pace of its own, unless somebody has set one.
        return MeterPlan(
            name=self.name, url=self.url, front_end=self.front_end, calibration=self.scale(), address=self.address,
            chip=self.chip, inverted=self.inverted, poll_s=self.poll_s if "poll_s" in self.model_fields_set else 0.0,
        )  # fmt: skip

    @model_validator(mode="after")
    def _one_chip(self) -> Self:
        named = innermost(self.url).query.get("chip")
        if named is not None and named not in CHIPS:
            raise ValueError(f"url names an unknown chip {named!r}; known: {', '.join(CHIPS)}")
        if None not in (named, self.chip) and named != self.chip:
            raise ValueError(f"url says chip={named}, and chip says {self.chip}; keep one of them")
        return self

    def scale(self) -> Calibration | None:
        """The measured constants, or None."""
        return Calibration(**self.calibration.model_dump()) if self.calibration else None


class StoreSection(Section):
    """``[store]``: the database, and how long readings and what they add up to are kept."""

    path: Annotated[str, AfterValidator(_path), FILE] | None = None
    """Database file. Another one needs a restart."""
    url: Annotated[str, AfterValidator(_server_url)] | None = None
    """PostgreSQL database, in place of the file. Another one needs a restart."""

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if self.path and self.url:
            raise ValueError("path and url both name the database; keep one of them")
        return self

    keep_readings: Annotated[Keep, usual(DEFAULT_RETENTION.readings)] = DEFAULT_RETENTION.readings
    """How long every reading is kept, such as 14 days, 3 months or for ever."""
    keep_minutes: Annotated[Keep, usual(DEFAULT_RETENTION.minutes)] = DEFAULT_RETENTION.minutes
    """How long the values of each minute are kept."""
    keep_quarter_hours: Annotated[Keep, usual(DEFAULT_RETENTION.quarter_hours)] = DEFAULT_RETENTION.quarter_hours
    """How long the values of each quarter hour are kept."""
    keep_hours: Annotated[Keep, usual(DEFAULT_RETENTION.hours)] = DEFAULT_RETENTION.hours
    """How long the values of each hour are kept."""
    keep_days: Annotated[Keep, usual(DEFAULT_RETENTION.days)] = DEFAULT_RETENTION.days
    """How long the values of each day are kept."""

    def retention(self) -> Retention:
        """How long each is kept."""
        return Retention(
            readings=self.keep_readings, minutes=self.keep_minutes, quarter_hours=self.keep_quarter_hours,
            hours=self.keep_hours, days=self.keep_days,
        )  # fmt: skip


class WebSection(Section):
    """``[web]``."""

    host: str | None = None
    """Address at which the page is served; 0.0.0.0 is every network. Another one needs a restart."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """TCP port of the page. Another one needs a restart."""


class SiteSection(Section):
    """``[site]``: its time zone, its meters, and how the page is reached there.

    ``grid`` and ``solar`` are the meters between house and grid, and behind the roof. ``names`` are host names of the
    page beside the machine's own. ``trusted_proxies`` are believed about a visitor.
    """

    timezone: Annotated[str, AfterValidator(_timezone)] | None = None
    """Time zone, where days begin and end. Another one needs a restart."""
    grid: Annotated[str, METER] | None = None
    """Meter between the house and the grid."""
    solar: Annotated[str, METER] | None = None
    """Meter behind the roof."""
    names: list[Annotated[str, AfterValidator(_host_name)]] = Field(default_factory=list)
    """Host names of the page, beside this machine's own."""
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = Field(default_factory=list)
    """Addresses or networks of reverse proxies that are believed about their visitors."""
    certificate: Annotated[str, AfterValidator(_path), FILE] | None = None
    """PEM file of the certificate, for TLS."""
    key: Annotated[str, AfterValidator(_path), FILE] | None = None
    """PEM file of its key."""

    @model_validator(mode="after")
    def _both_for_tls(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            missing = "certificate" if self.certificate is None else "key"
            raise ValueError(f"TLS needs certificate and key: {missing} is missing")
        return self

    tariffs: list[Annotated[str, AfterValidator(existing_file), FILE]] = Field(default_factory=list)
    """Tariff files, which say what energy costs."""


class LogSection(Section):
    """``[log]``."""

    format: Literal["text", "json"] = "text"
    """Form of the lines of the log."""
    level: Literal["debug", "info", "warning", "error"] = "warning"
    """What is logged."""
    redact: bool = False
    """Names, addresses and places are replaced in the log, so that it can be shown to others."""


class SafetySection(Section):
    """``[safety]``."""

    confirmed: Literal["mains-off", "isolated"] | None = None
    """How wired meters are kept off the mains."""


class Config(Section):
    """The whole file."""

    meter: list[MeterSection] = Field(default_factory=list)
    store: StoreSection = StoreSection()
    web: WebSection = WebSection()
    site: SiteSection = SiteSection()
    safety: SafetySection = SafetySection()
    log: LogSection = LogSection()
    publish: PublishSection = PublishSection()
    alarm: list[AlarmSection] = Field(default_factory=list)
    virtual: list[VirtualSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [meter.name for meter in self.meter]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise field_error(
                    ("meter", index, "name"),
                    f"a second meter is named {name!r}",
                    hint="give every meter a name of its own: what it measured is kept under that name",
                )
        require_members(names, self.virtual)
        return self

    @model_validator(mode="after")
    def _alarms_fit(self) -> Self:
        check_alarms(self.alarm, [*(meter.name for meter in self.meter), *(virtual.name for virtual in self.virtual)])
        return self

    @model_validator(mode="after")
    def _house_is_metered(self) -> Self:
        known = [*(meter.name for meter in self.meter), *(virtual.name for virtual in self.virtual)]
        for field in ("grid", "solar"):
            name = getattr(self.site, field)
            if name is not None and name not in known:
                raise field_error(
                    ("site", field), f"there is no meter {name!r}", hint=f"known: {', '.join(known) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _read_once(self) -> Self:
        # By address too: several chips may share a UART.
        places = [(meter.url, meter.address) for meter in self.meter]
        for index, place in enumerate(places):
            if place in places[:index] and innermost(place[0]).scheme not in _ALIKE:
                first = self.meter[places.index(place)].name
                raise field_error(
                    ("meter", index, "url"),
                    f"meter {first!r} is read there too, and its energy would be counted twice",
                    hint="keep one of the two, or give this one the url or address of its own meter",
                )
        return self
