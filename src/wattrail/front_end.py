"""Front ends as the parts they are built from: what arrives at the pins for a volt and an ampere of mains.

A meter's scale follows from its shunt or transformer and its divider; nothing here is a pasted constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "FRONT_ENDS",
    "CurrentTransformer",
    "Divider",
    "FrontEnd",
    "Shunt",
    "VoltageTransformer",
    "front_ends_of",
]


@dataclass(frozen=True, slots=True)
class Shunt:
    """A resistor in the line."""

    ohms: float

    @property
    def millivolts_per_amp(self) -> float:
        """Pin signal for one ampere of line current."""
        return self.ohms * 1e3


@dataclass(frozen=True, slots=True)
class CurrentTransformer:
    """A transformer around the wire, ``ratio``:1, loaded with a burden; the wire may pass through more than once."""

    ratio: float
    burden_ohms: float
    turns: int = 1

    @property
    def millivolts_per_amp(self) -> float:
        """Pin signal for one ampere of line current."""
        return self.burden_ohms * self.turns / self.ratio * 1e3


@dataclass(frozen=True, slots=True)
class Divider:
    """Two resistors across the line; the chip sees the lower one."""

    top_ohms: float
    bottom_ohms: float

    @property
    def millivolts_per_volt(self) -> float:
        """Pin signal for one volt of line voltage."""
        return self.bottom_ohms / (self.top_ohms + self.bottom_ohms) * 1e3


@dataclass(frozen=True, slots=True)
class VoltageTransformer:
    """A 1:1 current-type transformer: the series resistor makes the current, the burden the voltage."""

    series_ohms: float
    burden_ohms: float

    @property
    def millivolts_per_volt(self) -> float:
        """Pin signal for one volt of line voltage."""
        return self.burden_ohms / self.series_ohms * 1e3


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The analogue parts between the mains and the chip. ``chips`` are the metering chips that are met behind them."""

    name: str
    current: Shunt | CurrentTransformer
    voltage: Divider | VoltageTransformer
    evidence: str
    chips: tuple[str, ...] = ("bl0942",)

    @property
    def millivolts_per_amp(self) -> float:
        """Pin signal for one ampere of line current."""
        return self.current.millivolts_per_amp

    @property
    def millivolts_per_volt(self) -> float:
        """Pin signal for one volt of line voltage."""
        return self.voltage.millivolts_per_volt


_USUAL_DIVIDER: Final = Divider(top_ohms=5 * 390e3, bottom_ohms=510)

_TABLE: Final = (
    FrontEnd(
        "reference",
        Shunt(1e-3),
        _USUAL_DIVIDER,
        "application notes of the BL0942 and the BL0940, reference circuit",
        chips=("bl0942", "bl0940"),
    ),
    FrontEnd(
        "lspa9",
        Shunt(1e-3),
        _USUAL_DIVIDER,
        "plug with a 1 milliohm shunt; divider as captures of such plugs show",
    ),
    FrontEnd(
        "pziot-e01",
        CurrentTransformer(ratio=2000, burden_ohms=1.1),
        _USUAL_DIVIDER,
        "inferred from 0.34 Wh a count (OpenBK7231T_App PR #827); burden and divider not yet measured on a board",
    ),
    FrontEnd(
        "ct-example",
        CurrentTransformer(ratio=2000, burden_ohms=1.02),
        _USUAL_DIVIDER,
        "application note, transformer example",
    ),
    FrontEnd(
        "zmpt107",
        CurrentTransformer(ratio=2000, burden_ohms=2),
        VoltageTransformer(series_ohms=100e3, burden_ohms=24.9),
        "ESP32 boards with a voltage transformer",
    ),
    FrontEnd(
        "bw-shp10",
        Shunt(1e-3),
        Divider(top_ohms=1988, bottom_ohms=1),  # the ratio is known, the resistors are not
        "plug BW-SHP10: 33000 counts a volt, 275000 an ampere in Tasmota and ESPHome, before a calibration",
        chips=("bl0940",),
    ),
)

FRONT_ENDS: Final[Mapping[str, FrontEnd]] = MappingProxyType({front_end.name: front_end for front_end in _TABLE})
"""Known front ends by name."""


def front_ends_of(chip: str) -> tuple[FrontEnd, ...]:
    """The known front ends behind which a chip is met, by the chip's name."""
    return tuple(front_end for front_end in _TABLE if chip in front_end.chips)
