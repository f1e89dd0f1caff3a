"""The energy counter of a BL0942 as a register that the ledger books."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from wattrail.energy_register import Direction, EnergyRegister, Persistence

__all__ = ["energy_register"]

_CF_UNIT_US: Final = 419_430_400_000
"""WATT counts times microseconds in one count of the energy counter. Source: bl0942-ds/energy."""

_MWH_PER_COUNT: Final = Fraction(_CF_UNIT_US, 3_600_000)
"""Milliwatt-hours times counts per watt in one count of the energy counter."""

_MAX_WATT_COUNT: Final = 1 << 23
"""The power register has 23 bits and a sign, so no chip counts faster than twenty counts a second."""

_LATE_FRAME_COUNTS: Final = 22
"""A frame that comes late shows a counter of up to a second ago: twenty counts, and two of slack."""


def energy_register(micro_counts_per_watt: int) -> EnergyRegister:
    """CF_CNT with that calibration constant, in millionths of a count per watt so that its step is exact."""
    return EnergyRegister(
        name="energy",
        step_mwh=_MWH_PER_COUNT * 1_000_000 / micro_counts_per_watt,
        direction=Direction.SUM,
        persistence=Persistence.VOLATILE,
        max_counts_per_us=Fraction(_MAX_WATT_COUNT, _CF_UNIT_US),
        modulus=1 << 24,
        slack=_LATE_FRAME_COUNTS,
        is_confirmed=True,
    )
