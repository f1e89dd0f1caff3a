"""Scenarios: TOML files that say what the mains and the house behind them do. The format is in docs/twin.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from wattrail.errors import ConfigError
from wattrail.files import parse_toml, read_text
from wattrail.sanitize import printable
from wattrail.twin.loads import Harmonic, HouseholdLoad, LoadKind, LoadSchedule, Photovoltaics
from wattrail.twin.mains import GridSupply, Mains
from wattrail.twin.noise import Noise

__all__ = ["load_scenario", "parse_scenario", "scenario_names"]

_CLOUDS = 64  # noise stream of the first source; the next ones follow

_MAINS = {"volts", "hertz", "volts_swing", "hertz_swing", "noise_percent", "harmonics"}
_LOAD = {"name", "watts", "pf", "kind", "at", "minutes", "every_minutes", "offset_minutes", "harmonics"}
_SOURCE = {"name", "watts", "sunrise", "sunset", "clouds", "cloud_minutes"}
_HARMONIC = {"order", "percent", "degrees"}


def scenario_names() -> list[str]:
    """The scenarios that come with the twin."""
    folder = files("wattrail.twin") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_scenario(name: str, *, starts_at: float = 0.0, seed: int = 0) -> Mains:
    """The mains of a scenario by its name, or of a file by its path (anything ending in .toml).

    Raises FileError for a file that cannot be read, ConfigError for an unknown name or a field that does not fit.
    """
    if name.endswith(".toml"):
        text = read_text(Path(name))
    elif name in scenario_names():
        text = (files("wattrail.twin") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        close = get_close_matches(name, scenario_names(), n=1)
        raise ConfigError(
            f"no scenario {name!r}; known: {', '.join(scenario_names())}",
            hint=f"did you mean {close[0]}?" if close else "a file of your own ends in .toml",
        )
    return parse_scenario(text, where=name, starts_at=starts_at, seed=seed)


def parse_scenario(text: str, *, where: str, starts_at: float = 0.0, seed: int = 0) -> Mains:
    """The mains a scenario's text describes. Raises ConfigError naming ``where`` and the field."""
    document = parse_toml(text, f"scenario {where}: not TOML")
    root = _Table(document, where, {"title", "mains", "loads", "sources"})
    root.text("title", "")
    loads = [_load(table) for table in root.tables("loads", _LOAD)]
    sources = [_source(table, seed, n) for n, table in enumerate(root.tables("sources", _SOURCE))]
    seen: set[str] = set()
    for load in loads:
        if load.name in seen:
            raise ConfigError(f"scenario {where}: loads: the name {_shown(load.name)} stands twice")
        seen.add(load.name)
    return Mains(_supply(root.table("mains", _MAINS)), loads, sources, starts_at=starts_at, seed=seed)


def _shown(value: object) -> str:
    return printable(repr(value), limit=80)


def _supply(table: _Table) -> GridSupply:
    return GridSupply(
        volts=table.number("volts", 230.0, 0, 500),
        hertz=table.number("hertz", 50.0, 40, 70),
        volts_swing=table.number("volts_swing", 0.0, 0, 100),
        hertz_swing=table.number("hertz_swing", 0.0, 0, 5),
        noise=table.number("noise_percent", 0.0, 0, 10) / 100,
        harmonics=_harmonics(table),
    )


def _load(table: _Table) -> HouseholdLoad:
    kind = table.text("kind", LoadKind.RESISTIVE.value)
    if kind not in {k.value for k in LoadKind}:
        raise table.wrong("kind", f"{_shown(kind)} is none of {', '.join(k.value for k in LoadKind)}")
    power_factor = table.number("pf", 1.0, 0.01, 1.0)
    if kind == LoadKind.RESISTIVE.value and power_factor != 1.0:
        raise table.wrong("pf", "a resistive load has 1.0; say inductive, capacitive or electronic")
    return HouseholdLoad(
        name=table.text("name"),
        watts=table.number("watts", None, 0.01, 100_000),
        power_factor=power_factor,
        kind=LoadKind(kind),
        schedule=_schedule(table),
        harmonics=_harmonics(table),
    )


def _schedule(table: _Table) -> LoadSchedule:
    starts, every = table.times("at"), 60 * table.number("every_minutes", 0.0, 0, 1440)
    lasts = 60 * table.number("minutes", 0.0, 0, 1440)
    if starts and every:
        raise table.wrong("at", "cannot stand together with every_minutes")
    if (starts or every) and not lasts:
        raise table.wrong("minutes", "is missing: how long is it on?")
    if lasts and not (starts or every):
        raise table.wrong("minutes", "needs at or every_minutes")
    return LoadSchedule(starts, lasts, every, 60 * table.number("offset_minutes", 0.0, 0, 1440))


def _source(table: _Table, seed: int, number: int) -> Photovoltaics:
    sunrise, sunset = table.time("sunrise", "06:00"), table.time("sunset", "20:00")
    if sunset <= sunrise:
        raise table.wrong("sunset", "must be after sunrise")
    return Photovoltaics(
        name=table.text("name"),
        peak_watts=table.number("watts", None, 0, 100_000),
        sunrise=sunrise,
        sunset=sunset,
        clouds=table.number("clouds", 0.0, 0, 1),
        cloud_s=60 * table.number("cloud_minutes", 5.0, 0.1, 600),
        noise=Noise([seed], _CLOUDS + number),
    )


def _harmonics(table: _Table) -> tuple[Harmonic, ...]:
    return tuple(
        Harmonic(
            order=int(entry.number("order", None, 2, 49)),
            ratio=entry.number("percent", None, 0, 100) / 100,
            phase=math.radians(entry.number("degrees", 0.0, -360, 360)),
        )
        for entry in table.tables("harmonics", _HARMONIC)
    )


class _Table:
    """One table of the file, which knows where it stands and refuses what it does not know."""

    def __init__(self, content: object, where: str, known: set[str]) -> None:
        self._where = where
        if not isinstance(content, Mapping):
            raise ConfigError(f"scenario {where}: must be a table")
        self._content: Mapping[str, object] = content
        for name in self._content:
            if name not in known:
                raise ConfigError(
                    f"scenario {where}: unknown field {_shown(name)}", hint=f"known: {', '.join(sorted(known))}"
                )

    def wrong(self, name: str, why: str) -> ConfigError:
        return ConfigError(f"scenario {self._where}: {name}: {why}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._content.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "is missing" if value is None else f"must be text, got {_shown(value)}")
        return value

    def number(self, name: str, default: float | None, low: float, high: float) -> float:
        value = self._content.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "is missing" if value is None else f"must be a number, got {_shown(value)}")
        if not low <= value <= high:
            raise self.wrong(name, f"must be from {low:g} to {high:g}, got {_shown(value)}")
        return float(value)

    def time(self, name: str, default: str) -> float:
        return self._seconds(name, self._content.get(name, default))

    def times(self, name: str) -> tuple[float, ...]:
        value = self._content.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list of times, got {_shown(value)}")
        return tuple(self._seconds(name, entry) for entry in value)

    def table(self, name: str, known: set[str]) -> _Table:
        return _Table(self._content.get(name, {}), f"{self._where}: {name}", known)

    def tables(self, name: str, known: set[str]) -> list[_Table]:
        value = self._content.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list of tables, got {_shown(value)}")
        return [_Table(entry, f"{self._where}: {name}[{n}]", known) for n, entry in enumerate(value)]

    def _seconds(self, name: str, value: object) -> float:
        try:
            return seconds_of_day(value if isinstance(value, str) else "")
        except ValueError:
            raise self.wrong(name, f'must be a time like "07:30", got {_shown(value)}') from None


def seconds_of_day(text: str) -> float:
    """Seconds after midnight of a time like 07:30. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(minutes) == 2 and hours.isdecimal() and minutes.isdecimal()):
        raise ValueError(f"{text!r} is not a time like 07:30")
    if int(hours) > 24 or int(minutes) > 59 or (int(hours) == 24 and int(minutes)):
        raise ValueError(f"{text!r} is not a time of day")
    return int(hours) * 3600.0 + int(minutes) * 60.0
