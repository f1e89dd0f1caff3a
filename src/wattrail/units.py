"""Quantities with their units, the reading that carries them, and a moment as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Protocol

from wattrail.calibration import Calibration
from wattrail.energy_register import BootEvidence, Freshness, RegisterCount

__all__ = [
    "NO_EVIDENCE",
    "QUANTITIES",
    "TEMPERATURE",
    "PlainSample",
    "Quantities",
    "Quantity",
    "Reading",
    "Sample",
    "utc_text",
]


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
        # The noise of an idle meter goes to both sides of zero: without this -0.0 and 0.0 W would alternate.
        return text.removeprefix("-") if float(text) == 0 else text


QUANTITIES = (
    Quantity("volts", "Voltage", "V", 1),
    Quantity("amps", "Current", "A", 3),
    Quantity("watts", "Power", "W", 1),
    Quantity("power_factor", "Power factor", "", 2),
    Quantity("hertz", "Frequency", "Hz", 2),
)
"""The electrical quantities, in the order in which they are shown."""

TEMPERATURE = Quantity("celsius", "Temperature", "°C", 1)
"""Shown where a meter measures its own."""

NO_EVIDENCE: Final = BootEvidence()
"""A meter that says nothing of its restarts."""

_NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What was measured at one moment; None for what is not known.

    ``watts`` is signed: positive is import, negative is export. ``hertz`` is None while the meter cannot see the mains;
    ``power_factor`` is None without load. A source that gives quantities and no counts is a ``Sample`` by itself.
    """

    volts: float | None = None
    amps: float | None = None
    watts: float | None = None
    hertz: float | None = None
    power_factor: float | None = None
    celsius: float | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """No counts: see ``Sample``."""
        return _NO_COUNTS

    def quantities(self, calibration: Calibration | None) -> Quantities:
        """These: see ``Sample``."""
        return self


class Sample(Protocol):
    """What a meter said at one moment, as it said it."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Raw counts by the name of their register, in lower case; empty where there are none."""
        ...

    def quantities(self, calibration: Calibration | None) -> Quantities:
        """What the sample amounts to by a calibration."""
        ...


@dataclass(frozen=True, slots=True)
class PlainSample:
    """A sample whose calibration is no longer at hand: from a database, or from another process."""

    known: Quantities
    counts: Mapping[str, int] = field(default_factory=dict)

    def quantities(self, calibration: Calibration | None) -> Quantities:
        """What it amounted to when it was kept."""
        return self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a meter said at one moment, with all that is needed to scale it and to book it.

    ``quantities`` are derived from ``sample`` and ``calibration``, once; ``calibration`` is None where the meter scales
    by itself. ``registers`` are its energy registers in raw counts, ``evidence`` what it says of its own restarts since
    the reading before. ``monotonic`` is the monotonic clock at ``at``, seconds. ``exchanges`` is how many requests it
    took until two samples agreed.
    """

    at: datetime
    monotonic: float
    sample: Sample
    calibration: Calibration | None = None
    registers: tuple[RegisterCount, ...] = ()
    evidence: BootEvidence = NO_EVIDENCE
    freshness: Freshness = Freshness.POLLED
    exchanges: int = 0
    simulated: bool = False
    quantities: Quantities = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantities", self.sample.quantities(self.calibration))

    @property
    def volts(self) -> float | None:
        """Volts rms."""
        return self.quantities.volts

    @property
    def amps(self) -> float | None:
        """Amperes rms."""
        return self.quantities.amps

    @property
    def watts(self) -> float | None:
        """Active power; positive is import."""
        return self.quantities.watts

    @property
    def hertz(self) -> float | None:
        """Line frequency."""
        return self.quantities.hertz

    @property
    def power_factor(self) -> float | None:
        """Active over apparent power, signed as ``watts``."""
        return self.quantities.power_factor

    @property
    def celsius(self) -> float | None:
        """Temperature of the meter."""
        return self.quantities.celsius

    @property
    def is_estimated(self) -> bool:
        """Whether its energy is an estimate: power that was added up, for the meter counts none."""
        return any(shown.register.is_estimated for shown in self.registers)

    @property
    def energy_count(self) -> int:
        """Raw count of the first energy register; 0 where there is none."""
        return self.registers[0].count if self.registers else self.sample.counts.get("cf_cnt", 0)

    @property
    def watt_count(self) -> int:
        """Raw count of power; milliwatts where the meter gives no counts."""
        return self.sample.counts.get("watt", round(1000 * (self.watts or 0.0)))


def utc_text(at: datetime, *, timespec: str = "milliseconds") -> str:
    """A moment in UTC as files and programs have it, cut to ``timespec`` as in ``datetime.isoformat``."""
    # Without its zone first: isoformat would write +00:00, and the documents promise a Z.
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec)}Z"
