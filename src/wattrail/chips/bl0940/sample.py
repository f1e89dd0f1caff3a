"""The electrical registers of the BL0940, together, and what cannot be true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.belling import RmsUpdate
from wattrail.chips.bl0940.constants import I_CLIP_MV
from wattrail.chips.bl0940.registers import (
    CF_CNT,
    I_FAST_RMS,
    I_RMS,
    MODE,
    RMS_UPDATE,
    TPS1,
    TPS2,
    V_RMS,
    WATT,
)
from wattrail.chips.bl0940.scaling import SCALING, celsius
from wattrail.chips.protocol import excess_power
from wattrail.chips.scaling import quantities_of
from wattrail.units import Quantities
from wattrail.wire import Register

__all__ = ["SETTINGS", "Bl0940Sample"]

SETTINGS: Final = {MODE: RMS_UPDATE.put(MODE.reset, RmsUpdate.MS_800)}
"""What the chip is set to. It has no other sign of a restart: MODE comes up as 0, so 800 ms is the mark we set."""

MAX_I_RMS: Final = round(SCALING.i_rms_per_mv * I_CLIP_MV)
"""A square wave that touches the clipping limit of the pins. V_RMS has no such limit: see ``constants``."""

MIN_V_RMS: Final = 1 << 18
"""Below it there is no mains: 15 V on the reference circuit, 8 V on a BW-SHP10, which shows 533 without (capture 5).

The chip has no flag for it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bl0940Sample:
    """Counts of the electrical registers, and the two temperature inputs."""

    v_rms: int
    i_rms: int
    watt: int
    cf_cnt: int
    i_fast_rms: int
    tps1: int
    tps2: int

    @classmethod
    def of(cls, counts: Mapping[Register, int]) -> Bl0940Sample:
        """The sample in the registers of a packet."""
        return cls(
            i_rms=counts[I_RMS],
            v_rms=counts[V_RMS],
            watt=counts[WATT],
            cf_cnt=counts[CF_CNT],
            i_fast_rms=counts[I_FAST_RMS],
            tps1=counts[TPS1],
            tps2=counts[TPS2],
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """See ``Sample``; with MODE, which is confirmed beside every sample of a reading."""
        return {**{name: getattr(self, name) for name in _SHOWN}, "mode": SETTINGS[MODE]}

    @property
    def energy_count(self) -> int:
        """See ``ChipSample``."""
        return self.cf_cnt

    @property
    def sees_mains(self) -> bool:
        """See ``ChipSample``."""
        return self.v_rms >= MIN_V_RMS

    @property
    def held(self) -> tuple[int, ...]:
        """I_RMS, V_RMS, WATT; not I_FAST_RMS, which changes every cycle, nor the temperatures."""
        return self.i_rms, self.v_rms, self.watt

    def quantities(self, calibration: Calibration | None) -> Quantities:
        """See ``Sample``. Raises ValueError without a calibration."""
        return quantities_of(
            calibration, v_rms=self.v_rms, i_rms=self.i_rms, watt=self.watt, celsius=celsius(self.tps1)
        )

    def contradictions(self) -> tuple[str, ...]:
        """See ``ChipSample``."""
        if self.i_rms > MAX_I_RMS:
            return (f"I_RMS {self.i_rms} is above {MAX_I_RMS}, where the pins clip",)
        return ()

    def excess_power(self) -> str:
        """See ``ChipSample``."""
        return excess_power(self.watt, i_rms=self.i_rms, v_rms=self.v_rms, scaling=SCALING)


_SHOWN: Final = tuple(field.name for field in fields(Bl0940Sample))
