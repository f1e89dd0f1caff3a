"""Calibration constants that a factory left in flash: four words at the start of a sector, and nothing behind them.

    u32 counts per volt   u32 counts per ampere / 10   u32 counts per watt * 10   u32 counts per kilowatt-hour

The same four numbers are Tuya's data points 22 to 25. They are believed only if they fit each other as counts of a
BL0942 do: counts of power follow from those of voltage and current, counts of energy from those of power.
Source: bl0942-boards/factory-constants.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from wattrail.calibration import Calibration
from wattrail.image.layout import SECTOR

__all__ = ["COUNTS_PER_KWH", "COUNTS_PER_WATT", "FactoryConstants", "find_factory_constants"]

COUNTS_PER_WATT: Final = 3537 / (305978 * 73989)
"""Counts per watt over counts per volt times counts per ampere, of a BL0942 at its usual gain."""

COUNTS_PER_KWH: Final = 3_600_000 / 419430.4
"""Counts per kilowatt-hour over counts per watt, of a BL0942."""

_WORDS: Final = struct.Struct("<4I")
_POWER_WITHIN: Final = 0.01
"""As ``metrology.calibrate`` takes them. The factory calibrates each by itself: one board is off by 0.2 %."""

_ENERGY_WITHIN: Final = 0.002
"""Energy is computed from power and rounded to a whole number."""


@dataclass(frozen=True, slots=True)
class FactoryConstants:
    """``at`` is where they stand in flash; ``words`` are as stored."""

    at: int
    words: tuple[int, int, int, int]
    chip: str
    calibration: Calibration
    counts_per_kwh: int


def find_factory_constants(flash: bytes, base: int = 0) -> FactoryConstants | None:
    """The first sector of some bytes of flash that begins with four constants that fit each other."""
    for at in range(-base % SECTOR, len(flash) - SECTOR + 1, SECTOR):
        # Counts per volt are 15,000 to 16,000 on every board that was seen, so the upper half of that word is 0.
        # Source: bl0942-boards/factory-constants
        if flash[at : at + 4] == b"\xff\xff\xff\xff" or flash[at + 2 : at + 4] != b"\0\0":
            continue
        words = _WORDS.unpack_from(flash, at)
        if _fit(*words) and not flash[at + _WORDS.size : at + SECTOR].strip(b"\xff"):
            # The factory keeps amperes in tens and tenths of watts: 12418 for 124180, 3091 for 309.1.
            volt, amp, watt, kwh = words
            return FactoryConstants(base + at, words, "BL0942", Calibration(volt, amp * 10.0, watt / 10), kwh)
    return None


def _fit(volt: int, amp: int, watt: int, kwh: int) -> bool:
    if not (volt and amp and watt and kwh):
        return False
    power = volt * amp * 10 * COUNTS_PER_WATT
    energy = watt / 10 * COUNTS_PER_KWH
    return abs(watt / 10 / power - 1) <= _POWER_WITHIN and abs(kwh - energy) <= max(1.0, energy * _ENERGY_WITHIN)
