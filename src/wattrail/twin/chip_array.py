"""Metering chips as register files over time, thousands side by side: arrays of shape (chips,).

There is one code path; a single ``MeterChip`` is one row of an array. Time is an argument in seconds since the twin
began and never runs backwards: asking for an earlier moment gives the latest. What the chips of this family share is
here; each folder of ``wattrail.twin.chips`` adds what one of them has for itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from typing import ClassVar, Final

import numpy as np

from wattrail.twin.chip_tables import RegisterTable, Silicon
from wattrail.twin.front_end import PinSignals, PinSource
from wattrail.twin.mains import tick_at
from wattrail.twin.measurement import (
    SLOTS,
    AccumulatorState,
    BoolArray,
    MeasurementPlan,
    MeasurementSettings,
    refresh_ticks,
)
from wattrail.twin.noise import FloatArray, IntArray, Noise
from wattrail.twin.options import TwinOptions
from wattrail.wire.register import Access, Field, Register

__all__ = ["ChipArray", "Waves"]

Waves = Callable[[int, float], tuple[int, int]]
"""From (row, time) to the counts of I_WAVE and V_WAVE."""

PLAN_CELLS: Final = 400_000
"""Chips times ticks computed ahead at most: some ten arrays of 3 MB."""

_CHIP_NOISE = 16
# Documented: the high-pass filter in front of the detector.
_ZX_DELAY_S = 570e-6


class ChipArray(ABC):
    """N chips on one pin source. ``seeds`` gives each chip its own noise."""

    registers: ClassVar[RegisterTable]
    silicon: ClassVar[Silicon]
    electrical: ClassVar[tuple[Register, ...]]
    """What a reader polls."""
    measuring: ClassVar[frozenset[Register]]
    """The writable registers on which the measurement depends."""
    tracked: ClassVar[Register]
    """The chip's own measure beside the common ones; see ``_tracked_counts``."""
    frequency: ClassVar[Register | None] = None
    """The register of the line frequency, if there is one."""
    reset_clears_counter: ClassVar[bool]
    pulse_s: ClassVar[float]
    """How long the energy output is high at most."""

    def __init__(
        self,
        source: PinSource,
        *,
        seeds: Sequence[int] | None = None,
        waves: Waves | None = None,
        options: TwinOptions | None = None,
    ) -> None:
        self.size = source.size
        self._source = source
        self._waves = waves
        seeds = range(self.size) if seeds is None else seeds
        self._noise = Noise(seeds, _CHIP_NOISE) if source.noise_uv.any() else None
        self._prepare(seeds, options or {})
        self._horizon = 1
        self._writable = [r for r in self.registers.BY_ADDRESS.values() if r.access is Access.READ_WRITE]
        self._words = {r.address: np.full(self.size, r.reset, dtype=np.int64) for r in self._writable}
        self._unlocked = np.zeros(self.size, dtype=bool)
        self._base = np.zeros(self.size, dtype=np.int64)
        self._latest = 0.0
        # Captured at power-on: all measured registers 0, FREQ at its reset value (Tasmota 23775).
        self._plan = self._compute(0.0, AccumulatorState.at_power_on(self.size, self.tracked.reset))

    # ---- what a chip adds

    @abstractmethod
    def _prepare(self, seeds: Sequence[int], options: TwinOptions) -> None:
        """Make what the chip keeps beside its registers."""

    @abstractmethod
    def _settings(self) -> MeasurementSettings:
        """What the writable registers ask of the measurement."""

    @abstractmethod
    def _tracked_counts(self, plan: MeasurementPlan, pins: PinSignals) -> tuple[FloatArray, BoolArray]:
        """The counts of ``tracked`` by tick, and the ticks at whose end they are taken."""

    @abstractmethod
    def output(self, name: str, time: float, row: int) -> bool:
        """The level of a logic output. Raises KeyError for a name the chip does not have."""

    def baud(self, strap: int, row: int) -> int:
        """The rate of the UART where its strap gives that one."""
        return strap

    def after_read(self, register: Register, time: float, row: int) -> None:
        """What reading a register does to the chip: nothing."""
        return

    # ---- time

    def advance(self, time: float) -> MeasurementPlan:
        """Let time pass; returns the stretch ``time`` lies in. Raises nothing: an earlier time counts as now."""
        self._latest = time = max(time, self._latest)
        while time >= self._plan.end - 1e-9:
            self._horizon = min(4 * self._horizon, self._source.ahead)
            self._plan = self._compute(self._plan.end, self._plan.held_at(self._plan.end))
        return self._plan

    @contextmanager
    def changing(self, time: float) -> Iterator[None]:
        """Around any change of what plans are made from: mains, wiring, settings.

        What has passed is settled before the change, and what lies ahead is computed again after it.
        """
        held = self.advance(time).held_at(self._latest)
        yield
        self._restart_from(held)

    def power_on(self, time: float, row: int) -> None:
        """The supply came back: nothing of what was before is left."""
        held = self.advance(time).held_at(self._latest)
        fresh = AccumulatorState.at_power_on(1, self.tracked.reset)
        for field in fields(AccumulatorState):
            kept = np.array(getattr(held, field.name))
            kept[..., row] = getattr(fresh, field.name)[..., 0]
            setattr(held, field.name, kept)
        self._reset_settings(row)
        self._unlocked[row] = False
        self._base[row] = 0
        self._restart_from(held)

    # ---- registers

    def read(self, register: Register, time: float) -> IntArray:
        """Counts of every chip, shape (chips,), without any side effect."""
        plan, table = self.advance(time), self.registers
        if register.access is Access.READ_WRITE:
            words = self._words[register.address]
            return words - (words >> register.bits - 1 << register.bits) * register.signed
        if register is table.CF_CNT:
            return (self._pulses(plan, self._latest) + self._base) % (1 << register.bits)
        if register is table.USR_WRPROT:
            # A BL0942 reads back 1 and not the key: OpenBeken checks its unlock so. A BL0940 reads back the key.
            return np.where(self._unlocked, table.UNLOCKED_READS, 0)
        if register is table.SOFT_RESET:
            return np.zeros(self.size, dtype=np.int64)
        if register is table.I_WAVE or register is table.V_WAVE:
            return self._wave(register)
        return self._measured(register, plan, self._latest)

    def snapshot(self, time: float) -> dict[str, IntArray]:
        """The electrical registers of every chip by name."""
        return {register.name: self.read(register, time) for register in self.electrical}

    def set_counter(self, time: float, count: int, row: int) -> None:
        """Make CF_CNT that; the remainder towards the next pulse stays."""
        self._base[row] = count - self._pulses(self.advance(time), self._latest)[row]

    def write(self, address: int, word: int, time: float, row: int) -> None:
        """What a write frame does to one chip: often nothing."""
        table = self.registers
        register = table.BY_ADDRESS.get(address)
        if register is None or register.access is Access.READ:
            return
        if register is table.USR_WRPROT:
            self._unlocked[row] = word & 0xFF == table.UNLOCK_KEY
        elif not self._unlocked[row]:
            return
        elif register is not table.SOFT_RESET:
            # Bits beyond the width read 0 (documented); that they are not stored is inferred.
            self.store(register, word & (1 << register.bits) - 1, time, row)
        # It stays unlocked: ESPHome writes MODE right behind a reset, and that takes effect. Drivers unlock first, so a
        # locked chip is taken to ignore it.
        elif word == table.RESET_KEY:
            with self.changing(time):
                self._reset_settings(row)
            if self.reset_clears_counter:
                self.set_counter(time, 0, row)

    def store(self, register: Register, word: int, time: float, row: int) -> None:
        """Put a word into a writable register, whatever the lock says. Raises KeyError for the others."""
        words = self._words[register.address]
        with self.changing(time) if register in self.measuring and words[row] != word else nullcontext():
            words[row] = word

    def setting(self, register: Register, field: Field) -> IntArray:
        """A field of a writable register, shape (chips, 1)."""
        return ((self._words[register.address] & field.mask) >> field.low)[:, None]

    def _measured(self, register: Register, plan: MeasurementPlan, time: float) -> IntArray:
        """A register that is neither written nor counted."""
        table = self.registers
        by_refresh = {table.I_RMS: plan.i_rms, table.V_RMS: plan.v_rms, table.WATT: plan.watt}
        by_tick = {table.I_FAST_RMS: plan.i_fast_rms, self.tracked: plan.tracked}
        if register in by_refresh:
            return by_refresh[register][:, plan.refreshes_at(time)].astype(np.int64)
        return by_tick[register][:, plan.ticks_at(time)].astype(np.int64)

    def _wave(self, register: Register) -> IntArray:
        if self._waves is None:
            return np.zeros(self.size, dtype=np.int64)
        which = 0 if register is self.registers.I_WAVE else 1
        return np.array([self._waves(row, self._latest)[which] for row in range(self.size)])

    def _reset_settings(self, row: int) -> None:
        for register in self._writable:
            self._words[register.address][row] = register.reset

    # ---- plans

    def _restart_from(self, held: AccumulatorState) -> None:
        self._horizon = 1  # one change tends to be followed by another
        self._plan = self._compute(self._latest, held)

    def _compute(self, start: float, held: AccumulatorState) -> MeasurementPlan:
        tick = tick_at(start)
        length = refresh_ticks(self.silicon)
        refreshes = max(1, min(self._horizon, PLAN_CELLS // (self.size * length)))
        count = refreshes * length - tick % length
        settings = self._settings()
        clip_mv = self.silicon.I_CLIP_MV / settings.gain
        pins = self._source.pins(tick, count, silicon=self.silicon, clip_mv=clip_mv, see_dc=settings.see_dc)
        plan = MeasurementPlan(
            self.registers,
            self.silicon,
            start=start,
            tick=tick,
            pins=pins,
            noise=None if self._noise is None else self._noise.normal(tick * SLOTS, count * SLOTS),
            noise_uv=self._source.noise_uv,
            settings=settings,
            held=held,
        )
        plan.track(*self._tracked_counts(plan, pins))
        return plan

    def _pulses(self, plan: MeasurementPlan, time: float) -> IntArray:
        return np.floor(plan.energy_at(time) / self.silicon.CF_WATT_SECONDS).astype(np.int64)

    # ---- outputs

    def _pulse(self, row: int) -> bool:
        """High for half of a short period, else for ``pulse_s``; in absolute and algebraic counting alike."""
        plan, count = self._plan, self.silicon.CF_WATT_SECONDS
        rate = float(plan.rate[row, plan.ticks_at(self._latest)])
        if rate == 0:
            return False
        part = float(plan.energy_at(self._latest)[row]) / count % 1.0
        # Counting down, a pulse begins where the part of a count runs out: inferred.
        since = part if rate > 0 else 1 - part
        period = count / abs(rate)
        return since < 0.5 if period < 2 * self.pulse_s else since * period < self.pulse_s

    def _half_wave(self, register: Register, row: int, *, below: int) -> bool:
        """High in negative half waves, as late as the chip sees them; low where there is too little to see."""
        # Documented: held low where STATUS says that there is too little for a crossing.
        if self._waves is None or self.read(register, self._latest)[row] < below:
            return False
        which = 0 if register is self.registers.I_RMS else 1
        return self._waves(row, max(0.0, self._latest - _ZX_DELAY_S))[which] < 0
