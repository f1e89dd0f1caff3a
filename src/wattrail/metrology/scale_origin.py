"""Which constants scale a meter, where they come from, and whether the mains voltage they lead to is one that exists.

Several places may say how a meter scales. ``held_scale`` decides between them, and nothing else does.

The constants of the wrong board give numbers that look right: a PZIOT-E01 read as the reference circuit shows 632.5 W
for 1150 W, at the right voltage, because both have the same divider. So assumed constants are always said, and a
voltage far from every mains is a sign that the divider is another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from wattrail.calibration import Calibration
from wattrail.chips.protocol import MeteringChip
from wattrail.chips.scaling import Scaling
from wattrail.front_end import FRONT_ENDS, FrontEnd, front_ends_of

__all__ = [
    "CALIBRATED",
    "Scale",
    "ScaleClaims",
    "ScaleOrigin",
    "ScaleSource",
    "fitting_front_ends",
    "held_scale",
    "is_mains_voltage",
    "scale_of_parts",
]

MAINS_VOLTS: Final = (100, 110, 120, 127, 220, 230, 240)
MAINS_MARGIN: Final = 0.15
"""Nominal voltages, and how far a supply may be from one: 10 % by EN 50160, and rural lines more."""


class ScaleSource(Enum):
    """Who says which constants hold."""

    CALIBRATED = "calibrated"
    NAMED = "named"
    TWIN = "twin"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class ScaleOrigin:
    """``front_end`` is the name of the parts behind the constants, None where they were measured or typed."""

    source: ScaleSource
    front_end: str | None = None

    @property
    def is_assumed(self) -> bool:
        """Whether nobody has said which board this is."""
        return self.source is ScaleSource.ASSUMED

    def words(self) -> str:
        """One sentence; with what the power would be on the other boards, where the board is assumed."""
        if self.front_end is None:
            return "calibrated constants"
        if not self.is_assumed:
            return f"front end {self.front_end}, not calibrated"
        others = (f"x{ratio:.3g} on {name}" for name, ratio in _power_ratios(FRONT_ENDS[self.front_end]).items())
        return f"front end {self.front_end}, assumed because none was named; power would be {', '.join(others)}"

    def as_dict(self, scale: Calibration) -> dict[str, object]:
        """For JSON."""
        return {
            "source": self.source.value,
            "front_end": self.front_end,
            "counts_per_volt": scale.counts_per_volt,
            "counts_per_amp": scale.counts_per_amp,
            "counts_per_watt": scale.counts_per_watt,
        }


# Rounding of the parts' values: boards that differ by less are the same for a reader.
_SAME_WITHIN: Final = 0.001
CALIBRATED: Final = ScaleOrigin(ScaleSource.CALIBRATED)


class Scale(NamedTuple):
    """The constants of a meter, and where they come from."""

    calibration: Calibration
    origin: ScaleOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleClaims:
    """Who says how a meter scales, the first of them that says something holds. None: says nothing.

    ``override`` is a front end named for this one run (``--front-end``); ``given`` are constants in the configuration,
    or those that a program passes; ``kept`` is the newest calibration kept under the meter's name, which scales no
    meter if it is ``kept_of_twin``, and no twin otherwise; ``front_end`` are the parts that the configuration or a
    program names. ``inverted`` flips the sign of power whichever holds, and constants that were measured inverted stay
    so without it.
    """

    override: str | None = None
    given: Calibration | None = None
    kept: Calibration | None = None
    kept_of_twin: bool = False
    front_end: str | None = None
    inverted: bool = False

    def holds_kept(self, *, simulated: bool) -> bool:
        """Whether the kept calibration holds."""
        # A twin has parts of its own: constants that were measured on it would scale a meter wrongly (ADR 14).
        silent = self.override is None and self.given is None
        return silent and self.kept is not None and self.kept_of_twin == simulated

    @property
    def named(self) -> tuple[str, ...]:
        """Every front end that is named."""
        return tuple(name for name in (self.override, self.front_end) if name is not None)


def held_scale(claims: ScaleClaims, usual: Scale, *, simulated: bool, scaling: Scaling | None = None) -> Scale:
    """The scale that holds: the first claim there is, else the ``usual`` one. Raises KeyError for an unknown front end.

    ``simulated`` says that what is read is a twin, or a capture of one. ``scaling`` is the chip's, needed
    where a front end is named.

    What was measured wins over parts, as it is exact to the reference and they are to 2 %; what a person typed wins
    over what a program kept; and what was typed last, for one run, wins over all.
    """
    measured = claims.kept if claims.holds_kept(simulated=simulated) else claims.given
    if claims.override is not None:
        calibration, origin = scale_of_parts(claims.override, ScaleSource.NAMED, scaling)
    elif measured is not None:
        calibration, origin = measured, CALIBRATED
    elif claims.front_end is not None:
        calibration, origin = scale_of_parts(claims.front_end, ScaleSource.NAMED, scaling)
    else:
        calibration, origin = usual
    return Scale(replace(calibration, inverted=calibration.inverted or claims.inverted), origin)


def scale_of_parts(front_end: str, source: ScaleSource, scaling: Scaling | None) -> Scale:
    """The constants that follow from known parts before a chip. Raises KeyError for others, ValueError without chip."""
    if scaling is None:
        raise ValueError("a named front end scales a meter by the numbers of its chip: give them")
    return Scale(scaling.calibration_of(FRONT_ENDS[front_end]), ScaleOrigin(source, front_end))


def is_mains_voltage(value: float) -> bool:
    """Whether volts are near one of the world's nominal voltages."""
    return any(abs(value - nominal) <= MAINS_MARGIN * nominal for nominal in MAINS_VOLTS)


def fitting_front_ends(v_rms: int, chip: MeteringChip) -> tuple[str, ...]:
    """Known front ends of a chip with which a V_RMS count is a mains voltage."""
    return tuple(
        parts.name
        for parts in front_ends_of(chip.name)
        if is_mains_voltage(chip.scaling.calibration_of(parts).volts(v_rms))
    )


def _power_ratios(assumed: FrontEnd) -> dict[str, float]:
    """By what factor power would differ on the other boards of the same chips, by their name."""

    def gain(parts: FrontEnd) -> float:
        return parts.millivolts_per_amp * parts.millivolts_per_volt

    alike = {parts.name: gain(assumed) / gain(parts) for chip in assumed.chips for parts in front_ends_of(chip)}
    return {name: ratio for name, ratio in alike.items() if abs(ratio - 1) > _SAME_WITHIN}
