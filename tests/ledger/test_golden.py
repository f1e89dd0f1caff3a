"""The vectors of docs/ledger.md, computed by hand there."""

from __future__ import annotations

from tests.ledger.rig import EPOCHS, chip_epoch, entry, start, utc
from wattrail.ledger import Energy, Totals
from wattrail.ledger.split import Split

NOON = utc(2026, 6, 21, 12)


def test_energy_of_counts() -> None:
    nine = chip_epoch(1, 1048.576)
    assert nine.milliwatt_hours(9) == 1000
    assert nine.milliwatt_hours(10).__floor__() == 1111
    usual = chip_epoch(1, 342.867)
    assert usual.milliwatt_hours(1).__floor__() == 339
    assert usual.milliwatt_hours(2942).__floor__() == 999_710


def test_positive_power_of_an_inverted_meter_is_export() -> None:
    first = start(NOON, epoch=2)
    assert Energy.of(entry(first, NOON, positive=9), EPOCHS[2]).rounded_down() == Totals(0, 2000)


def test_the_split_carries_what_is_not_a_whole_count() -> None:
    # Two thirds of the work of every count are import: 2/3 of a count is 1 with a third owed, then 1 again, then 0.
    split, shares = Split(), list[int]()
    for _ in range(99):
        split.integrate(100_000, 200)
        split.integrate(-100_000, 100)
        positive, negative = split.share(1, last_pulse_negative=True)
        assert positive + negative == 1
        shares.append(positive)
        assert abs(sum(shares) - len(shares) * 2 / 3) < 1
    assert shares[:6] == [1, 0, 1, 1, 0, 1]
    assert sum(shares) == 66
