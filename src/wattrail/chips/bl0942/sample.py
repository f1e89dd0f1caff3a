"""The electrical registers of the BL0942, together, and what cannot be true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.belling import RmsUpdate
from wattrail.chips.bl0942.constants import I_CLIP_MV, V_CLIP_MV
from wattrail.chips.bl0942.registers import (
    CF_CNT,
    FREQ,
    GAIN,
    GAIN_CR,
    I_FAST_RMS,
    I_RMS,
    MODE,
    RMS_UPDATE,
    STATUS,
    UNKNOWN,
    V_RMS,
    V_ZX_LOW,
    WATT,
    Gain,
)
from wattrail.chips.bl0942.scaling import SCALING, hertz
from wattrail.chips.protocol import excess_power
from wattrail.chips.scaling import quantities_of
from wattrail.units import Quantities
from wattrail.wire import Register

__all__ = ["SETTINGS", "Bl0942Sample"]

SETTINGS: Final = {
    # 8F, which OpenBeken, ESPHome and Shelly write too; Tasmota leaves the reset value.
    MODE: RMS_UPDATE.put(MODE.reset, RmsUpdate.MS_800),
    # The published formulas hold for 16 (V1.05). What another gain
    # makes of them is stated nowhere, and nobody has measured it.
    GAIN_CR: GAIN.put(GAIN_CR.reset, Gain.X16),
}
"""What the chip is set to. MODE differs from its reset value on purpose: back at 0x87 is one sign of a restart."""

MAX_I_RMS: Final = round(SCALING.i_rms_per_mv * I_CLIP_MV)
MAX_V_RMS: Final = round(SCALING.v_rms_per_mv * V_CLIP_MV)
"""A square wave that touches the clipping limit of the pins: nothing has a larger rms."""

MIN_FREQ, MAX_FREQ = 14_000, 25_000
"""71 Hz and 40 Hz: beyond any mains, and any generator worth metering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bl0942Sample:
    """Counts of the electrical registers. ``i_fast_rms`` is None over SPI, where it is not part of a sample."""

    v_rms: int
    i_rms: int
    watt: int
    freq: int
    cf_cnt: int
    status: int
    i_fast_rms: int | None = None

    @classmethod
    def of(cls, counts: Mapping[Register, int]) -> Bl0942Sample:
        """The sample in the registers of a packet, or in those that were read one by one."""
        return cls(
            i_rms=counts[I_RMS],
            v_rms=counts[V_RMS],
            watt=counts[WATT],
            cf_cnt=counts[CF_CNT],
            freq=counts[FREQ],
            status=counts[STATUS],
            i_fast_rms=counts.get(I_FAST_RMS),
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """See ``Sample``; with MODE, which is confirmed beside every sample of a reading."""
        shown = {name: count for name in _SHOWN if (count := getattr(self, name)) is not None}
        return {**shown, "mode": SETTINGS[MODE]}

    @property
    def energy_count(self) -> int:
        """See ``ChipSample``."""
        return self.cf_cnt

    @property
    def sees_mains(self) -> bool:
        """The voltage is high enough for its zero crossings, hence FREQ, to mean something."""
        return not V_ZX_LOW.get(self.status)

    @property
    def held(self) -> tuple[int, ...]:
        """I_RMS, V_RMS, WATT, FREQ and the known STATUS bits; not I_FAST_RMS, which changes every cycle."""
        # Bit 5 of STATUS toggles between packets of one load (captures
        # tas-14829, tas-bulb40): no two samples would be equal.
        return self.i_rms, self.v_rms, self.watt, self.freq, self.status & ~UNKNOWN.mask

    def quantities(self, calibration: Calibration | None) -> Quantities:
        """See ``Sample``. Raises ValueError without a calibration."""
        frequency = hertz(self.freq) if self.sees_mains else None
        return quantities_of(calibration, v_rms=self.v_rms, i_rms=self.i_rms, watt=self.watt, hertz=frequency)

    def contradictions(self) -> tuple[str, ...]:
        """See ``ChipSample``."""
        found = []
        if self.i_rms > MAX_I_RMS:
            found.append(f"I_RMS {self.i_rms} is above {MAX_I_RMS}, where the pins clip")
        if self.v_rms > MAX_V_RMS:
            found.append(f"V_RMS {self.v_rms} is above {MAX_V_RMS}, where the pins clip")
        # Without mains FREQ is not measured and stays where it was,
        # at 20000 if mains never came: exactly 50 Hz (captured).
        if self.freq == 0 or (self.sees_mains and not MIN_FREQ <= self.freq <= MAX_FREQ):
            found.append(f"FREQ {self.freq} is outside {MIN_FREQ}..{MAX_FREQ}")
        return tuple(found)

    def excess_power(self) -> str:
        """See ``ChipSample``."""
        return excess_power(self.watt, i_rms=self.i_rms, v_rms=self.v_rms, scaling=SCALING)


_SHOWN: Final = tuple(field.name for field in fields(Bl0942Sample))
