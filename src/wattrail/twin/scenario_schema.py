"""The tables of a scenario file, and the mains that they describe. Imported when a scenario is read: needs pydantic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import Section
from wattrail.twin.loads import Harmonic, HouseholdLoad, LoadKind, LoadSchedule, Photovoltaics, seconds_of_day
from wattrail.twin.mains import GridSupply, Mains
from wattrail.twin.noise import Noise

__all__ = ["ScenarioFile"]

_CLOUDS = 64  # noise stream of the first source; the next ones follow


def _time(value: object) -> float:
    try:
        return seconds_of_day(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f'must be a time like "07:30", got {value!r}') from None


def _between(low: float, high: float) -> AfterValidator:
    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}")
        return value

    return AfterValidator(check)


Time = Annotated[float, BeforeValidator(_time)]
Minutes = Annotated[float, _between(0, 1440)]


class HarmonicSection(Section):
    """One of ``harmonics``, relative to its fundamental."""

    order: Annotated[int, _between(2, 49)]
    percent: Annotated[float, _between(0, 100)]
    degrees: Annotated[float, _between(-360, 360)] = 0.0

    def harmonic(self) -> Harmonic:
        """The harmonic of the twin."""
        return Harmonic(order=self.order, ratio=self.percent / 100, phase=math.radians(self.degrees))


class MainsSection(Section):
    """``[mains]``."""

    volts: Annotated[float, _between(0, 500)] = 230.0
    hertz: Annotated[float, _between(40, 70)] = 50.0
    volts_swing: Annotated[float, _between(0, 100)] = 0.0
    hertz_swing: Annotated[float, _between(0, 5)] = 0.0
    noise_percent: Annotated[float, _between(0, 10)] = 0.0
    harmonics: list[HarmonicSection] = Field(default_factory=list)

    def supply(self) -> GridSupply:
        """The supply of the twin."""
        return GridSupply(
            volts=self.volts,
            hertz=self.hertz,
            volts_swing=self.volts_swing,
            hertz_swing=self.hertz_swing,
            noise=self.noise_percent / 100,
            harmonics=_harmonics(self.harmonics),
        )


class LoadSection(Section):
    """One of ``[[loads]]``."""

    name: str
    watts: Annotated[float, _between(0.01, 100_000)]
    pf: Annotated[float, _between(0.01, 1.0)] = 1.0
    kind: Annotated[LoadKind, Field(strict=False)] = LoadKind.RESISTIVE
    at: list[Time] = Field(default_factory=list)
    minutes: Minutes = 0.0
    every_minutes: Minutes = 0.0
    offset_minutes: Minutes = 0.0
    harmonics: list[HarmonicSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        # Without this a kettle of pf 0.9 would draw reactive power, and nobody had asked for that.
        if self.kind is LoadKind.RESISTIVE and self.pf != 1.0:
            raise field_error(("pf",), "a resistive load has 1.0; write kind inductive, capacitive or electronic")
        if self.at and self.every_minutes:
            raise field_error(("at",), "excludes every_minutes; keep one of them")
        if (self.at or self.every_minutes) and not self.minutes:
            raise field_error(("minutes",), "this field is missing: write how long the load is on")
        if self.minutes and not (self.at or self.every_minutes):
            raise field_error(("minutes",), "needs at or every_minutes")
        return self

    def load(self) -> HouseholdLoad:
        """The load of the twin."""
        return HouseholdLoad(
            name=self.name,
            watts=self.watts,
            power_factor=self.pf,
            kind=self.kind,
            schedule=LoadSchedule(tuple(self.at), 60 * self.minutes, 60 * self.every_minutes, 60 * self.offset_minutes),
            harmonics=_harmonics(self.harmonics),
        )


class SourceSection(Section):
    """One of ``[[sources]]``: a photovoltaic roof."""

    name: str
    watts: Annotated[float, _between(0, 100_000)]
    sunrise: Time = 6 * 3600.0
    sunset: Time = 20 * 3600.0
    clouds: Annotated[float, _between(0, 1)] = 0.0
    cloud_minutes: Annotated[float, _between(0.1, 600)] = 5.0

    @model_validator(mode="after")
    def _has_a_day(self) -> Self:
        if self.sunset <= self.sunrise:
            raise field_error(("sunset",), "must be after sunrise")
        return self

    def source(self, seed: int, number: int) -> Photovoltaics:
        """The source of the twin."""
        return Photovoltaics(
            name=self.name,
            peak_watts=self.watts,
            sunrise=self.sunrise,
            sunset=self.sunset,
            clouds=self.clouds,
            cloud_s=60 * self.cloud_minutes,
            noise=Noise([seed], _CLOUDS + number),
        )


class ScenarioFile(Section):
    """The whole file."""

    title: str = ""
    mains: MainsSection = MainsSection()
    loads: list[LoadSection] = Field(default_factory=list)
    sources: list[SourceSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _loads_are_named_once(self) -> Self:
        seen: set[str] = set()
        for number, load in enumerate(self.loads):
            if load.name in seen:
                raise field_error(("loads", number, "name"), f"another load is named {load.name!r}; rename one")
            seen.add(load.name)
        return self

    def build(self, *, starts_at: float, seed: int) -> Mains:
        """The mains, from a second of the day on."""
        return Mains(
            self.mains.supply(),
            [load.load() for load in self.loads],
            [source.source(seed, number) for number, source in enumerate(self.sources)],
            starts_at=starts_at,
            seed=seed,
        )


def _harmonics(sections: Sequence[HarmonicSection]) -> tuple[Harmonic, ...]:
    return tuple(section.harmonic() for section in sections)
