"""Energy invented and energy lost by the ledger over seeded histories of every kind of register, against the truth.

Thirty days each: power cuts, restarts, firmware updates, resets by command, silent radios, restarts of our own host,
garbage and cached zeros, midnights. What a device itself lost is known from the simulation: energy that flowed while it
was off, and what it counted and then forgot between two readings. A perfect ledger loses that and nothing else.

Beside it: Home Assistant's rule for ``total_increasing`` (a fall by over 10 % is a reset, any other is added as it is),
and the plain sum of positive differences.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from bench.simulated_house import DAYS, SOURCES, TICK_S, TICKS_PER_DAY, SimulatedHouse, Source, happenings, loads
from bench.table import Row, text
from wattrail.ledger import Epoch, Ledger, Observation

__all__ = ["History", "Outcome", "campaign", "live"]

HISTORIES: Final = 500
_COMPARE_TICKS: Final = 60
_UJ_PER_MWH: Final = 3_600_000
_START: Final = datetime(2026, 6, 21, tzinfo=UTC)


@dataclass(slots=True)
class Outcome:
    """What a rule made of a history, in milliwatt-hours: invented, and lost beyond what the device itself lost."""

    invented: float = 0.0
    lost: float = 0.0

    def add(self, other: Outcome) -> None:
        """Sum up with another."""
        self.invented += other.invented
        self.lost += other.lost


@dataclass(slots=True)
class History:
    """One history lived through: what flowed and what the device itself lost (mWh), and what each rule made of it."""

    source: Source
    flowed: float = 0.0
    lost_by_device: float = 0.0
    events: int = 0
    ledger: Outcome = field(default_factory=Outcome)
    home_assistant: Outcome = field(default_factory=Outcome)
    positive_differences: Outcome = field(default_factory=Outcome)


class _Rival:
    """Another rule, fed with what a register shows; its sum in counts."""

    def __init__(self, add: Callable[[int, int], int]) -> None:
        self._add, self.sum = add, 0
        self._last: int | None = None

    def see(self, count: int) -> None:
        if self._last is not None:
            self.sum += self._add(self._last, count)
        self._last = count


def _home_assistant(before: int, now: int) -> int:
    return now if now < before * 9 // 10 else now - before


def _positive(before: int, now: int) -> int:
    return max(now - before, 0)


class _Deficit:
    """How far a sum of energy is behind the truth: less than the device lost is invented, more at the end is lost."""

    def __init__(self, tolerance_mwh: float) -> None:
        self._tolerance, self._lowest, self._last = tolerance_mwh, 0.0, 0.0

    def see(self, true_mwh: float, lost_mwh: float, booked_mwh: float) -> None:
        self._last = true_mwh - booked_mwh - lost_mwh
        self._lowest = min(self._lowest, self._last)

    def outcome(self, events: int) -> Outcome:
        invented = max(0.0, -self._lowest - self._tolerance)
        return Outcome(invented, max(0.0, self._last - self._lowest * (invented > 0) - self._tolerance * (1 + events)))


def live(source: Source, seed: int, *, days: int = DAYS, haste: float = 1) -> History:
    """One history: the same happenings for every source of that seed."""
    chance = random.Random(seed)
    house, powers, plan = SimulatedHouse(source, chance), loads(chance), happenings(chance, days, haste)
    device, result = house.device, History(source)
    booking = _Booking(house)
    for tick in range(days * TICKS_PER_DAY):
        house.tick = tick
        if tick and tick % TICKS_PER_DAY == 0:
            device.midnight()
        if tick == house.back_at:
            house.power_on()
        if tick == house.garbage_until:
            house.recover()
        for happening in plan.get(tick, ()):
            happening(house)
            house.happenings += 1
        milliwatts = 0 if house.is_dark else next(powers)
        device.flow(max(milliwatts, 0) * 1000 * TICK_S, max(-milliwatts, 0) * 1000 * TICK_S)
        if (tick + 1) % (source.cadence_s // TICK_S) == 0 and tick > house.silent_until and device.registers[0].is_on:
            booking.read(milliwatts)
    result.flowed, result.lost_by_device = device.true_uj / _UJ_PER_MWH, device.lost_uj / _UJ_PER_MWH
    result.events = house.happenings
    result.ledger, result.home_assistant, result.positive_differences = booking.outcomes()
    return result


class _Booking:
    """Readings of one device as they are booked by the ledger, and by the rules beside it."""

    def __init__(self, house: SimulatedHouse) -> None:
        self._house, self._device = house, house.device
        registers = self._device.channels.registers
        self.ledger = Ledger(
            Epoch(number=1, registers=registers), longest_silence_us=3_000_000 * house.device.source.cadence_s
        )
        self._step = float(registers[0].step_mwh)
        tolerance = self._step * (3 + sum(register.slack for register in registers))
        self._rivals = [[_Rival(add) for _ in registers] for add in (_home_assistant, _positive)]
        self._deficits = [_Deficit(tolerance) for _ in range(3)]
        self._read_at: int | None = None
        self._true_before = 0
        self._true_uj = self._lost_uj = 0
        self._compared_at = -_COMPARE_TICKS

    def read(self, milliwatts: int) -> None:
        house, device = self._house, self._device
        counts = device.channels.counts([register.count for register in device.registers])
        if house.garbage_until <= house.tick:
            device.was_read()
        elapsed = None if self._read_at is None or house.host_was_away else (house.tick - self._read_at) * TICK_S
        source = device.source
        power = round(milliwatts / 1000 * 342.867) if source.is_chip else milliwatts
        self.ledger.observe(
            Observation(
                at=_START + timedelta(seconds=house.tick * TICK_S),
                elapsed_us=None if elapsed is None else elapsed * 1_000_000, count=counts[0],
                export_count=counts[1] if len(counts) > 1 else None, watt=power if source.has_power else None,
                restarted=source.is_chip and device.was_reset, last_pulse_negative=milliwatts < 0,
                boot=None if source.is_chip else device.registers[0].evidence(),
            )
        )  # fmt: skip
        self._read_at, house.host_was_away, device.was_reset = house.tick, False, False
        for rivals in self._rivals:
            for rival, count in zip(rivals, counts, strict=True):
                rival.see(count)
        if self._true_uj == 0:
            self._true_before = device.true_uj
        self._true_uj, self._lost_uj = device.true_uj, device.lost_uj
        if house.tick - self._compared_at >= _COMPARE_TICKS:
            self._compared_at = house.tick
            self._compare()

    def _compare(self) -> None:
        true, lost = (self._true_uj - self._true_before) / _UJ_PER_MWH, self._lost_uj / _UJ_PER_MWH
        energy = self.ledger.energy()
        booked = float(energy.import_ + energy.export + energy.undirected)
        sums = [sum(rival.sum for rival in rivals) * self._step for rivals in self._rivals]
        for deficit, mwh in zip(self._deficits, (booked, *sums), strict=True):
            deficit.see(true, lost, mwh)

    def outcomes(self) -> tuple[Outcome, Outcome, Outcome]:
        self._compare()
        ledger, home_assistant, positive = (each.outcome(self._house.happenings) for each in self._deficits)
        return ledger, home_assistant, positive


def campaign(histories: int = HISTORIES, *, days: int = DAYS, processes: int = 1) -> dict[str, list[History]]:
    """That many histories, the sources in turn. The seeds decide, so the number of processes changes no figure."""
    lived: dict[str, list[History]] = {source.name: [] for source in SOURCES}
    work = partial(_lived, days=days)
    if processes == 1:
        found = [work(seed) for seed in range(histories)]
    else:
        with ProcessPoolExecutor(processes) as pool:
            found = list(pool.map(work, range(histories)))
    for history in found:
        lived[history.source.name].append(history)
    return lived


def _lived(seed: int, *, days: int) -> History:
    return live(SOURCES[seed % len(SOURCES)], seed, days=days)


def rows() -> list[Row]:
    lived = campaign(processes=os.cpu_count() or 1)
    by_class: dict[str, list[History]] = defaultdict(list)
    for histories in lived.values():
        by_class[f"class {histories[0].source.registers[0].persistence}"] += histories
    return [_row(name, histories) for name, histories in (*sorted(by_class.items()), *lived.items())]


def _row(name: str, histories: list[History]) -> Row:
    ours, ha, positive = Outcome(), Outcome(), Outcome()
    for history in histories:
        ours.add(history.ledger)
        ha.add(history.home_assistant)
        positive.add(history.positive_differences)
    device = sum(history.lost_by_device for history in histories)
    return Row(
        f"histories: {name}, {len(histories)} of {DAYS} days, invented and lost beyond the device's own loss",
        f"{_kwh(ours.invented)}, {_kwh(ours.lost)} kWh",
        f"Home Assistant {_kwh(ha.invented)}, {_kwh(ha.lost)}; sum of rises {_kwh(positive.invented)}, "
        f"{_kwh(positive.lost)}; the device itself lost {_kwh(device)}",
        "", "0 invented", ours.invented == 0,
    )  # fmt: skip


def _kwh(mwh: float) -> str:
    return f"{mwh / 1e6:,.3f}"


if __name__ == "__main__":
    print(text(rows()))
