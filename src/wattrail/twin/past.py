"""A generated past of a scenario, by quarter hours: what a meter would have seen. Nothing in it was measured.

A scenario is one bright day. The past repeats it with what makes a year readable: days that differ, weekends, a
holiday, and a winter half a year away, with a low sun and more heating. So its last days look like the twin that goes
on from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import numpy as np

from wattrail.twin.loads import DAY_S, Photovoltaics
from wattrail.twin.mains import Mains, MainsState
from wattrail.twin.noise import FloatArray, IntArray, Noise

__all__ = ["QUARTER_S", "Extremes", "QuarterHours", "generate_past"]

QUARTER_S: Final = 900
_SAMPLE_S: Final = 30.0
"""Grain of the physics: a kettle of three minutes is six samples."""

_SAMPLES: Final = round(QUARTER_S / _SAMPLE_S)
_CHUNK: Final = 10 * 96  # quarter hours computed at once: ten days, 30,000 samples
_DAY_NOISE: Final = 7
_YEAR_D: Final = 365.25
_HOLIDAY_D: Final = (196, 210)
"""Days ago between which nobody is at home."""

_HEATING_W: Final = 650.0
"""More of it at the other end of the year, as a mean."""


@dataclass(frozen=True, slots=True)
class Extremes:
    """Lowest, mean and highest value of each quarter hour."""

    lowest: FloatArray
    mean: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, samples: FloatArray) -> Extremes:
        """Of samples in rows, one row a quarter hour."""
        return cls(samples.min(axis=1), samples.mean(axis=1), samples.max(axis=1))

    @classmethod
    def joined(cls, parts: list[Extremes]) -> Extremes:
        """One after the other."""
        rows = ([getattr(part, name) for part in parts] for name in ("lowest", "mean", "highest"))
        return cls(*(np.concatenate(row) for row in rows))


@dataclass(frozen=True, slots=True)
class QuarterHours:
    """Quarter hours of UTC without a hole; ``starts`` in seconds since 1970, energy in watt-hours, power in watts."""

    starts: IntArray
    import_wh: FloatArray
    export_wh: FloatArray
    watts: Extremes
    volts: Extremes
    hertz: Extremes


def generate_past(
    mains: Mains, *, until: datetime, days: int, zone: tzinfo | None = None, seed: int = 0
) -> QuarterHours:
    """The quarter hours of the ``days`` days before ``until``. ``zone`` is that of the house; None: the machine's."""
    end = int(until.timestamp()) // QUARTER_S * QUARTER_S
    starts = np.arange(end - days * 96 * QUARTER_S, end, QUARTER_S, dtype=np.int64)
    house = _House(mains, until=end, zone=zone, seed=seed)
    parts = [house.quarters(starts[first : first + _CHUNK]) for first in range(0, len(starts), _CHUNK)]
    return QuarterHours(
        starts=starts,
        import_wh=np.concatenate([part.import_wh for part in parts]),
        export_wh=np.concatenate([part.export_wh for part in parts]),
        watts=Extremes.joined([part.watts for part in parts]),
        volts=Extremes.joined([part.volts for part in parts]),
        hertz=Extremes.joined([part.hertz for part in parts]),
    )


class _House:
    """The house of a scenario through a year."""

    def __init__(self, mains: Mains, *, until: int, zone: tzinfo | None, seed: int) -> None:
        # Noise of every tick would be a billion deviates for a year, and is averaged out in a quarter hour.
        supply = replace(mains.supply, noise=0.0)
        # While nobody is at home what has no times of its own goes on: refrigerator, standby.
        always = [load for load in mains.loads.values() if not load.schedule.starts]
        self._home = Mains(supply, list(mains.loads.values()), seed=seed)
        self._away = Mains(supply, always, seed=seed)
        self._roofs = mains.sources
        self._heating = _HEATING_W if mains.loads else 0.0  # a roof alone has none
        self._until, self._zone = until, zone
        self._habits = Noise([seed], _DAY_NOISE)

    def quarters(self, starts: IntArray) -> QuarterHours:
        """Some of its quarter hours."""
        times = (starts[:, None] + _SAMPLE_S * (np.arange(_SAMPLES) + 0.5)[None, :]).ravel()
        local = times + np.repeat(self._offsets(starts), _SAMPLES)
        ago = (self._until - times) / DAY_S
        state = self._state(local, (ago >= _HOLIDAY_D[0]) & (ago < _HOLIDAY_D[1]))
        summer = 0.6 + 0.4 * np.cos(2 * np.pi * ago / _YEAR_D)
        watts = state.watts * self._habit(local) + self._heating * (1 - summer) - self._sun(local, summer)
        rows = watts.reshape(-1, _SAMPLES)
        return QuarterHours(
            starts=starts,
            import_wh=np.maximum(rows, 0).mean(axis=1) * QUARTER_S / 3600,
            export_wh=np.maximum(-rows, 0).mean(axis=1) * QUARTER_S / 3600,
            watts=Extremes.of(rows),
            volts=Extremes.of(state.volts.reshape(-1, _SAMPLES)),
            hertz=Extremes.of(state.hertz.reshape(-1, _SAMPLES)),
        )

    def _offsets(self, starts: IntArray) -> IntArray:
        """Seconds by which the clock of the house is ahead of UTC."""
        return np.array([_utc_offset(int(start), self._zone) for start in starts], dtype=np.int64)

    def _state(self, local: FloatArray, is_away: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> MainsState:
        home = self._home.state(local)
        if not is_away.any():
            return home
        watts = np.where(is_away, self._away.state(local).watts, home.watts)
        return replace(home, watts=watts)

    def _habit(self, local: FloatArray) -> FloatArray:
        """How much of the scenario's loads a day has: more on weekends, and never twice the same."""
        days = np.floor(local / DAY_S).astype(np.int64)
        weekend = np.where((days + 3) % 7 >= 5, 0.12, 0.0)  # 1970 began on a Thursday
        return np.clip(1 + weekend + 0.13 * self._habits.at(days), 0.7, 1.5)

    def _sun(self, local: FloatArray, summer: FloatArray) -> FloatArray:
        made = np.zeros_like(local)
        for roof in self._roofs:
            made += summer * roof.watts(local, _in_season(local % DAY_S, roof, summer))
        return made


def _in_season(of_day: FloatArray, roof: Photovoltaics, summer: FloatArray) -> FloatArray:
    """The time of a summer day at which the sun stands as it does now: winter days are shorter."""
    noon = (roof.sunrise + roof.sunset) / 2
    return noon + (of_day - noon) * (1 + 0.9 * (1 - summer))


def _utc_offset(at: int, zone: tzinfo | None) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    return math.floor((offset or timedelta()).total_seconds())
