"""A typo is not for ever: a manual entry is reversed, no register falls, and periods and bills are as without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, MINUTE, forgotten, ledger_slice, utc, watched
from tests.ledger.test_tariff import tariff
from wattrail.errors import LedgerError
from wattrail.ledger import (
    By,
    EnergyDirection,
    Entry,
    Ledger,
    LedgerSlice,
    Totals,
    adjustment,
    assignment,
    audit,
    bills,
    boundaries,
    by_interval,
    opening,
    registers_at,
    reversal,
    unassigned,
)

DAY = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))
SPLIT = forgotten(DAY, utc(2026, 6, 21, 8), utc(2026, 6, 21, 10))
NOON = utc(2026, 6, 21, 12)
EVENING = utc(2026, 6, 21, 20)
KWH = 1_000_000


def said(minutes: int = 0) -> dict[str, object]:
    return {"at": NOON + minutes * MINUTE, "who": "ada", "reason": "typed wrong"}


def also(account: LedgerSlice, *stated: Entry) -> LedgerSlice:
    return replace(account, stated=(*account.stated, *stated))


def adjusted(account: LedgerSlice, kwh: int, export_kwh: int = 0, *, at: int = 0) -> LedgerSlice:
    return also(account, adjustment(account, import_mwh=kwh * KWH, export_mwh=export_kwh * KWH, **said(at)))  # type: ignore[arg-type]


def reversed_(account: LedgerSlice, number: int, *, at: int = 60) -> LedgerSlice:
    return also(account, reversal(account, number, **said(at)))  # type: ignore[arg-type]


def registers(account: LedgerSlice) -> Totals:
    return Ledger.replay([*account.entries, *account.stated], account.epochs).totals()


def hours(account: LedgerSlice) -> list[Totals]:
    marks = boundaries(By.HOUR, utc(2026, 6, 20, 22), utc(2026, 6, 21, 22), BERLIN)
    return [row.energy for row in by_interval(account, marks)]


def billed(account: LedgerSlice) -> object:
    return bills(account, tariff(), utc(2026, 6, 1), utc(2026, 7, 1), BERLIN)


def test_hours_and_bills_are_as_if_a_reversed_entry_had_never_been() -> None:
    account = ledger_slice(DAY)
    wrong = adjusted(account, 1000)
    assert hours(wrong) != hours(account)
    right = reversed_(wrong, 1)
    assert hours(right) == hours(account)
    assert billed(right) == billed(account)
    assert audit(right).findings == ()


def test_the_register_keeps_what_was_reversed() -> None:
    account = ledger_slice(DAY)
    wrong = adjusted(account, 1000)
    assert registers(reversed_(wrong, 1)) == registers(wrong)


def test_what_is_stated_next_uses_up_what_was_reversed() -> None:
    account = ledger_slice(DAY)
    too_much = adjusted(reversed_(adjusted(account, 1000), 1), 10, at=90)
    assert registers(too_much).import_mwh == registers(account).import_mwh + 1000 * KWH  # 990 of them are left over
    too_little = adjusted(reversed_(adjusted(account, 10), 1), 1000, at=90)
    assert registers(too_little) == registers(adjusted(account, 1000))  # as if nothing had been typed wrong
    assert hours(too_little)[15] == hours(adjusted(account, 1000, at=90))[15]


def test_a_mistyped_opening_is_reversed_and_stated_again() -> None:
    account = ledger_slice(DAY)
    first = also(account, opening(account, import_mwh=1234 * KWH, export_mwh=0, **said()))  # type: ignore[arg-type]
    second = reversed_(first, 1)
    third = also(second, opening(second, import_mwh=12345 * KWH, export_mwh=0, **said(90)))  # type: ignore[arg-type]
    assert registers(third).import_mwh == registers(account).import_mwh + 12345 * KWH
    assert hours(third) == hours(account)
    assert audit(third).findings == ()
    with pytest.raises(LedgerError, match="has an opening"):
        opening(third, import_mwh=1, export_mwh=0, **said(99))  # type: ignore[arg-type]


def test_counts_whose_direction_is_reversed_wait_for_another() -> None:
    account = ledger_slice(SPLIT)
    (gap,) = unassigned(account)
    wrong = also(account, assignment(account, gap, EnergyDirection.EXPORT, **said()))  # type: ignore[arg-type]
    undone = reversed_(wrong, 1)
    assert unassigned(undone) == unassigned(account)
    assert hours(undone) == hours(account)
    right = also(undone, assignment(undone, gap, EnergyDirection.IMPORT, **said(90)))  # type: ignore[arg-type]
    assert unassigned(right) == {}
    assert audit(right).findings == ()
    assert registers(right).export_mwh == registers(wrong).export_mwh  # shown once, shown for ever
    assert sum(row.export_mwh for row in hours(right)) == 0


@pytest.mark.parametrize(
    ("number", "says"), [(1, "reversed already"), (2, "a reversal itself"), (3, "no manual entry 3")]
)
def test_a_reversal_is_final(number: int, says: str) -> None:
    account = reversed_(adjusted(ledger_slice(DAY), 5), 1)
    with pytest.raises(LedgerError, match=says):
        reversed_(account, number)


def test_a_reset_cannot_be_reversed() -> None:
    account = ledger_slice(DAY)
    made = replace(adjustment(account, import_mwh=1, export_mwh=0, **said()), import_mwh=0, about=7)  # type: ignore[arg-type]
    assert made.is_reset
    with pytest.raises(LedgerError, match="states a reset"):
        reversed_(also(account, made), 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"import_mwh": -4 * KWH}, "its energy"),
        ({"about": 2}, "the entry it reverses"),
        ({"about": 0}, "the entry it reverses"),
        ({"end": EVENING}, "its time"),
    ],
)
def test_an_audit_finds_a_reversal_that_was_tampered_with(change: dict[str, object], says: str) -> None:
    account = adjusted(ledger_slice(DAY), 5)
    made = replace(reversal(account, 1, **said(60)), **change)  # type: ignore[arg-type]
    assert says in {finding.check for finding in audit(also(account, made)).findings if finding.stated}


@pytest.mark.parametrize("about", [-5, 0, 2, 9])
def test_an_audit_finds_a_reversed_direction_whose_entry_is_not_there(about: int) -> None:
    account = ledger_slice(SPLIT)
    gap = next(iter(unassigned(account)))
    wrong = also(account, assignment(account, gap, EnergyDirection.IMPORT, **said()))  # type: ignore[arg-type]
    undone = replace(reversal(wrong, 1, **said(60)), about=about)  # type: ignore[arg-type]
    assert any("the entry it reverses" in str(finding) for finding in audit(also(wrong, undone)).findings)


steps = st.lists(
    st.tuples(st.sampled_from(["adjust", "open", "reverse", "import", "export"]), st.integers(0, 50)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_no_register_falls_whatever_is_stated_and_reversed(done: list[tuple[str, int]]) -> None:
    account, shown, kept = ledger_slice(SPLIT), registers(ledger_slice(SPLIT)), []
    for minute, (what, number) in enumerate(done):
        try:
            account = stated_as(account, what, number, minute)
        except LedgerError:
            continue
        kept.append(what)
        now = registers(account)
        assert now.import_mwh >= shown.import_mwh
        assert now.export_mwh >= shown.export_mwh
        shown = now
    assert audit(account).findings == ()
    marks = [utc(2026, 6, 20, 22) + timedelta(minutes=17) * place for place in range(90)]
    points = [point.register.rounded_down() for point in registers_at(account, marks)]
    assert all(a.import_mwh <= b.import_mwh and a.export_mwh <= b.export_mwh for a, b in zip(points, points[1:]))  # noqa: B905, RUF007
    assert points[-1] == shown


def stated_as(account: LedgerSlice, what: str, number: int, minute: int) -> LedgerSlice:
    match what:
        case "adjust":
            return adjusted(account, number, 50 - number, at=minute)
        case "open":
            made = opening(account, import_mwh=number * KWH, export_mwh=0, **said(minute))  # type: ignore[arg-type]
            return also(account, made)
        case "reverse":
            return reversed_(account, number % 12 + 1, at=minute)
        case _:
            left = next(iter(unassigned(account)), 0)
            way = EnergyDirection(what)
            counts = min(number * 10, unassigned(account).get(left, 0))
            return also(account, assignment(account, left, way, counts=counts, **said(minute)))  # type: ignore[arg-type]


@pytest.mark.parametrize("about", [0, 2, 3, 9, -1])
def test_a_bill_of_a_damaged_reversal_says_what_is_damaged(about: int) -> None:
    account = reversed_(adjusted(ledger_slice(SPLIT), 3), 1)
    first, second = account.stated
    damaged = replace(account, stated=(first, replace(second, about=about)))
    with pytest.raises(LedgerError, match=f"manual entry 2 reverses {about}, which does not come before it") as refused:
        bills(damaged, tariff(), utc(2026, 6, 1), utc(2026, 7, 1), BERLIN)
    assert "wattrail ledger verify" in (refused.value.hint or "")


def test_energy_of_an_entry_in_an_unknown_epoch_says_what_is_damaged() -> None:
    damaged = ledger_slice([*DAY[:-1], replace(DAY[-1], epoch=7)])
    with pytest.raises(LedgerError, match="belongs to epoch 7, which is not known") as refused:
        by_interval(damaged, boundaries(By.DAY, utc(2026, 6, 20), utc(2026, 6, 24), BERLIN))
    assert "wattrail ledger verify" in (refused.value.hint or "")
