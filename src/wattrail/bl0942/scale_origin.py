"""Where a meter's scale comes from, and whether the mains voltage it leads to is one that exists.

The constants of the wrong board give numbers that look right: a PZIOT-E01 read as the reference circuit shows 632.5 W
for 1150 W, at the right voltage, because both have the same divider. So assumed constants are always said, and a
voltage far from every mains is a sign that the divider is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wattrail.bl0942.parts import FRONT_ENDS
from wattrail.bl0942.scaling import Calibration, volts

__all__ = ["CALIBRATED", "ScaleOrigin", "ScaleSource", "fitting_front_ends", "is_mains_voltage"]

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

    def words(self, scale: Calibration) -> str:
        """One sentence; with what the power would be on the other boards, where the board is assumed."""
        if self.front_end is None:
            return "calibrated constants"
        if not self.is_assumed:
            return f"front end {self.front_end}, not calibrated"
        others = (
            f"x{scale.counts_per_watt / Calibration.of(parts).counts_per_watt:.3g} on {name}"
            for name, parts in FRONT_ENDS.items()
            if abs(scale.counts_per_watt / Calibration.of(parts).counts_per_watt - 1) > _SAME_WITHIN
        )
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


_SAME_WITHIN: Final = 0.001
CALIBRATED: Final = ScaleOrigin(ScaleSource.CALIBRATED)


def is_mains_voltage(value: float) -> bool:
    """Whether volts are near one of the world's nominal voltages."""
    return any(abs(value - nominal) <= MAINS_MARGIN * nominal for nominal in MAINS_VOLTS)


def fitting_front_ends(v_rms: int) -> tuple[str, ...]:
    """Known front ends with which a V_RMS count is a mains voltage."""
    return tuple(name for name, parts in FRONT_ENDS.items() if is_mains_voltage(volts(v_rms, Calibration.of(parts))))
