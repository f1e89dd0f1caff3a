"""What is connected to the conductor: loads with their schedules, and photovoltaics that push the other way.

Every quantity is a function of time, so a day can be computed in any order and any portions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from wattrail.clock import Clock, ManualClock
from wattrail.twin.noise import FloatArray, Noise

__all__ = [
    "DAY_S",
    "Harmonic",
    "HouseholdLoad",
    "LoadKind",
    "LoadSchedule",
    "Photovoltaics",
    "Steps",
    "begins_at",
    "seconds_of_day",
]

DAY_S = 86400.0


def seconds_of_day(text: str) -> float:
    """Seconds after midnight of a time like 07:30. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(minutes) == 2 and hours.isdecimal() and minutes.isdecimal()):
        raise ValueError(f"{text!r} is not a time like 07:30")
    if int(hours) > 24 or int(minutes) > 59 or (int(hours) == 24 and int(minutes)):
        raise ValueError(f"{text!r} is not a time of day")
    return int(hours) * 3600.0 + int(minutes) * 60.0


def begins_at(start: str | None, clock: Clock) -> float:
    """Seconds after midnight at which a twin begins: of a time like 07:30, else what the clock shows.

    Raises ValueError.
    """
    if start is not None:
        return seconds_of_day(start)
    # A manual clock's day is UTC: no test may depend on where its machine stands. Whole seconds: so midnights are exact
    # numbers, and a day's end is met once.
    local = clock.now() if isinstance(clock, ManualClock) else clock.now().astimezone()
    return local.hour * 3600.0 + local.minute * 60.0 + local.second


class Steps:
    """A value that is set by hand now and then: a staircase over time. NaN where it is not."""

    def __init__(self) -> None:
        self._times: list[float] = [-math.inf]
        self._values: list[float] = [math.nan]

    def set(self, time: float, value: float | None) -> None:
        """From ``time`` (seconds) on, the value; None hands it back to the scenario."""
        self._times.append(max(time, self._times[-1]))
        self._values.append(math.nan if value is None else value)

    def over(self, times: FloatArray, scenario: FloatArray | float) -> FloatArray:
        """The set values at ``times``, and the scenario's own where none is set."""
        if len(self._times) == 1:
            return np.broadcast_to(np.asarray(scenario, dtype=np.float64), times.shape)
        values = np.asarray(self._values)[np.searchsorted(self._times, times, side="right") - 1]
        return np.where(np.isnan(values), scenario, values)


@dataclass(frozen=True, slots=True)
class Harmonic:
    """One harmonic, relative to its fundamental: ``ratio`` of amplitudes, phase in radians."""

    order: int
    ratio: float
    phase: float = 0.0

    @property
    def phasor(self) -> complex:
        """Relative amplitude and phase as one number."""
        return self.ratio * complex(math.cos(self.phase), math.sin(self.phase))


class LoadKind(Enum):
    """How a load draws its current."""

    RESISTIVE = "resistive"
    INDUCTIVE = "inductive"
    CAPACITIVE = "capacitive"
    ELECTRONIC = "electronic"  # constant power, whatever the voltage; power factor leading

    @property
    def var_sign(self) -> float:
        """Sign of the reactive power: positive lags."""
        return 1.0 if self is LoadKind.INDUCTIVE else -1.0


@dataclass(frozen=True, slots=True)
class LoadSchedule:
    """When something is on. Without any field set: always.

    ``starts`` are seconds of the day, ``lasts`` the seconds from each; a cycle of ``every`` seconds repeats all day.
    """

    starts: tuple[float, ...] = ()
    lasts: float = 0.0
    every: float = 0.0
    offset: float = 0.0

    def on(self, times_of_day: FloatArray) -> FloatArray:
        """1.0 where on, else 0.0."""
        if self.every:
            return (((times_of_day - self.offset) % self.every) < self.lasts).astype(np.float64)
        if not self.starts:
            return np.ones_like(times_of_day)
        on = np.zeros(times_of_day.shape, dtype=bool)
        for start in self.starts:
            on |= ((times_of_day - start) % DAY_S) < self.lasts
        return on.astype(np.float64)


@dataclass(frozen=True, slots=True)
class HouseholdLoad:
    """One appliance: active power at nominal voltage, power factor, how it behaves, when it is on."""

    name: str
    watts: float
    power_factor: float = 1.0
    kind: LoadKind = LoadKind.RESISTIVE
    schedule: LoadSchedule = LoadSchedule()
    harmonics: tuple[Harmonic, ...] = ()
    switch: Steps = field(default_factory=Steps, compare=False)

    @property
    def volt_amps(self) -> complex:
        """Complex power at nominal voltage; the imaginary part is reactive power."""
        vars_ = self.watts * math.sqrt(1 / self.power_factor**2 - 1) * self.kind.var_sign
        return complex(self.watts, vars_)

    def current(self, times: FloatArray, times_of_day: FloatArray, volts: FloatArray, nominal: float) -> FloatArray:
        """Magnitude of the current at nominal phase, amperes: to be multiplied by ``direction``."""
        on = self.switch.over(times, self.schedule.on(times_of_day))
        amps = abs(self.volt_amps) / nominal * on
        if self.kind is LoadKind.ELECTRONIC:  # lamps and chargers cut out when the mains has gone
            return amps * np.where(volts > 0.3 * nominal, nominal / np.maximum(volts, 1.0), 0.0)
        return amps * volts / nominal

    @property
    def direction(self) -> complex:
        """The current's unit phasor against the voltage."""
        return self.volt_amps.conjugate() / abs(self.volt_amps)


@dataclass(frozen=True, slots=True)
class Photovoltaics:
    """A roof: a bell over the day, with clouds that pass.

    ``clouds`` is the share of light the thickest takes away, ``cloud_s`` the time one needs to pass.
    """

    name: str
    peak_watts: float
    sunrise: float
    sunset: float
    clouds: float
    cloud_s: float
    noise: Noise

    def watts(self, times: FloatArray, times_of_day: FloatArray) -> FloatArray:
        """Power fed in, positive."""
        height = np.sin(np.pi * np.clip((times_of_day - self.sunrise) / (self.sunset - self.sunrise), 0, 1))
        return self.peak_watts * np.maximum(height, 0.0) ** 1.3 * self._light(times)

    def _light(self, times: FloatArray) -> FloatArray:
        if not self.clouds:
            return np.ones_like(times)
        position = times / self.cloud_s
        index = np.floor(position).astype(np.int64)
        way = position - index
        ease = way * way * (3 - 2 * way)
        cover = self.noise.at(index) * (1 - ease) + self.noise.at(index + 1) * ease
        return 1 - self.clouds * np.clip(0.5 + 0.9 * cover, 0, 1)
