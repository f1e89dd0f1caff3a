"""The BL0942's own numbers as functions.

    I_RMS = 305978 * mV / 1.218        V_RMS = 73989 * mV / 1.218
    WATT  = 3537 * mV * mV * cos(phi) / 1.218**2
    one CF count = 419430.4 WATT-seconds

Source: bl0942-ds/formulas. FREQ is a period, ``f = 1e6 / FREQ``.
"""

from __future__ import annotations

from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.bl0942.constants import (
    CF_WATT_SECONDS,
    CREEP_STEP,
    FAST_RMS_RATIO,
    FREQ_NUMERATOR,
    I_FULL_SCALE_MV,
    I_RMS_PER_MV,
    V_FULL_SCALE_MV,
    V_REF,
    V_RMS_PER_MV,
    WATT_PER_MV2,
)
from wattrail.chips.bl0942.registers import WATT
from wattrail.chips.scaling import Scaling

__all__ = ["SCALING", "creep_watts", "fast_amps", "hertz"]

SCALING: Final = Scaling(
    v_rms_per_mv=V_RMS_PER_MV / V_REF,
    i_rms_per_mv=I_RMS_PER_MV / V_REF,
    watt_per_mv2=WATT_PER_MV2 / V_REF**2,
    watt_us_per_count=round(CF_WATT_SECONDS * 1_000_000),
    max_watt=1 << (WATT.bits - 1),
    v_full_scale_mv=V_FULL_SCALE_MV,
    i_full_scale_mv=I_FULL_SCALE_MV,
)


def hertz(count: int) -> float:
    """Line frequency in hertz from a FREQ count. Raises ValueError for 0, which no chip sends."""
    if count <= 0:
        raise ValueError("FREQ count 0 is not a period: the read failed")
    # Real chips count in steps of 8, which is 0.02 Hz at 50 Hz (all captures).
    return FREQ_NUMERATOR / count


def creep_watts(code: int, calibration: Calibration) -> float:
    """The no-load threshold in watts for a WA_CREEP code."""
    return code * CREEP_STEP / calibration.counts_per_watt


def fast_amps(count: int, calibration: Calibration) -> float:
    """Amperes rms of a sine from an I_FAST_RMS count."""
    return calibration.amps(count) / FAST_RMS_RATIO
