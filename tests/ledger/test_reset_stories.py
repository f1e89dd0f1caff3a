"""Seeded lives of registers that fall, leap and are reset by a person: no register of the account ever falls."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.ledger.rig import chip_epoch
from tests.ledger.test_register_rule import MINUTE_US, SAVED
from wattrail.energy_register import Direction, Persistence
from wattrail.errors import LedgerError
from wattrail.ledger import Entry, EntryKind, Epoch, Ledger, LedgerSlice, Observation, audit, reset

GARBAGE = 42_949_670


class Life:
    """A device, the gateway that reads it each minute, and a person who states resets now and then."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        persistence = self.chance.choice(list(Persistence))
        directions = self.chance.choice(((Direction.IMPORT,), (Direction.IMPORT, Direction.EXPORT)))
        self.registers = tuple(
            replace(SAVED, name=direction.value, direction=direction, persistence=persistence)
            for direction in directions
        )
        self.epochs = {1: Epoch(number=1, registers=self.registers)}
        self.ledger = Ledger(self.epochs[1], longest_silence_us=3 * MINUTE_US)
        self.entries: list[Entry] = []
        self.stated: list[Entry] = []
        self.at = datetime(2026, 6, 21, tzinfo=UTC)
        self.shown = [self.chance.randrange(10_000) for _ in directions]

    @property
    def slice(self) -> LedgerSlice:
        return LedgerSlice(entries=tuple(self.entries), epochs=self.epochs, stated=tuple(self.stated))

    def next(self) -> None:
        minutes = self.chance.choices((1, 10, 120), (18, 1, 1))[0]
        self.at += timedelta(minutes=minutes)
        is_back = self.chance.random() < 0.04
        if is_back:
            self.entries += self.ledger.close()
            self.ledger = Ledger.resume(self.slice, longest_silence_us=3 * MINUTE_US)
        if self.chance.random() < 0.05:
            self.state_reset()
        self.follow_reset()
        main, *export = self.counts()
        seen = Observation(
            at=self.at, elapsed_us=None if is_back else minutes * MINUTE_US, count=main,
            export_count=export[0] if export else None, watt=self.chance.choice((0, 180_000, 2_000_000)),
        )  # fmt: skip
        self.entries += self.ledger.observe(seen)

    def counts(self) -> list[int]:
        match self.chance.choices(("on", "restart", "leap", "zero", "garbage"), (84, 6, 3, 5, 2))[0]:
            case "zero":
                return [0 for _ in self.shown]
            case "garbage":
                return [GARBAGE for _ in self.shown]
            case "restart":
                self.shown = [self.chance.randrange(50) for _ in self.shown]
            case "leap":
                self.shown = [self.chance.randrange(20_000) for _ in self.shown]
            case _:
                self.shown = [count + self.chance.randrange(15) for count in self.shown]
        return self.shown

    def state_reset(self) -> None:
        try:
            self.stated.append(reset(self.slice, at=self.at, who="ada", reason="exchanged"))
        except LedgerError:
            return
        self.ledger.take(self.stated[-1])

    def follow_reset(self) -> None:
        if self.ledger.open_reset is not None:
            number = self.ledger.epoch.number + 1
            self.epochs[number] = Epoch(number=number, registers=self.registers)
            self.entries += self.ledger.begin_epoch(self.epochs[number])


@pytest.mark.parametrize("seed", range(60))
def test_the_account_never_falls_replays_and_passes_the_audit(seed: int) -> None:
    life = Life(seed)
    life.entries += life.ledger.observe(Observation(at=life.at, elapsed_us=None, **start(life), watt=0))
    for _ in range(100):
        before = life.ledger.totals()
        life.next()
        after = life.ledger.totals()
        assert after.import_mwh >= before.import_mwh
        assert after.export_mwh >= before.export_mwh
    life.entries += life.ledger.close()
    assert audit(life.slice).findings == ()
    assert Ledger.replay([*life.entries, *life.stated], life.epochs).totals() == life.ledger.totals()


def start(life: Life) -> dict[str, int]:
    return dict(zip(("count", "export_count"), life.shown, strict=False))


def looks(ledger: Ledger, *shown: tuple[int, int]) -> list[Entry]:
    """Entries of readings without load that come (minutes, count) one after the other."""
    found: list[Entry] = []
    at = ledger.now or datetime(2026, 6, 21, tzinfo=UTC)
    for minutes, count in shown:
        at += timedelta(minutes=minutes)
        found += ledger.observe(Observation(at=at, elapsed_us=minutes * MINUTE_US, count=count, watt=0))
    return found


def test_a_chip_after_a_register_whose_fall_was_held_has_no_gaps() -> None:
    kept = replace(SAVED, persistence=Persistence.KEPT)
    ledger = Ledger(Epoch(number=1, registers=(kept,)), longest_silence_us=3 * MINUTE_US)
    entries = looks(ledger, (0, 5000), (1, 5001), (1, 40), (2, 41), (2, 42))
    assert ledger.doubted
    everything = LedgerSlice(entries=(*entries, *ledger.close()), epochs={1: ledger.epoch})
    ledger.take(reset(everything, at=ledger.now or pytest.fail("it counts"), who="ada", reason="another meter"))
    ledger.begin_epoch(chip_epoch(2, 1_048.576))
    found = looks(ledger, *[(1, count) for count in range(5002, 5008)])
    assert {entry.kind for entry in found} == {EntryKind.COUNTED}


def test_a_former_value_is_known_for_an_hour_and_held_readings_count_once() -> None:
    ledger = Ledger(Epoch(number=1, registers=(SAVED,)), longest_silence_us=60 * MINUTE_US)
    fall, noise = [(0, 300), (1, 301), (1, 40), (1, 40)], [(5, GARBAGE * place) for place in range(2, 9)]
    looks(ledger, *fall, *noise, (5, 41), (1, 302))
    assert ledger.totals().import_mwh == 2 * SAVED.step_mwh, "302 is where it was before it fell"
