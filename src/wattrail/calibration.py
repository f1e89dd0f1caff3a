"""The constants of one meter: counts per volt, per ampere and per watt. Which chip counts makes no difference here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_CONSTANT", "MIN_CONSTANT", "Calibration"]

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
            # A configuration and a database hand over what they hold: true would be one count per volt.
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, got {type(value).__name__}")
            if not MIN_CONSTANT <= value <= MAX_CONSTANT:
                raise ValueError(f"{name} must be from {MIN_CONSTANT:g} to {MAX_CONSTANT:g}")

    def volts(self, count: int) -> float:
        """Volts rms from a count of voltage."""
        return count / self.counts_per_volt

    def amps(self, count: int) -> float:
        """Amperes rms from a count of current."""
        return count / self.counts_per_amp

    def watts(self, count: int) -> float:
        """Active power in watts from a signed count; positive is import."""
        value = count / self.counts_per_watt
        return -value if self.inverted else value
