"""The registers of the BL0942 over time: STATUS, FREQ, gain, clear-on-read, outputs by OT_FUNX, the rate by MODE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from wattrail.chips.bl0942 import constants, registers
from wattrail.chips.bl0942.constants import (
    BAUD_RATES,
    CREEP_STEP,
    FREQ_NUMERATOR,
    I_ZX_BELOW,
    V_ZX_BELOW,
)
from wattrail.chips.bl0942.registers import (
    CF1,
    CF2,
    CF_CNT,
    CF_CNT_ADD,
    CF_CNT_CLEAR,
    CF_EN,
    FAST_RMS,
    FREQ,
    FREQ_CYC,
    GAIN,
    GAIN_CR,
    I_FAST_RMS,
    I_FAST_RMS_CYC,
    I_FAST_RMS_TH,
    I_RMS,
    MODE,
    OT_FUNX,
    RMS_UPDATE,
    STATUS,
    UART_RATE,
    V_RMS,
    WA_CREEP,
    WATT,
    ZX,
    Gain,
    Output,
    UartRate,
)
from wattrail.twin.chip_array import ChipArray
from wattrail.twin.chip_tables import RegisterTable, Silicon
from wattrail.twin.front_end import PinSignals
from wattrail.twin.mains import tick_at
from wattrail.twin.measurement import BoolArray, MeasurementPlan, MeasurementSettings
from wattrail.twin.noise import FloatArray, IntArray, Noise
from wattrail.twin.options import TwinOptions
from wattrail.wire.register import Register

__all__ = ["Bl0942Array"]

_STATUS_NOISE = 17
_GAINS: Final = np.array([gain.factor / Gain.X16.factor for gain in Gain])
_FAST_TICKS: Final = np.array([1, 1, 1, 2, 4, 4, 4, 4])  # shorter windows than a tick are one tick
_OUTPUTS: Final = {"cf1": CF1, "cf2": CF2, "zx": ZX}
_FAST_RATES: Final = {UartRate.BAUD_19200: BAUD_RATES[2], UartRate.BAUD_38400: BAUD_RATES[3]}


class Bl0942Array(ChipArray):
    """N BL0942. The option ``toggling`` moves STATUS bit 5 by chance."""

    registers: ClassVar[RegisterTable] = registers
    silicon: ClassVar[Silicon] = constants
    electrical = (I_RMS, V_RMS, I_FAST_RMS, WATT, CF_CNT, FREQ, STATUS)
    measuring = frozenset((MODE, WA_CREEP, GAIN_CR, I_FAST_RMS_CYC, FREQ_CYC))
    tracked = FREQ
    frequency = FREQ
    reset_clears_counter = True  # drivers depend on it
    pulse_s = 0.08

    def _prepare(self, seeds: Sequence[int], options: TwinOptions) -> None:
        self._toggle = Noise(seeds, _STATUS_NOISE) if options.get("toggling", True) else None

    def _settings(self) -> MeasurementSettings:
        return MeasurementSettings(
            gain=_GAINS[self.setting(GAIN_CR, GAIN)],
            see_dc=1.0 - self.setting(MODE, FAST_RMS).astype(np.float64),
            creep=self._words[WA_CREEP.address][:, None].astype(np.float64) * CREEP_STEP,
            counting=self.setting(MODE, CF_EN) == 1,
            absolute=self.setting(MODE, CF_CNT_ADD) == 1,
            slow=self.setting(MODE, RMS_UPDATE) == 1,
            fast_ticks=_FAST_TICKS[self._words[I_FAST_RMS_CYC.address]][:, None],
        )

    def _tracked_counts(self, plan: MeasurementPlan, pins: PinSignals) -> tuple[FloatArray, BoolArray]:
        """FREQ, which stands still where there is too little voltage to time."""
        ticks = 1 << self._words[FREQ_CYC.address][:, None]
        # Without mains it keeps what it had: 20000, so 50.000 Hz, if mains never came (Tasmota 23775).
        seen = plan.by_tick(plan.v_rms) >= V_ZX_BELOW
        period = FREQ_NUMERATOR / np.maximum(pins.hertz, 16.0)
        # Every FREQ in captures is 6 modulo 8, but the reset value: a step of 0.02 Hz. For other FREQ_CYC nobody has
        # looked.
        counts = np.minimum(8 * np.rint((period - 6) / 8) + 6, FREQ.highest)
        return counts, seen & (plan.ended % ticks == 0)

    def _measured(self, register: Register, plan: MeasurementPlan, time: float) -> IntArray:
        if register is not STATUS:
            return super()._measured(register, plan, time)
        column = plan.refreshes_at(time)
        i_rms, v_rms = plan.i_rms[:, column], plan.v_rms[:, column]
        live = (v_rms >= V_ZX_BELOW).astype(np.int64)  # no capture without mains shows CREEP_F, or bit 5
        zero_crossings = (i_rms < I_ZX_BELOW).astype(np.int64) << 8 | 1 - live << 9
        return zero_crossings | live * (self._bit_five(time) << 5 | plan.creep[:, column] << 1) | plan.reverse_at(time)

    def _bit_five(self, time: float) -> IntArray:
        if self._toggle is None:
            return np.zeros(self.size, dtype=np.int64)
        # Documented as 0; in captures it moves between packets, and nobody knows by what.
        refresh = tick_at(time) // self._plan.refresh_ticks
        return (self._toggle.normal(refresh, 1)[:, 0] > 0).astype(np.int64)

    def after_read(self, register: Register, time: float, row: int) -> None:
        """Clear CF_CNT if it was that, and MODE asks for it."""
        # By a packet as well: hosts that read nothing else get the count of each interval (OpenBK7231T_App PR 1147).
        if register is CF_CNT and CF_CNT_CLEAR.get(int(self._words[MODE.address][row])):
            self.set_counter(time, 0, row)

    def baud(self, strap: int, row: int) -> int:
        """The rate of the UART: by MODE, else by strap."""
        return _FAST_RATES.get(UartRate(UART_RATE.get(int(self._words[MODE.address][row]))), strap)

    def output(self, name: str, time: float, row: int) -> bool:
        """The level of cf1, cf2 or zx. Raises KeyError for another name."""
        self.advance(time)
        code = _OUTPUTS[name].get(int(self._words[OT_FUNX.address][row]))
        if code == Output.ENERGY_PULSE:
            return self._pulse(row)
        if code == Output.OVER_CURRENT:
            return bool(self.read(I_FAST_RMS, time)[row] >> 8 >= self._words[I_FAST_RMS_TH.address][row])
        if code == Output.VOLTAGE_ZERO_CROSSING:
            return self._half_wave(V_RMS, row, below=V_ZX_BELOW)
        return self._half_wave(I_RMS, row, below=I_ZX_BELOW)
