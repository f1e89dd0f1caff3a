"""What a metering chip states about itself. Everything that reads, scales or books a chip takes it from here.

A chip is data: its registers, links, settings and numbers, and one class for its samples. What differs in kind is
optional: a chip that only pushes frames, or only makes pulses, has no registers, no settings and no protection, and
its samples leave out what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, Protocol

from wattrail.calibration import Calibration
from wattrail.chips.scaling import Scaling
from wattrail.chips.uart import UartGrammar
from wattrail.energy_register import Direction, EnergyRegister, Persistence
from wattrail.errors import UrlError
from wattrail.units import Sample
from wattrail.wire import Register

__all__ = [
    "Capability",
    "ChipSample",
    "MeteringChip",
    "Obstacle",
    "RegisterScale",
    "WaveformRegisters",
    "WriteProtection",
    "electrical_scales",
    "excess_power",
]  # fmt: skip

_WATT_MARGIN = 1.02
_WATT_SLACK = 64
"""Power may exceed volts times amps by rounding, and by residues of the anti-creep gate (a few counts, captured)."""


class ChipSample(Sample, Protocol):
    """The electrical registers of a chip, together."""

    @property
    def energy_count(self) -> int:
        """The energy counter."""
        ...

    @property
    def held(self) -> tuple[int, ...]:
        """What stays the same between two samples within one refresh."""
        ...

    @property
    def sees_mains(self) -> bool:
        """Whether the voltage is high enough to mean something."""
        ...

    def contradictions(self) -> tuple[str, ...]:
        """Every physical impossibility, a sentence each; empty when the sample can be true.

        The checksum is eight bits wide and blind to errors that cancel, so physics gets a vote. Only what is impossible
        is refused; unusual is allowed.
        """
        ...

    def excess_power(self) -> str:
        """By how much power exceeds volts times amps, or an empty text.

        Impossible for steady mains; true for one refresh when volts and amps both begin in the middle of it, because
        each is then averaged down and their product twice.
        """
        ...


class Capability(StrEnum):
    """What one chip can do and another cannot."""

    SPI = "SPI"
    WAVEFORM = "waveform"
    FREQUENCY = "line frequency"
    TEMPERATURE = "temperature"


class Obstacle(NamedTuple):
    """Why a chip cannot do something, and what to do instead."""

    reason: str
    remedy: str


class RegisterScale(NamedTuple):
    """How a register's count becomes a quantity (None: it is none), its unit, its decimals."""

    scale: Callable[[int, Calibration], float | None]
    unit: str
    decimals: int


@dataclass(frozen=True, slots=True)
class WriteProtection:
    """The register that guards the writable ones: the key that opens it, what it then reads, and the key that locks."""

    register: Register
    unlock: int
    lock: int
    unlocked_reads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WaveformRegisters:
    """The registers that hold the newest sample of each waveform, and how many the chip makes in a second."""

    volts: Register
    amps: Register
    sample_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringChip:
    """One chip.

    ``direction`` is what its energy counter adds up, ``modulus`` where that begins again at 0 (None: the host counts),
    ``energy`` the register that holds it, where there is one. ``settings`` are what a driver holds the chip to; where
    all that were off stand at their reset values and ``reset_marker`` is one of them, the chip has restarted, or
    somebody else's set-up looks the same. ``spi_sample`` is what one sample over SPI reads, empty where the chip is not
    read over SPI. ``scales`` are by the name of a register. ``refresh_s`` is how often the averages change with these
    settings. ``probed`` are registers that read differently, to tell an answer from chance.
    """

    name: str
    direction: Direction
    modulus: int | None
    scaling: Scaling
    refresh_s: float
    sample_of: Callable[[Mapping[Register, int]], ChipSample]
    registers: tuple[Register, ...] = ()
    energy: Register | None = None
    uart: UartGrammar | None = None
    spi_sample: tuple[Register, ...] = ()
    settings: Mapping[Register, int] = field(default_factory=dict)
    reset_marker: Register | None = None
    protection: WriteProtection | None = None
    probed: tuple[Register, ...] = ()
    scales: Mapping[str, RegisterScale] = field(default_factory=dict)
    wave: WaveformRegisters | None = None
    obstacles: Mapping[Capability, Obstacle] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as its maker writes it."""
        return self.name.upper()

    def energy_register(self, calibration: Calibration) -> EnergyRegister:
        """The energy counter as a register with an exact step: counts are raw, before ``inverted``."""
        return EnergyRegister(
            name="energy",
            step_mwh=self.scaling.step_mwh(calibration),
            direction=self.direction,
            persistence=Persistence.VOLATILE,
            max_counts_per_us=Fraction(self.scaling.max_watt, self.scaling.watt_us_per_count),
            modulus=self.modulus,
            slack=self._late_counts,
            is_confirmed=True,
        )

    @property
    def _late_counts(self) -> int:
        """How far a frame may be behind that comes late: a second of the fastest counting, and two counts."""
        return self.scaling.max_watt * 1_000_000 // self.scaling.watt_us_per_count + 2

    def counts_between(self, before: int, now: int) -> int:
        """Counts from one value of the energy counter to a later one, through one wrap; negative where it fell.

        Only a counter of net energy falls: there the way is the shorter one.
        """
        if self.modulus is None:
            return now - before
        forward = (now - before) % self.modulus
        if self.direction is Direction.NET and 2 * forward >= self.modulus:
            return forward - self.modulus
        return forward

    def was_reset(self, found: Mapping[Register, int]) -> bool:
        """Whether settings that were off stood as a reset leaves them; any other value is somebody's choice."""
        return self.reset_marker in found and all(count == register.reset for register, count in found.items())

    def require(self, capability: Capability) -> None:
        """Raises UrlError, with what to do instead, for what this chip cannot do."""
        if obstacle := self.obstacles.get(capability):
            raise UrlError(obstacle.reason, hint=obstacle.remedy)


def electrical_scales(scaling: Scaling) -> dict[str, RegisterScale]:
    """The scales of the registers that every chip of the family has."""
    return {
        "I_RMS": RegisterScale(lambda count, calibration: calibration.amps(count), "A", 3),
        "V_RMS": RegisterScale(lambda count, calibration: calibration.volts(count), "V", 2),
        "WATT": RegisterScale(lambda count, calibration: calibration.watts(count), "W", 2),
        "CF_CNT": RegisterScale(lambda count, calibration: count * scaling.wh_per_count(calibration), "Wh", 1),
    }


def excess_power(watt: int, *, i_rms: int, v_rms: int, scaling: Scaling) -> str:
    """See ``ChipSample``."""
    apparent = i_rms * v_rms * scaling.watt_identity
    if abs(watt) <= apparent * _WATT_MARGIN + _WATT_SLACK:
        return ""
    return f"WATT {watt} is more than volts times amps allow, {apparent:.0f}"
