"""A billing meter is exchanged: a person says so, and its account goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal, Type
from tests.gateway.rig import StubMeter
from wattrail.app.config import data_dir
from wattrail.energy_register import Direction, EnergyRegister, Persistence, RegisterCount, fastest
from wattrail.gateway.account import Account
from wattrail.ledger import EntryKind
from wattrail.store import Store, open_store
from wattrail.units import Quantities, Reading

pytestmark = pytest.mark.usefixtures("manual_clock")

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
WH = Fraction(1000)
EXCHANGED = ("--reason", "exchanged by the utility", "--who", "ada")


class House:
    """A meter of class A, read once a minute by a gateway."""

    def __init__(self, store: Store, *, persistence: Persistence = Persistence.KEPT) -> None:
        self.store, self.minute = store, 0
        self._directions = (Direction.IMPORT, Direction.EXPORT)
        self._persistence = persistence
        self.read(5000, 70)

    def read(self, *shown: int, after: int = 1) -> None:
        self.minute += after
        counts = tuple(
            RegisterCount(self._register(direction), count)
            for direction, count in zip(self._directions, shown, strict=True)
        )
        at = NOON + timedelta(minutes=self.minute)
        reading = Reading(at=at, monotonic=60.0 * self.minute, sample=Quantities(watts=600.0), registers=counts)
        if self.minute == after:
            self.start_gateway(reading)
        self.account.book(reading)

    def start_gateway(self, first: Reading) -> None:
        meter = StubMeter(url="mqtt://broker/meter")
        self.account = Account(self.store, "house", meter, first, now=first.at, longest_silence_s=180)

    def restart_gateway(self, *shown: int, after: int) -> None:
        """Stop it, wait some minutes, and read for the first time."""
        self.account.close()
        self.minute += after - 1
        before, self.minute = self.minute, 0
        self.read(*shown, after=before + 1)

    @property
    def wh(self) -> tuple[int, int]:
        totals = self.account.totals()
        return totals.import_mwh // 1000, totals.export_mwh // 1000

    def _register(self, direction: Direction) -> EnergyRegister:
        return EnergyRegister(
            name=direction.value, step_mwh=WH, direction=direction, persistence=self._persistence,
            max_counts_per_us=fastest(23_000, WH),
        )  # fmt: skip


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with open_store(data_dir() / "wattrail.sqlite") as store:
        yield store


def kinds(house: House) -> list[EntryKind]:
    return [entry.kind for entry in house.store.entries(house.account.meter_id)]


def test_a_gateway_that_runs_goes_on_from_the_new_meter(wattrail: Type, store: Store) -> None:
    house = House(store)
    house.read(5010, 70)
    house.read(3, 0)
    house.read(13, 1)
    assert house.wh == (10, 0)
    assert "import went from 5010 to 3, and nothing says why: not booked until it returns" in str(house.account.notice)
    assert str(house.account.notice).endswith("reset or exchanged: wattrail ledger accept-reset house")
    said = wattrail("ledger", "accept-reset", "house", *EXCHANGED, "--yes")
    assert said.code == 0
    assert said.out.startswith("stated 1, adjusted: the register began again after entry ")
    assert said.out.endswith("exchanged by the utility\n")
    assert "house stands at import 0.010000 kWh, export 0.000000 kWh, and goes on from there" in said.err
    assert "register import: booked up to 5.010000 kWh; counting goes on from 0.003000 kWh" in said.err
    house.read(23, 1)
    assert (house.account.notice, house.wh) == (None, (30, 1))
    house.read(33, 2)
    house.account.close()
    assert house.wh == (40, 2)
    assert kinds(house)[-4:-1] == [EntryKind.COUNTED, EntryKind.EPOCH, EntryKind.RESTART]
    assert "nothing differs" in wattrail("ledger", "verify").out
    assert "the register began again after entry" in wattrail("ledger", "show").out


def test_what_was_held_counts_too_if_the_gateway_was_restarted(wattrail: Type, store: Store) -> None:
    house = House(store)
    house.read(5010, 70)
    house.restart_gateway(100, 0, after=300)
    house.read(110, 0)
    assert wattrail("ledger", "accept-reset", *EXCHANGED, "--yes").code == 0
    house.read(120, 0)
    house.read(130, 0)
    assert house.wh == (40, 0)
    house.restart_gateway(140, 0, after=2)
    house.account.close()
    assert house.wh == (50, 0)
    assert kinds(house).count(EntryKind.EPOCH) == 1
    assert "nothing differs" in wattrail("ledger", "verify").out


def test_a_reset_stated_while_no_gateway_runs_holds_at_its_start(wattrail: Type, store: Store) -> None:
    house = House(store)
    house.read(5010, 70)
    house.account.close()
    said = wattrail("ledger", "accept-reset", *EXCHANGED, "--yes")
    assert "counting goes on from what the meter shows next" in said.err
    assert "nothing is booked until the meter is read again" in said.err
    house.restart_gateway(9000, 0, after=500)
    house.read(9010, 1)
    house.account.close()
    assert house.wh == (20, 1)
    assert "nothing differs" in wattrail("ledger", "verify").out


def test_a_meter_that_comes_back_after_all_invents_nothing(wattrail: Type, store: Store) -> None:
    house = House(store)
    house.read(0, 0)
    wattrail("ledger", "accept-reset", *EXCHANGED, "--yes")
    house.read(5020, 75)
    house.read(5030, 75)
    house.account.close()
    assert house.wh == (10, 0)
    assert "nothing differs" in wattrail("ledger", "verify").out


def test_it_is_stated_once_and_stays_accepted(wattrail: Type, store: Store) -> None:
    house = House(store)
    house.read(3, 0)
    assert wattrail("ledger", "accept-reset", *EXCHANGED, "--yes").code == 0
    again = wattrail("ledger", "accept-reset", *EXCHANGED, "--yes")
    assert again.code == 1
    assert "manual entry 1 states a reset already" in again.err
    house.read(4, 0)
    house.read(1, 0)
    assert "went from 4 to 1" in str(house.account.notice)
    assert wattrail("ledger", "accept-reset", *EXCHANGED, "--yes").code == 0


def test_a_meter_that_saves_needs_nobody_to_say_so(wattrail: Type, store: Store) -> None:
    House(store, persistence=Persistence.SAVED)
    said = wattrail("ledger", "accept-reset", *EXCHANGED, "--yes")
    assert said.code == 1
    assert "import is of class B: when it begins again, that is booked without a person" in said.err


def test_nothing_is_kept_before_somebody_confirms(
    wattrail: Type, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(store)
    house.read(3, 0)
    said = wattrail("ledger", "accept-reset", *EXCHANGED)
    assert said.code == 2
    assert "hint: add --yes" in said.err
    assert "nothing was kept" in wattrail("ledger", "accept-reset", *EXCHANGED, "--dry-run").err
    monkeypatch.setattr(sys, "stderr", Terminal())
    for typed in ("\n", "no\n", ""):
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        assert wattrail("ledger", "accept-reset", *EXCHANGED).code == 2
    assert store.stated(house.account.meter_id) == ()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert wattrail("ledger", "accept-reset", *EXCHANGED).code == 0
    (entry,) = store.stated(house.account.meter_id)
    assert (entry.who, entry.note, entry.is_reset) == ("ada", "exchanged by the utility", True)
