"""The BL0942 as a register file over time, thousands side by side: arrays of shape (chips,).

There is one code path; a single ``Chip`` is one row of a bank. Time is an argument in seconds since the twin began
and never runs backwards: asking for an earlier moment gives the latest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

import numpy as np

from wattrail.chips.bl0942.constants import CF_WATT_SECONDS, CREEP_STEP, I_CLIP_MV, I_ZX_BELOW, V_ZX_BELOW
from wattrail.chips.bl0942.registers import (
    BY_ADDRESS,
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
    I_WAVE,
    MODE,
    OT_FUNX,
    REGISTERS,
    RESET_KEY,
    RMS_UPDATE,
    SOFT_RESET,
    STATUS,
    UNLOCK_KEY,
    UNLOCKED_READS,
    USR_WRPROT,
    V_RMS,
    V_WAVE,
    WA_CREEP,
    WATT,
    ZX,
    Gain,
    Output,
)
from wattrail.twin.front_end import PinSource
from wattrail.twin.mains import tick_at
from wattrail.twin.measurement import REFRESH_TICKS, SLOTS, Held, Plan, Settings, status_word
from wattrail.twin.noise import FloatArray, IntArray, Noise
from wattrail.wire.register import Access, Field, Register

__all__ = ["ChipBank", "Waves"]

Waves = Callable[[int, float], tuple[int, int]]
"""From (row, time) to the counts of I_WAVE and V_WAVE."""

PLAN_CELLS: Final = 400_000
"""Chips times ticks computed ahead at most: some ten arrays of 3 MB."""

_CHIP_NOISE, _STATUS_NOISE = 16, 17
_WRITABLE: Final = tuple(register for register in REGISTERS if register.access is Access.READ_WRITE)
_MEASURING: Final = (MODE, WA_CREEP, GAIN_CR, I_FAST_RMS_CYC, FREQ_CYC)
_GAINS: Final = np.array([gain.factor / Gain.X16.factor for gain in Gain])
_OUTPUTS: Final = {"cf1": CF1, "cf2": CF2, "zx": ZX}
_ZX_DELAY_S = 570e-6
_PULSE_S = 0.08


class ChipBank:
    """N chips on one pin source. ``seeds`` gives each chip its own noise; ``toggling`` moves STATUS bit 5 by chance."""

    def __init__(
        self,
        source: PinSource,
        *,
        seeds: Sequence[int] | None = None,
        toggling: bool = True,
        waves: Waves | None = None,
    ) -> None:
        self.size = source.size
        self._source = source
        self._waves = waves
        seeds = range(self.size) if seeds is None else seeds
        self._noise = Noise(seeds, _CHIP_NOISE) if source.noise_uv.any() else None
        self._toggle = Noise(seeds, _STATUS_NOISE) if toggling else None
        self._horizon = 1
        self._words = {register.address: np.full(self.size, register.reset, dtype=np.int64) for register in _WRITABLE}
        self._unlocked = np.zeros(self.size, dtype=bool)
        self._base = np.zeros(self.size, dtype=np.int64)
        self._latest = 0.0
        self._plan = self._compute(0.0, Held.at_power_on(self.size))

    def advance(self, time: float) -> Plan:
        """Let time pass; returns the stretch ``time`` lies in. Raises nothing: an earlier time counts as now."""
        self._latest = time = max(time, self._latest)
        while time >= self._plan.end - 1e-9:
            self._horizon = min(4 * self._horizon, self._source.ahead)
            self._plan = self._compute(self._plan.end, self._plan.held_at(self._plan.end))
        return self._plan

    @contextmanager
    def changing(self, time: float) -> Iterator[None]:
        """Around any change of what plans are made from: mains, wiring, settings.

        What has passed is settled before the change, and what lies ahead is computed anew after it.
        """
        held = self.advance(time).held_at(self._latest)
        yield
        self._restart_from(held)

    def read(self, register: Register, time: float) -> IntArray:
        """Counts of every chip, shape (chips,), without any side effect."""
        plan = self.advance(time)
        time = self._latest
        if register.access is Access.READ_WRITE:
            return self._words[register.address].copy()
        if register is CF_CNT:
            return (self._pulses(plan, time) + self._base) % (1 << CF_CNT.bits)
        if register is STATUS:
            return self._status(plan, time)
        if register is USR_WRPROT:
            return np.where(self._unlocked, UNLOCKED_READS, 0)
        if register is I_WAVE or register is V_WAVE:
            return self._wave(register, time)
        if register is SOFT_RESET:
            return np.zeros(self.size, dtype=np.int64)
        return _column_of(register, plan, time).astype(np.int64)

    def snapshot(self, time: float) -> dict[str, IntArray]:
        """The electrical registers of every chip by name."""
        return {r.name: self.read(r, time) for r in (I_RMS, V_RMS, I_FAST_RMS, WATT, CF_CNT, FREQ, STATUS)}

    def clear_on_read(self, time: float, row: int) -> None:
        """What reading CF_CNT does: nothing, unless MODE asks for clearing."""
        if CF_CNT_CLEAR.get(int(self._words[MODE.address][row])):
            self.set_counter(time, 0, row)

    def set_counter(self, time: float, count: int, row: int) -> None:
        """Make CF_CNT that; the remainder towards the next pulse stays."""
        self._base[row] = count - self._pulses(self.advance(time), self._latest)[row]

    def write(self, address: int, word: int, time: float, row: int) -> None:
        """What a write frame does to one chip: often nothing."""
        register = BY_ADDRESS.get(address)
        if register is None or register.access is Access.READ:
            return
        if register is USR_WRPROT:
            self._unlocked[row] = word & 0xFF == UNLOCK_KEY
        elif not self._unlocked[row]:
            return
        elif register is not SOFT_RESET:
            self.store(register, word & register.highest, time, row)
        elif word == RESET_KEY:
            with self.changing(time):
                self._reset_settings(row)
            self.set_counter(time, 0, row)

    def store(self, register: Register, count: int, time: float, row: int) -> None:
        """Put a count into a writable register, whatever the lock says. Raises KeyError for the others."""
        words = self._words[register.address]
        with self.changing(time) if register in _MEASURING and words[row] != count else nullcontext():
            words[row] = count

    def power_on(self, time: float, row: int) -> None:
        """The supply came back: nothing of what was before is left."""
        held, fresh = self.advance(time).held_at(self._latest), Held.at_power_on(1)
        for name in Held.__dataclass_fields__:
            kept = np.array(getattr(held, name))
            kept[..., row] = getattr(fresh, name)[..., 0]
            setattr(held, name, kept)
        self._reset_settings(row)
        self._unlocked[row] = False
        self._base[row] = 0
        self._restart_from(held)

    def output(self, name: str, time: float, row: int) -> bool:
        """The level of a logic output: cf1, cf2 or zx. Raises KeyError for another name."""
        plan = self.advance(time)
        code = _OUTPUTS[name].get(int(self._words[OT_FUNX.address][row]))
        if code == Output.ENERGY_PULSE:
            return self._pulse(plan, self._latest, row)
        if code == Output.OVER_CURRENT:
            return bool(self.read(I_FAST_RMS, time)[row] >> 8 >= self._words[I_FAST_RMS_TH.address][row])
        if code == Output.VOLTAGE_ZERO_CROSSING:
            return self._half_wave(V_RMS, V_ZX_BELOW, 1, row)
        return self._half_wave(I_RMS, I_ZX_BELOW, 0, row)

    def _restart_from(self, held: Held) -> None:
        self._horizon = 1  # whoever changes one thing tends to change another
        self._plan = self._compute(self._latest, held)

    def _compute(self, start: float, held: Held) -> Plan:
        tick = tick_at(start)
        refreshes = max(1, min(self._horizon, PLAN_CELLS // (self.size * REFRESH_TICKS)))
        count = refreshes * REFRESH_TICKS - tick % REFRESH_TICKS
        settings = self._settings()
        see_dc = 1.0 - _field(FAST_RMS, self._words[MODE.address]).astype(np.float64)
        pins = self._source.pins(tick, count, clip_mv=I_CLIP_MV / settings.gain, see_dc=see_dc)
        noise = None if self._noise is None else self._noise.normal(tick * SLOTS, count * SLOTS)
        return Plan(start, tick, pins, noise, settings, held, self._source.noise_uv)

    def _settings(self) -> Settings:
        mode = self._words[MODE.address]
        cycles = np.array([1, 1, 1, 2, 4, 4, 4, 4])  # in ticks; half a cycle cannot be told from two
        return Settings(
            gain=_GAINS[_field(GAIN, self._words[GAIN_CR.address])],
            creep=self._words[WA_CREEP.address][:, None].astype(np.float64) * CREEP_STEP,
            counting=_field(CF_EN, mode) == 1,
            absolute=_field(CF_CNT_ADD, mode) == 1,
            slow=_field(RMS_UPDATE, mode) == 1,
            fast_ticks=cycles[self._words[I_FAST_RMS_CYC.address]][:, None],
            freq_ticks=1 << self._words[FREQ_CYC.address][:, None],
        )

    def _reset_settings(self, row: int) -> None:
        for register in _WRITABLE:
            self._words[register.address][row] = register.reset

    @staticmethod
    def _pulses(plan: Plan, time: float) -> IntArray:
        return np.floor(plan.energy_at(time) / CF_WATT_SECONDS).astype(np.int64)

    def _status(self, plan: Plan, time: float) -> IntArray:
        column = plan.refreshes_at(time)
        unknown = np.zeros(self.size, dtype=np.int64)
        if self._toggle is not None:
            refresh = tick_at(time) // REFRESH_TICKS
            unknown = (self._toggle.normal(refresh, 1)[:, 0] > 0).astype(np.int64)
            unknown *= plan.v_rms[:, column] >= V_ZX_BELOW  # no capture without mains shows it
        return status_word(
            plan.i_rms[:, column], plan.v_rms[:, column], plan.creep[:, column], plan.reverse_at(time), unknown
        )

    def _wave(self, register: Register, time: float) -> IntArray:
        if self._waves is None:
            return np.zeros(self.size, dtype=np.int64)
        which = 0 if register is I_WAVE else 1
        return np.array([self._waves(row, time)[which] for row in range(self.size)])

    def _pulse(self, plan: Plan, time: float, row: int) -> bool:
        """High for half of a short period, else for 80 ms; in absolute and algebraic counting alike."""
        rate = float(plan.rate[row, plan.ticks_at(time)])
        if rate == 0:
            return False
        part = float(plan.energy_at(time)[row]) / CF_WATT_SECONDS % 1.0
        since = part if rate > 0 else 1 - part
        period = CF_WATT_SECONDS / abs(rate)
        return since < 0.5 if period < 2 * _PULSE_S else since * period < _PULSE_S

    def _half_wave(self, register: Register, below: int, which: int, row: int) -> bool:
        if self._waves is None or self.read(register, self._latest)[row] < below:
            return False
        return self._waves(row, max(0.0, self._latest - _ZX_DELAY_S))[which] < 0


def _field(field: Field, words: IntArray) -> IntArray:
    return ((words & field.mask) >> field.low)[:, None]


def _column_of(register: Register, plan: Plan, time: float) -> FloatArray:
    """A measured register out of the plan: by refresh, or by tick for the two that keep their own time."""
    if register is I_RMS:
        return plan.i_rms[:, plan.refreshes_at(time)]
    if register is V_RMS:
        return plan.v_rms[:, plan.refreshes_at(time)]
    if register is WATT:
        return plan.watt[:, plan.refreshes_at(time)]
    if register is I_FAST_RMS:
        return plan.i_fast_rms[:, plan.ticks_at(time)]
    return plan.freq[:, plan.ticks_at(time)]
