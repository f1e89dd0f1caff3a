"""The registers of the BL0940 over time: a counter that goes both ways, CORNER, temperatures, a second channel.

The packet has four cells that the datasheet calls reserved. On real chips they are not 0: they look like the second
current channel of the BL0939, whose packet has current, fast current, power and energy there. The twin fills them with
such values, drawn by chance around those of five captures, so that no reader comes to expect zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from wattrail.chips.bl0940 import constants, registers
from wattrail.chips.bl0940.constants import CF_WATT_SECONDS, CREEP_STEP, TPS_OPEN
from wattrail.chips.bl0940.registers import (
    CF_CNT,
    CF_UNABLE,
    CORNER,
    FAST_RMS_THRESHOLD,
    I_FAST_RMS,
    I_FAST_RMS_CTRL,
    I_RMS,
    MODE,
    RMS_UPDATE,
    TPS1,
    TPS2,
    TPS_ALARM,
    TPS_CTRL,
    TPS_INPUTS,
    TPS_THRESHOLD,
    V_RMS,
    WA_CREEP,
    WATT,
    AlarmSource,
    CfOutput,
    TemperatureInputs,
)
from wattrail.twin.chip_array import ChipArray
from wattrail.twin.chip_tables import RegisterTable, Silicon
from wattrail.twin.front_end import PinSignals
from wattrail.twin.mains import tick_at
from wattrail.twin.measurement import BoolArray, MeasurementPlan, MeasurementSettings
from wattrail.twin.noise import FloatArray, IntArray, Noise
from wattrail.twin.options import TwinOptions
from wattrail.wire.register import Register

__all__ = ["CF_B", "I_B", "I_FAST_B", "WATT_B", "Bl0940Array"]

# Cells of the packet without an address: these are out of reach of the eight bits a bus has.
I_B: Final = Register(0x107, "I_B", 24, 0, "reserved; like the current of a second channel")
I_FAST_B: Final = Register(0x10D, "I_FAST_B", 24, 0, "reserved; like its fast current")
WATT_B: Final = Register(0x113, "WATT_B", 24, 0, "reserved; like its power")
CF_B: Final = Register(0x119, "CF_B", 24, 0, "reserved; like its energy")

_SECOND_NOISE = 18
_SECOND: Final = {I_B: (690.0, 40.0), I_FAST_B: (500.0, 60.0), WATT_B: (290.0, 25.0)}
"""Mean and deviation of what captures show; without mains only the fast current was there."""

_CELSIUS = 25.0


class Bl0940Array(ChipArray):
    """N BL0940. The option ``celsius`` is the temperature of the chips; nothing is connected to the second input."""

    registers: ClassVar[RegisterTable] = registers
    silicon: ClassVar[Silicon] = constants
    electrical = (I_FAST_RMS, I_RMS, V_RMS, WATT, CF_CNT, TPS1, TPS2)
    measuring = frozenset((MODE, WA_CREEP))
    tracked = CORNER
    reset_clears_counter = False
    pulse_s = 0.09

    def _prepare(self, seeds: Sequence[int], options: TwinOptions) -> None:
        self._second = Noise(seeds, _SECOND_NOISE)
        self._powered_at = np.zeros(len(seeds))
        self._tps1 = round(64 + (options.get("celsius", _CELSIUS) + 45) * 896 / 170)

    def _settings(self) -> MeasurementSettings:
        ones = np.ones((self.size, 1))
        return MeasurementSettings(
            gain=ones,
            see_dc=ones,
            creep=self._words[WA_CREEP.address][:, None].astype(np.float64) * CREEP_STEP,
            counting=ones == 1,
            absolute=ones == 0,
            slow=self.setting(MODE, RMS_UPDATE) == 1,
            fast_ticks=ones.astype(np.int64),  # half a cycle and one cycle: shorter than a tick
        )

    def _tracked_counts(self, plan: MeasurementPlan, pins: PinSignals) -> tuple[FloatArray, BoolArray]:
        """CORNER: microseconds between voltage and current, which way unknown; it stands still without a current."""
        cosine = pins.power / np.maximum(pins.volts * pins.amps, 1e-12)
        counts = np.rint(np.arccos(np.clip(cosine, -1, 1)) / (2 * math.pi * pins.hertz) * 1e6)
        live = (plan.by_tick(plan.i_rms) > 0) & (plan.by_tick(plan.v_rms) > 0)
        return counts, live & (plan.ended % plan.refresh_ticks == 0)

    def _measured(self, register: Register, plan: MeasurementPlan, time: float) -> IntArray:
        if register is TPS1:
            return np.full(self.size, self._tps1, dtype=np.int64)
        if register is TPS2:
            only_internal = self.setting(TPS_CTRL, TPS_INPUTS)[:, 0] == TemperatureInputs.INTERNAL
            return np.where(only_internal, 0, TPS_OPEN)
        if register is CF_B:
            since = np.maximum(time - self._powered_at, 0.0)
            return np.floor(since * _SECOND[WATT_B][0] / CF_WATT_SECONDS).astype(np.int64)
        if register in _SECOND:
            return self._second_channel(register, plan, time)
        return super()._measured(register, plan, time)

    def _second_channel(self, register: Register, plan: MeasurementPlan, time: float) -> IntArray:
        mean, deviation = _SECOND[register]
        place = tick_at(time) // plan.refresh_ticks * len(_SECOND) + list(_SECOND).index(register)
        counts = np.rint(mean + deviation * self._second.normal(place, 1)[:, 0]).clip(1)
        live = (plan.v_rms[:, plan.refreshes_at(time)] > 0) | (register is I_FAST_B)
        return np.where(live, counts, 0).astype(np.int64)

    def power_on(self, time: float, row: int) -> None:
        """The supply came back: nothing of what was before is left."""
        super().power_on(time, row)
        self._powered_at[row] = time

    def output(self, name: str, time: float, row: int) -> bool:
        """The level of cf or zx. Raises KeyError for another name."""
        self.advance(time)
        if name == "zx":
            return self._half_wave(V_RMS, row, below=1)
        if name != "cf":
            raise KeyError(name)
        if self.setting(MODE, CF_UNABLE)[row, 0] == CfOutput.ENERGY_PULSE:
            return self._pulse(row)
        if self.setting(TPS_CTRL, TPS_ALARM)[row, 0] == AlarmSource.OVER_CURRENT:
            threshold = self.setting(I_FAST_RMS_CTRL, FAST_RMS_THRESHOLD)[row, 0]
            return bool(self.read(I_FAST_RMS, time)[row] >> 9 >= threshold)
        return bool(self.read(TPS2, time)[row] >= self.setting(TPS_CTRL, TPS_THRESHOLD)[row, 0])
