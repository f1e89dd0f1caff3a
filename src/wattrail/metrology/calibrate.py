"""Calibration as values: counts on one side, what a reference showed on the other, constants in between.

A current transformer turns the current's phase by an angle d. The chip then measures ``P cos d + Q sin d``, with Q the
reactive power, positive where the current lags, and d positive where the transformer leads. The chip has no register
to correct it. ``fitting`` finds the constants and the angle, ``calibration_checks`` says what looks wrong about
them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.scaling import Scaling
from wattrail.errors import WattrailError

__all__ = [
    "REACTIVE_BELOW",
    "STEADY_WITHIN",
    "CalibrationError",
    "CalibrationFit",
    "CalibrationPoint",
    "Constant",
    "Given",
    "Load",
    "LoadCounts",
    "Mean",
    "PhaseError",
    "Reference",
    "corrected_watts",
    "factory_calibration",
    "flipped",
    "mean",
    "phase_error_of_power",
    "phase_of_one_load",
    "spread",
    "turned",
    "unsteadiness",
]  # fmt: skip

STEADY_WITHIN: Final = 0.01
"""How far a load may move within a window, largest less smallest over the mean, and still be calibrated against."""

REACTIVE_BELOW: Final = 0.99
"""A load whose power factor is lower is not resistive: its power shows the phase error of the transformer."""

_FACTORY_AGREES: Final = 0.01
"""Real factory sets agree with the chip's identity within a quarter of this."""


class CalibrationError(WattrailError, ValueError):
    """Numbers from which no calibration can be made."""


class Load(StrEnum):
    """What kind of load was on; a transformer's phase error shows on the last two."""

    RESISTIVE = "resistive"
    LAGGING = "lagging"
    LEADING = "leading"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of several values and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Given:
    """A quantity as a reference gave it, with its standard error."""

    value: float
    error: float = 0.0

    @classmethod
    def typed(cls, text: str) -> Given:
        """A number as a person read it off: its last digit says how finely. Raises CalibrationError."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value == 0:
            raise CalibrationError(
                f"{text!r} is not a number other than 0", hint="type what the reference shows, without its unit: 230.4"
            )
        # From the text: 230.0 was read to a tenth of a volt, and is 230 as a number.
        digits = text.strip().lower().partition("e")[0].partition(".")[2]
        # Anywhere within the last digit is as likely: a rectangular distribution. Source: jcgm/gum
        return cls(value, 10.0 ** -len(digits) / math.sqrt(12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What was true while the chip was read. ``vars`` is signed, positive where the current lags; None if not known."""

    volts: Given | None = None
    amps: Given | None = None
    watts: Given | None = None
    vars: float | None = None
    load: Load = Load.RESISTIVE

    @classmethod
    def typed(cls, volts: str | None, amps: str | None, watts: str | None, load: Load) -> Reference:
        """What a person read off a reference; empty where it is not known. Raises CalibrationError."""
        given = [Given.typed(text) if text else None for text in (volts, amps, watts)]
        if not any(given):
            raise CalibrationError("no value at all: one of volts, amperes and watts is needed, best all three")
        for name, one in zip(("volts", "amperes"), given, strict=False):
            if one and one.value < 0:
                raise CalibrationError(f"{one.value:g} {name}: only watts have a sign, and negative is export")
        return cls(volts=given[0], amps=given[1], watts=given[2], load=load)

    @property
    def power_factor(self) -> float | None:
        """Watts over volts times amperes; None unless all three are known. Above 1 where the values contradict."""
        if not (self.volts and self.amps and self.watts):
            return None
        return self.watts.value / (self.volts.value * self.amps.value)

    @property
    def reactive(self) -> float:
        """Reactive power in var: as given, else from the other three and the kind of load, else 0."""
        if self.vars is not None:
            return self.vars
        if self.load is Load.RESISTIVE or not (self.volts and self.amps and self.watts):
            return 0.0
        size = math.sqrt(max(0.0, (self.volts.value * self.amps.value) ** 2 - self.watts.value**2))
        return size if self.load is Load.LAGGING else -size


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """The three registers of one refresh."""

    v_rms: int
    i_rms: int
    watt: int


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """One load: what the chip counted over several refreshes, and what the reference showed meanwhile.

    ``scaling`` is the chip's: it ties its counts together.
    """

    samples: tuple[LoadCounts, ...]
    reference: Reference
    scaling: Scaling

    @property
    def v_rms(self) -> Mean:
        """Mean of V_RMS."""
        return mean([sample.v_rms for sample in self.samples])

    @property
    def i_rms(self) -> Mean:
        """Mean of I_RMS."""
        return mean([sample.i_rms for sample in self.samples])

    @property
    def watt(self) -> Mean:
        """Mean of WATT, signed."""
        return mean([sample.watt for sample in self.samples])

    @property
    def power_factor(self) -> float:
        """Power factor as the chip sees it, from counts alone: no constant takes part. 0.0 without current."""
        apparent = self.v_rms.value * self.i_rms.value * self.scaling.watt_identity
        return self.watt.value / apparent if apparent else 0.0


@dataclass(frozen=True, slots=True)
class Constant:
    """Counts per unit, its standard error, and how far each point is off the line, as a fraction of the line."""

    value: float
    error: float
    residuals: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PhaseError:
    """Lead of the current channel in degrees, and its standard error."""

    degrees: float
    error: float


@dataclass(frozen=True, slots=True)
class CalibrationFit:
    """What the points say; None for a constant that nobody measured. ``inverted``: WATT had the other sign."""

    volts: Constant | None
    amps: Constant | None
    watts: Constant | None
    phase: PhaseError | None
    inverted: bool | None
    scaling: Scaling

    def completed(self, before: Calibration) -> Calibration:
        """A whole calibration: measured constants as they are, others by the identity, else as before.

        Power alone leaves the volts as they were and gives its change to the current.
        """
        identity = self.scaling.watt_identity
        per_volt = self.volts.value if self.volts else None
        per_amp = self.amps.value if self.amps else None
        per_watt = self.watts.value if self.watts else None
        # Two of the three are enough: the chip ties the third to them. Source: bl0942-ds/formulas
        if per_volt is None and per_amp is not None and per_watt is not None:
            per_volt = per_watt / (per_amp * identity)
        per_volt = per_volt or before.counts_per_volt
        if per_amp is None and per_watt is not None:
            per_amp = per_watt / (per_volt * identity)
        per_amp = per_amp or before.counts_per_amp
        return Calibration(
            counts_per_volt=per_volt,
            counts_per_amp=per_amp,
            counts_per_watt=per_watt or per_volt * per_amp * identity,
            inverted=before.inverted if self.inverted is None else self.inverted,
        )


def mean(values: Sequence[float]) -> Mean:
    """Mean and standard error; the error of a single value is 0.0, because nothing is known of it.

    Raises CalibrationError for none.
    """
    if not values:
        raise CalibrationError("no readings, no mean")
    centre = math.fsum(values) / len(values)
    if len(values) == 1:
        return Mean(centre, 0.0)
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return Mean(centre, math.sqrt(variance / len(values)))


def spread(values: Sequence[float]) -> float:
    """Largest less smallest, over the size of the mean; infinite around a mean of 0 unless all are equal."""
    width, centre = max(values) - min(values), abs(mean(values).value)
    return width / centre if centre else (math.inf if width else 0.0)


def unsteadiness(samples: Sequence[LoadCounts], *, within: float = STEADY_WITHIN) -> str | None:
    """Which quantity moved too far within a window, and by how much; None for a steady load."""
    moved = {
        "the voltage": spread([sample.v_rms for sample in samples]),
        "the current": spread([sample.i_rms for sample in samples]),
        "the power": spread([sample.watt for sample in samples]),
    }
    name, width = max(moved.items(), key=lambda item: item[1])
    if width <= within:
        return None
    if math.isinf(width):
        return f"{name} moved about nothing within {len(samples)} readings, and {100 * within:g} % is allowed"
    return f"{name} moved by {100 * width:.1f} % within {len(samples)} readings, and {100 * within:g} % is allowed"


def phase_of_one_load(chip: float, reference: float, load: Load) -> float:
    """Lead of the current channel in degrees, from the power factor by the chip's counts and the true one.

    0.0 for a resistive load, which cannot tell.
    """
    if load is Load.RESISTIVE:
        return 0.0
    # Noise can bring a power factor just beyond 1, where no angle has such a cosine.
    seen, true = (math.degrees(math.acos(max(-1.0, min(1.0, abs(value))))) for value in (chip, reference))
    return true - seen if load is Load.LAGGING else seen - true


def corrected_watts(watts: float, volt_amps: float, degrees: float, *, lagging: bool) -> float:
    """Active power without the phase error of the transformer, where it is known which way the current is off.

    ``P cos d - Q sin d`` with ``Q = sqrt(S**2 - P**2)``, negative where the current leads. The rms registers do not
    tell its sign, so nobody but the caller can; for a load that may be either, it is one of the two results.
    """
    angle = math.radians(degrees)
    # Whoever guesses it wrongly doubles the error, and energy is counted in the chip, out of reach: so no reading is
    # corrected by this (ADR 14).
    reactive = math.sqrt(max(0.0, volt_amps**2 - watts**2))
    return watts * math.cos(angle) - (reactive if lagging else -reactive) * math.sin(angle)


def phase_error_of_power(degrees: float, power_factor: float) -> float:
    """Error of power and of energy, as a fraction, at a lagging load, on a meter calibrated at power factor 1.

    The other sign holds for a leading one. Raises ValueError outside 0 to 1, and at 0, where any error is infinite.
    """
    if not 0 < power_factor <= 1:
        raise ValueError(f"{power_factor} is not a power factor above 0")
    return math.tan(math.radians(degrees)) * math.tan(math.acos(power_factor))


def factory_calibration(per_volt: int, per_amp: int, per_watt: int, per_kwh: int, *, scaling: Scaling) -> Calibration:
    """The set a stock device keeps as data points 22 to 25: Kv, Ki / 10, Kp * 10, counts per kWh.

    Raises CalibrationError for zeros, and for numbers that contradict each other. What they mean was seen on two units
    (esphome #6155), and is not documented.
    """
    numbers = (per_volt, per_amp, per_watt, per_kwh)
    if min(numbers) <= 0:
        raise CalibrationError(
            f"factory constants {numbers}: some units store zeros, which calibrate nothing",
            hint="this unit was never calibrated, or the dump is not whole: measure it with a reference",
        )
    calibration = Calibration(counts_per_volt=per_volt, counts_per_amp=per_amp * 10, counts_per_watt=per_watt / 10)
    disagreement = scaling.disagreement(calibration)
    if abs(disagreement) > _FACTORY_AGREES:
        raise CalibrationError(
            f"factory constants {numbers} contradict each other: volts and amperes ask for "
            f"{calibration.counts_per_watt / (1 + disagreement):.1f} counts per watt, "
            f"the set says {calibration.counts_per_watt:.1f}",
            hint="the order is data points 22, 23, 24, 25: Kv, Ki / 10, Kp * 10, counts per kWh",
        )
    counts_per_kwh = scaling.counts_per_kwh(calibration)
    if abs(counts_per_kwh / per_kwh - 1) > _FACTORY_AGREES:
        raise CalibrationError(
            f"factory constants {numbers} contradict each other: {calibration.counts_per_watt:.1f} counts per watt are "
            f"{counts_per_kwh:.0f} counts per kWh, the set says {per_kwh}",
            hint="a digit of the third or the fourth number is wrong",
        )
    return calibration


def turned(calibration: Calibration, turns: int, *, before: int = 1) -> Calibration:
    """The same meter with the wire passing the hole ``turns`` times instead of ``before``. Raises CalibrationError."""
    if turns < 1 or before < 1:
        raise CalibrationError(f"a wire cannot pass the hole {min(turns, before)} times")
    factor = turns / before
    return replace(
        calibration,
        counts_per_amp=calibration.counts_per_amp * factor,
        counts_per_watt=calibration.counts_per_watt * factor,
    )


def flipped(calibration: Calibration) -> Calibration:
    """The same meter with the wire passing it the other way."""
    return replace(calibration, inverted=not calibration.inverted)
