"""What cannot be: counts that no mains and no chip can produce, whatever their checksum says.

The checksum is eight bits wide and blind to errors that cancel, so physics gets a vote. Only what is impossible is
refused; unusual is allowed.
"""

from __future__ import annotations

from wattrail.chips.bl0942.constants import I_CLIP_MV, I_RMS_PER_MV, V_CLIP_MV, V_REF, V_RMS_PER_MV
from wattrail.chips.bl0942.scaling import WATT_IDENTITY
from wattrail.chips.bl0942.snapshot import Snapshot

__all__ = ["contradictions", "excess_power"]

I_RMS_MOST = round(I_RMS_PER_MV * I_CLIP_MV / V_REF)
V_RMS_MOST = round(V_RMS_PER_MV * V_CLIP_MV / V_REF)
"""A square wave that touches the clipping limit of the pins: nothing has a larger rms."""

FREQ_LEAST, FREQ_MOST = 14_000, 25_000
"""71 Hz and 40 Hz: beyond any mains, and any generator worth metering."""

_WATT_MARGIN = 1.02
_WATT_SLACK = 64
"""Power may exceed volts times amps by rounding, and by residues of the anti-creep gate (a few counts, seen)."""


def contradictions(snapshot: Snapshot) -> tuple[str, ...]:
    """Every physical impossibility in a snapshot, in words; empty when it can be true."""
    found = []
    if snapshot.i_rms > I_RMS_MOST:
        found.append(f"I_RMS {snapshot.i_rms} is above {I_RMS_MOST}, where the pins clip")
    if snapshot.v_rms > V_RMS_MOST:
        found.append(f"V_RMS {snapshot.v_rms} is above {V_RMS_MOST}, where the pins clip")
    if snapshot.freq == 0 or (snapshot.sees_mains and not FREQ_LEAST <= snapshot.freq <= FREQ_MOST):
        found.append(f"FREQ {snapshot.freq} is outside {FREQ_LEAST}..{FREQ_MOST}")
    return tuple(found)


def excess_power(snapshot: Snapshot) -> str:
    """In words by how much power exceeds volts times amps, or an empty text.

    Impossible for steady mains; true for one refresh when volts and amps both begin in the middle of it, because
    each is then averaged down and their product twice.
    """
    apparent = snapshot.i_rms * snapshot.v_rms * WATT_IDENTITY
    if abs(snapshot.watt) <= apparent * _WATT_MARGIN + _WATT_SLACK:
        return ""
    return f"WATT {snapshot.watt} is more than volts times amps allow, {apparent:.0f}"
