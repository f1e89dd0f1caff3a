"""From counts to quantities: pure functions of a count and a ``Calibration``.

    I_RMS = 305978 * mV / 1.218        V_RMS = 73989 * mV / 1.218
    WATT  = 3537 * mV * mV * cos(phi) / 1.218**2
    one CF count = 419430.4 WATT-seconds

Source: bl0942-ds/formulas. FREQ is a period, ``f = 1e6 / FREQ``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.chips.bl0942.constants import (
    CF_WATT_SECONDS,
    CREEP_STEP,
    FAST_RMS_RATIO,
    FREQ_NUMERATOR,
    I_RMS_PER_MV,
    V_REF,
    V_RMS_PER_MV,
    WATT_PER_MV2,
)
from wattrail.chips.bl0942.parts import FrontEnd
from wattrail.chips.bl0942.registers import CF_CNT, WATT

__all__ = [
    "MAX_CONSTANT",
    "MIN_CONSTANT",
    "WATT_IDENTITY",
    "Calibration",
    "amps",
    "counter_difference",
    "creep_watts",
    "hertz",
    "over_current_code",
    "volts",
    "watts",
]

WATT_IDENTITY = WATT_PER_MV2 / (I_RMS_PER_MV * V_RMS_PER_MV)
"""For a sine: ``WATT = power factor * I_RMS * V_RMS * this``; holds on every front end."""


MIN_CONSTANT: Final = 1e-3
MAX_CONSTANT: Final = 1e9
"""Bounds of a calibration's constants. Known boards have 100 to 600,000; a database keeps six decimals of them."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Counts per volt, per ampere and per watt of one meter.

    ``inverted`` flips the sign of power: the conductor passes the transformer the other way, or the shunt
    is wired backwards, as on many plugs. Raises ValueError for constants that are not
    numbers from MIN_CONSTANT to MAX_CONSTANT.
    """

    counts_per_volt: float
    counts_per_amp: float
    counts_per_watt: float
    inverted: bool = False

    def __post_init__(self) -> None:
        for name in ("counts_per_volt", "counts_per_amp", "counts_per_watt"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, got {type(value).__name__}")
            if not MIN_CONSTANT <= value <= MAX_CONSTANT:
                raise ValueError(f"{name} must be from {MIN_CONSTANT:g} to {MAX_CONSTANT:g}")

    @classmethod
    def of(cls, front_end: FrontEnd, *, inverted: bool = False) -> Calibration:
        """The constants that follow from the parts, before any measurement: within about 2 %."""
        per_amp, per_volt = front_end.millivolts_per_amp, front_end.millivolts_per_volt
        return cls(
            counts_per_volt=V_RMS_PER_MV * per_volt / V_REF,
            counts_per_amp=I_RMS_PER_MV * per_amp / V_REF,
            counts_per_watt=WATT_PER_MV2 * per_amp * per_volt / V_REF**2,
            inverted=inverted,
        )

    @property
    def wh_per_count(self) -> float:
        """Energy of one CF count in watt-hours."""
        return CF_WATT_SECONDS / 3600 / self.counts_per_watt

    @property
    def counts_per_kwh(self) -> float:
        """CF counts in a kilowatt-hour."""
        return 1000 / self.wh_per_count

    @property
    def disagreement(self) -> float:
        """How far the three constants are from the chip's identity, as a fraction of counts_per_watt.

        More than 0.01 to 0.02 is a bad measurement or a phase error of the current transformer.
        """
        return self.counts_per_watt / (self.counts_per_amp * self.counts_per_volt * WATT_IDENTITY) - 1


def volts(count: int, calibration: Calibration) -> float:
    """Volts rms from a V_RMS count."""
    return count / calibration.counts_per_volt


def amps(count: int, calibration: Calibration) -> float:
    """Amperes rms from an I_RMS count."""
    return count / calibration.counts_per_amp


def watts(count: int, calibration: Calibration) -> float:
    """Active power in watts from a signed WATT count; positive is import.

    Raises ValueError outside 24 bits.
    """
    if not WATT.lowest <= count <= WATT.highest:
        raise ValueError(f"WATT count {count} is outside {WATT.lowest}..{WATT.highest}")
    value = count / calibration.counts_per_watt
    return -value if calibration.inverted else value


def hertz(count: int) -> float:
    """Line frequency in hertz from a FREQ count. Raises ValueError for 0, which no chip sends."""
    if count <= 0:
        raise ValueError("FREQ count 0 is no period: the read failed")
    return FREQ_NUMERATOR / count


def creep_watts(code: int, calibration: Calibration) -> float:
    """The no-load threshold in watts for a WA_CREEP code."""
    return code * CREEP_STEP / calibration.counts_per_watt


def over_current_code(limit_amps: float, calibration: Calibration) -> int:
    """The I_FAST_RMS_TH code that trips at a current, rms of a sine. Raises ValueError if it does not fit."""
    code = int(FAST_RMS_RATIO * calibration.counts_per_amp * limit_amps / 256)
    if not 0 <= code <= 0xFFFF:
        raise ValueError(f"{limit_amps} A needs code {code}, and 65535 is the largest")
    return code


def counter_difference(before: int, now: int) -> int:
    """Counts from one CF_CNT to a later one, through one wrap of its 24 bits."""
    return (now - before) % (1 << CF_CNT.bits)
