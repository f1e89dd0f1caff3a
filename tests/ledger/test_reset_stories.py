"""Seeded lives of registers that fall, leap and are reset by a person: no register of the account ever falls."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.ledger.test_register_rule import MINUTE_US, SAVED
from wattrail.energy_register import Direction, Persistence
from wattrail.errors import LedgerError
from wattrail.ledger import Entry, Epoch, Ledger, LedgerSlice, Observation, audit, reset

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
