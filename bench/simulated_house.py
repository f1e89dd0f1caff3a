"""A house, its meter, the radio between them and our host, through what happens to them in a month.

What a device itself loses is accounted for as it happens: energy that flows while it is off, and what it counted and
forgot between two readings. A perfect ledger loses that and nothing else.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.energy_register import Direction, EnergyRegister, Persistence, fastest
from wattrail.ledger import Channels
from wattrail.twin.network.register_habits import HABITS, RegisterHabits, SimulatedRegister

__all__ = ["DAYS", "SOURCES", "TICKS_PER_DAY", "TICK_S", "SimulatedHouse", "Source", "happenings", "loads"]

DAYS: Final = 30
TICK_S: Final = 60
TICKS_PER_DAY: Final = 86_400 // TICK_S
_MAX_WATTS: Final = 23_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of meter: its registers as they behave, and as the ledger knows them."""

    name: str
    habits: tuple[RegisterHabits, ...]
    registers: tuple[EnergyRegister, ...]
    cadence_s: int
    has_power: bool = True

    @property
    def is_chip(self) -> bool:
        """Whether its counts are confirmed before they are given."""
        return self.registers[0].is_confirmed


def _source(name: str, *habits: RegisterHabits, cadence_s: int, has_power: bool = True, slack: int = 0) -> Source:
    registers = tuple(
        EnergyRegister(
            name=one.direction, step_mwh=one.step_mwh, direction=one.direction, persistence=one.persistence,
            max_counts_per_us=fastest(_MAX_WATTS, one.step_mwh), modulus=one.modulus, slack=slack,
            may_rise=one.adds_yesterday,
        )
        for one in habits
    )  # fmt: skip
    return Source(name=name, habits=habits, registers=registers, cadence_s=cadence_s, has_power=has_power)


def _chip() -> Source:
    register = BL0942.energy_register(Calibration(1, 1, 342.867))
    habits = RegisterHabits(
        step_mwh=register.step_mwh, direction=register.direction, persistence=register.persistence,
        modulus=register.modulus, keeps_over_restart=False,
    )  # fmt: skip
    return Source(name="bl0942 by wire", habits=(habits,), registers=(register,), cadence_s=60)


def _with_export(name: str) -> tuple[RegisterHabits, RegisterHabits]:
    return HABITS[name], replace(HABITS[name], direction=Direction.EXPORT)


SOURCES: Final = (
    _chip(),
    _source("billing meter", *_with_export("billing-meter"), cadence_s=60),
    _source("shelly em", *_with_export("shelly-em"), cadence_s=60, slack=1),
    _source("homematic", HABITS["homematic"], cadence_s=180, has_power=False),
    _source("tasmota", HABITS["tasmota"], cadence_s=300, slack=1),
    _source("tasmota, export apart", *_with_export("tasmota"), cadence_s=300, slack=1),
    _source("openbeken", HABITS["openbeken"], cadence_s=60),
    _source("openbeken, no power", HABITS["openbeken"], cadence_s=60, has_power=False),
    _source("esphome integration", *_with_export("esphome-integration"), cadence_s=60, slack=1),
    _source("esphome bl0942", HABITS["esphome-bl0942"], cadence_s=60),
    _source("shelly plug", HABITS["shelly-plug"], cadence_s=60),
    _source("day register", HABITS["today"], cadence_s=60),
    _source("tuya", HABITS["tuya"], cadence_s=300),
    _source("zigbee2mqtt", HABITS["zigbee2mqtt"], cadence_s=300, has_power=False),
)


class ForgetfulDevice:
    """The registers of one device, and what of the truth they cannot show any more."""

    def __init__(self, source: Source, chance: random.Random) -> None:
        self.source = source
        total = 0 if source.habits[0].persistence is Persistence.PERIODIC else chance.randrange(0, 40) ** 3 * 10**11
        self.registers = [
            SimulatedRegister(habits, total_uj=total // (1 + 2 * n)) for n, habits in enumerate(source.habits)
        ]
        self.channels = Channels.of(source.registers)
        self.hidden_readings = 0
        self.was_reset = False
        self.true_uj = 0
        self.lost_uj = 0
        """What the device itself lost, as far as a perfect ledger can tell."""
        self._since_uj = self._until_boot_uj = self._off_uj = 0
        self._counted_uj = 0
        self._episode: tuple[bool, bool] | None = None
        self._shown = self._first = self.energy_uj
        self._export_shown = self.registers[-1].energy_uj

    @property
    def energy_uj(self) -> int:
        """What the booked registers hold together."""
        net_or_sum, *export = [register.energy_uj for register in self.registers]
        direction = self.source.registers[0].direction
        if not export:
            return net_or_sum
        return {
            Direction.IMPORT: net_or_sum + export[0],
            Direction.SUM: net_or_sum,
            Direction.NET: net_or_sum + 2 * export[0],
        }[direction]

    def flow(self, import_uj: int, export_uj: int) -> None:
        for register in self.registers:
            register.flow(import_uj, export_uj, seconds=TICK_S)
        counts_export = len(self.registers) == 2 or self.source.registers[0].direction is Direction.SUM
        flowed = import_uj + (export_uj if counts_export else 0)
        self.true_uj += flowed
        self._since_uj += flowed
        if not self.registers[0].is_on:
            self._off_uj += flowed

    def each(self, fault: Callable[[SimulatedRegister], None], *, is_cut: bool = False, is_reset: bool = False) -> None:
        """Something happens to every register, after which they may have forgotten something."""
        for register in self.registers:
            fault(register)
        self.was_reset = True
        self._until_boot_uj = self._since_uj
        before_cut, before_reset = self._episode or (False, False)
        self._episode = (is_cut or before_cut, is_reset or before_reset)

    def midnight(self) -> None:
        held = self.energy_uj
        for register in self.registers:
            register.midnight()
        if self.source.habits[0].persistence is Persistence.PERIODIC:
            self._episode = self._episode or (False, False)
        elif self._episode is None:
            self.lost_uj += held - self.energy_uj
            self._shown -= held - self.energy_uj

    def was_read(self) -> None:
        """A reading was taken of what the registers hold: what cannot be known any more is lost for good."""
        if self._episode is None:
            self._since_uj, self._shown = 0, self.energy_uj
            self._off_uj = self._until_boot_uj = 0
            self._first, self._export_shown = self.energy_uj, self.registers[-1].energy_uj
            return
        is_cut, is_reset = self._episode
        habits = self.source.habits[0]
        if any(register.is_restoring for register in self.registers):
            self._counted_uj += max(self.energy_uj - self._first, 0) if self.hidden_readings else 0
            self._first, self.hidden_readings = self.energy_uj, self.hidden_readings + 1
            return
        proven = self.energy_uj - self._shown
        match habits.persistence:
            case _ if is_reset:
                lost = self._since_uj
            case Persistence.KEPT:
                lost = self._off_uj
            case Persistence.VOLATILE:
                lost = self._until_boot_uj
            case _:
                believed = self._export_gained() if self._may_rise(is_cut=is_cut) else max(proven, 0)
                lost = self._since_uj - max(believed, self._counted_uj)
        self.lost_uj += lost
        self._episode, self._counted_uj, self.hidden_readings = None, 0, 0
        self.was_read()

    def _may_rise(self, *, is_cut: bool) -> bool:
        says_why = self.source.habits[0].has_reset_reason
        return self.channels.registers[0].may_rise and (is_cut or not says_why)

    def _export_gained(self) -> int:
        rises = len(self.registers) == 1 or self.channels.registers[1].may_rise
        return 0 if rises else max(self.registers[1].energy_uj - self._export_shown, 0)


_GARBAGE_MWH: Final = (42_949_670_000, 9_999_990_000)
"""Totals that meters were seen to show after a start (Tasmota#5875, #10005)."""

Happening = Callable[["SimulatedHouse"], None]


class SimulatedHouse:
    """A device, its radio and our host, through the happenings of one history."""

    def __init__(self, source: Source, chance: random.Random) -> None:
        self.device = ForgetfulDevice(source, chance)
        self.chance = chance
        self.is_dark = False
        self.silent_until = self.back_at = self.garbage_until = -1
        self.host_was_away = False
        self.tick = 0
        self.happenings = 0

    def power_cut(self) -> None:
        if not self.device.registers[0].is_on:
            return
        self.back_at = self.tick + self.chance.choice((1, 3, 20, 180))
        self.is_dark = self.chance.random() < 0.5  # the house, or the meter's own fuse
        for register in self.device.registers:
            register.power_cut()

    def power_on(self) -> None:
        self.is_dark = False
        self.device.each(SimulatedRegister.power_on, is_cut=True)

    def restart(self) -> None:
        if self.device.registers[0].is_on:
            self.device.each(SimulatedRegister.restart)

    def update(self) -> None:
        if self.device.registers[0].is_on:
            says = self.device.registers[0].habits.has_uptime
            self.device.each(SimulatedRegister.update_firmware if says else SimulatedRegister.restart, is_reset=says)

    def reset(self) -> None:
        if self.device.registers[0].is_on and self.device.source.habits[0].persistence is not Persistence.KEPT:
            self.device.each(SimulatedRegister.reset, is_reset=self.device.registers[0].habits.has_start_stamp)

    def silence(self) -> None:
        self.silent_until = self.tick + self.chance.choice((3, 15, 60, 600))

    def leave_host(self) -> None:
        self.silence()
        self.host_was_away = True

    def show_garbage(self) -> None:
        self._show(int(self.chance.choice(_GARBAGE_MWH) / self.device.source.registers[0].step_mwh))

    def show_zero(self) -> None:
        self._show(0)

    def _show(self, count: int) -> None:
        if self.device.source.is_chip:
            return  # such values do not pass two agreeing samples
        self.garbage_until = self.tick + self.chance.choice((1, 1, 2, 5)) * self.device.source.cadence_s // TICK_S
        for register in self.device.registers:
            register.show(count if register.habits.modulus is None else count % register.habits.modulus)

    def recover(self) -> None:
        for register in self.device.registers:
            register.recover()


_RATES: Final = (
    (SimulatedHouse.power_cut, 3), (SimulatedHouse.restart, 5), (SimulatedHouse.update, 1),
    (SimulatedHouse.reset, 0.5), (SimulatedHouse.silence, 12), (SimulatedHouse.leave_host, 3),
    (SimulatedHouse.show_garbage, 2), (SimulatedHouse.show_zero, 3),
)  # fmt: skip
"""What happens, and how often in thirty days."""


def happenings(chance: random.Random, days: float, haste: float = 1) -> dict[int, list[Happening]]:
    """What happens, by the tick at which it does; ``haste`` times as often as usual."""
    plan: dict[int, list[Happening]] = defaultdict(list)
    for happening, rate in _RATES:
        expected = rate * days / DAYS * haste
        for _ in range(int(expected) + (chance.random() < expected % 1)):
            plan[chance.randrange(10, int(days * TICKS_PER_DAY) - 60)].append(happening)
    return plan


def loads(chance: random.Random) -> Iterator[int]:
    """Signed power of a house with a roof, in milliwatts, tick by tick."""
    kettle = cloud = 0
    while True:
        for minute in range(TICKS_PER_DAY):
            if chance.random() < 0.01:
                kettle = chance.choice((0, 0, 0, 800_000, 2_000_000, 7_000_000))
            if chance.random() < 0.02:
                cloud = chance.randrange(100)
            sun = max(0, 4_000_000 - abs(minute - 720) * 12_000) * cloud // 100
            yield 180_000 + kettle - sun
