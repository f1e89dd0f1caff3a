"""The BL0940's own numbers as functions.

    I_RMS = 324004 * mV / 1.218        V_RMS = 79931 * mV / 1.218
    WATT  = 4046 * mV * mV * cos(phi) / 1.218**2
    one CF count = 419430.4 WATT-seconds

Source: bl0940-ds/formulas.
"""

from __future__ import annotations

from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.bl0940.constants import (
    CF_WATT_SECONDS,
    CREEP_STEP,
    I_FULL_SCALE_MV,
    I_RMS_PER_MV,
    V_FULL_SCALE_MV,
    V_REF,
    V_RMS_PER_MV,
    WATT_PER_MV2,
)
from wattrail.chips.bl0940.registers import WATT
from wattrail.chips.scaling import Scaling

__all__ = ["SCALING", "celsius", "creep_watts"]

SCALING: Final = Scaling(
    v_rms_per_mv=V_RMS_PER_MV / V_REF,
    i_rms_per_mv=I_RMS_PER_MV / V_REF,
    watt_per_mv2=WATT_PER_MV2 / V_REF**2,
    watt_us_per_count=round(CF_WATT_SECONDS * 1_000_000),
    max_watt=1 << (WATT.bits - 1),
    v_full_scale_mv=V_FULL_SCALE_MV,
    i_full_scale_mv=I_FULL_SCALE_MV,
)


def celsius(count: int) -> float:
    """Temperature of the chip from a TPS1 count, 0.19 degrees a count. TPS2 has no published formula."""
    return 170 / 448 * (count / 2 - 32) - 45


def creep_watts(code: int, calibration: Calibration) -> float:
    """The no-load threshold in watts for a WA_CREEP code."""
    return code * CREEP_STEP / calibration.counts_per_watt
