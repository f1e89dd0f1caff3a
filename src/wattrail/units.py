"""Quantities with their units, and the reading that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["QUANTITIES", "Quantity", "Reading"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that can be shown: its field in ``Reading``, its words, its unit, how many decimals mean something."""

    key: str
    label: str
    unit: str
    decimals: int

    def format(self, value: float | None) -> str:
        """The value as a person reads it, without the unit; a dash for what is not known."""
        if value is None:
            return "–"
        text = f"{value:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text


QUANTITIES = (
    Quantity("volts", "Voltage", "V", 1),
    Quantity("amps", "Current", "A", 3),
    Quantity("watts", "Power", "W", 1),
    Quantity("power_factor", "Power factor", "", 2),
    Quantity("hertz", "Frequency", "Hz", 2),
)
"""The electrical quantities, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A timestamped set of scaled quantities, with the counts they came from.

    ``watts`` is signed: positive is import, negative is export. ``hertz`` is None while the chip cannot see
    the mains; ``power_factor`` is None without load. ``monotonic`` is the monotonic clock at ``at``, seconds.
    ``restarted`` says that MODE was found at its reset value since the reading before: one sign of a restart of the
    chip, which somebody else's set-up can leave as well.
    ``questions`` is how many questions it took the chip to answer until two looks agreed.
    """

    at: datetime
    monotonic: float
    volts: float
    amps: float
    watts: float
    hertz: float | None
    power_factor: float | None
    energy_count: int
    watt_count: int
    status: int
    mode: int
    restarted: bool = False
    questions: int = 0
    simulated: bool = False

    @property
    def volt_amps(self) -> float:
        """Apparent power in VA."""
        return self.volts * self.amps
