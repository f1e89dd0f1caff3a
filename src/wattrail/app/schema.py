"""The fields of ``wattrail.toml``: their types, their bounds, and what each is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from wattrail.app.alarm_schema import AlarmSection, check_alarms
from wattrail.app.publish_schema import PublishSection
from wattrail.app.virtual_schema import VirtualSection, require_members
from wattrail.calibration import MAX_CONSTANT, MIN_CONSTANT, Calibration
from wattrail.chips import CHIPS
from wattrail.database_address import parse_address
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway.plan import MeterPlan
from wattrail.sources import check_source_url, is_source
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import Section
from wattrail.transport import check_url
from wattrail.urls import METER_NAME, innermost

__all__ = ["CalibrationSection", "Config", "MeterSection", "SafetySection", "SiteSection", "StoreSection", "WebSection"]


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
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name!r}; write one such as Europe/Berlin") from error
    return name


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


def _constant(value: float) -> float:
    """Within the limits of Calibration; checked as given, since an integer of hundreds of digits overflows a float."""
    if not MIN_CONSTANT <= value <= MAX_CONSTANT:
        raise ValueError(f"must be from {MIN_CONSTANT:g} to {MAX_CONSTANT:g}")
    return value


Constant = Annotated[float, AfterValidator(_constant)]


_ALIKE = {"twin", "replay"}
"""Schemes whose URL may stand twice: each meter gets a simulation or a replay of its own."""


class CalibrationSection(Section):
    """Counts per volt, ampere and watt of one meter, as ``wattrail meter calibrate`` measures them."""

    counts_per_volt: Constant
    counts_per_amp: Constant
    counts_per_watt: Constant


class MeterSection(Section):
    """One ``[[meter]]``."""

    name: Annotated[str, AfterValidator(_name)]
    url: Annotated[str, AfterValidator(_url)]
    address: Annotated[int, Field(ge=0, le=3)] = 0
    chip: Annotated[str, AfterValidator(_chip)] | None = None
    front_end: Annotated[str, AfterValidator(_front_end)] | None = None
    calibration: CalibrationSection | None = None
    inverted: bool = False
    poll_s: Annotated[float, Field(ge=0.2, le=3600)] = 1.0

    @model_validator(mode="after")
    def _scaled_once(self) -> Self:
        if self.front_end and self.calibration:
            raise ValueError("front_end and calibration both set the scale; keep one of them")
        return self

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        self.planned()
        return self

    def planned(self) -> MeterPlan:
        """The meter to read. Raises ConfigError for values that do not fit together."""
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
    """``[store]``."""

    path: Annotated[str, AfterValidator(_path)] | None = None
    url: Annotated[str, AfterValidator(_server_url)] | None = None

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if self.path and self.url:
            raise ValueError("path and url both name the database; keep one of them")
        return self


class WebSection(Section):
    """``[web]``."""

    host: str | None = None
    port: Annotated[int, Field(ge=0, le=65535)] | None = None


class SiteSection(Section):
    """``[site]``."""

    timezone: Annotated[str, AfterValidator(_timezone)] | None = None


class SafetySection(Section):
    """``[safety]``."""

    confirmed: Literal["mains-off", "isolated"] | None = None


class Config(Section):
    """The whole file."""

    meter: list[MeterSection] = Field(default_factory=list)
    store: StoreSection = StoreSection()
    web: WebSection = WebSection()
    site: SiteSection = SiteSection()
    safety: SafetySection = SafetySection()
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
    def _read_once(self) -> Self:
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
