"""What a person states: exact, with a reason, and never so that a register falls."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import BERLIN, EPOCHS, MINUTE, entry, forgotten, ledger_slice, start, utc, watched
from tests.ledger.test_ledger import EPOCH, lived_through, steps
from wattrail.errors import LedgerError
from wattrail.ledger import (
    By,
    EnergyDirection,
    Entry,
    EntryKind,
    Ledger,
    LedgerSlice,
    Totals,
    adjustment,
    assignment,
    audit,
    boundaries,
    by_interval,
    milliwatt_hours,
    opening,
    unassigned,
)

DAY = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))
EVENING = utc(2026, 6, 21, 20)
SAID = {"at": EVENING, "who": "ada", "reason": "the old meter was removed"}


def also(account: LedgerSlice, *stated: Entry) -> LedgerSlice:
    return LedgerSlice(entries=account.entries, epochs=account.epochs, stated=(*account.stated, *stated))


def replayed(account: LedgerSlice) -> Totals:
    return Ledger.replay([*account.stated, *account.entries], account.epochs).totals()


def test_an_opening_carries_the_old_display_over_to_the_milliwatt_hour() -> None:
    account = ledger_slice(DAY)
    counted = replayed(account)
    account = also(account, opening(account, import_mwh=milliwatt_hours(Decimal("12345.678901")), export_mwh=7, **SAID))
    totals = replayed(account)
    assert totals.import_mwh - counted.import_mwh == 12_345_678_901
    assert totals.export_mwh == 7


def test_an_opening_is_energy_of_no_day() -> None:
    account = ledger_slice(DAY)
    days = boundaries(By.DAY, utc(2026, 6, 20, 12), utc(2026, 6, 22, 12), BERLIN)
    before = by_interval(account, days)
    after = by_interval(also(account, opening(account, import_mwh=10**9, export_mwh=0, **SAID)), days)
    assert [row.energy for row in after] == [row.energy for row in before]
    assert [a.register.import_mwh - b.register.import_mwh for a, b in zip(after, before, strict=True)] == [10**9] * 3


def test_an_account_opens_once() -> None:
    account = ledger_slice(DAY)
    account = also(account, opening(account, import_mwh=1, export_mwh=0, **SAID))
    with pytest.raises(LedgerError, match="has an opening") as refused:
        opening(account, import_mwh=2, export_mwh=0, **SAID)
    assert refused.value.hint == "reverse manual entry 1, then state the opening as it was"


def test_a_meter_that_was_never_read_cannot_be_opened() -> None:
    with pytest.raises(LedgerError, match="never read"):
        opening(ledger_slice([]), import_mwh=1, export_mwh=0, **SAID)


def test_an_adjustment_counts_where_it_was_made_and_leaves_counts_alone() -> None:
    account = ledger_slice(DAY)
    made = adjustment(account, import_mwh=1_500_000, export_mwh=250_000, **SAID)
    assert (made.positive, made.negative, made.undirected) == (0, 0, 0)
    assert (made.who, made.note, made.stated_at) == ("ada", "the old meter was removed", EVENING)
    rows = by_interval(also(account, made), boundaries(By.HOUR, EVENING - 60 * MINUTE, EVENING + 60 * MINUTE, BERLIN))
    assert [row.energy.import_mwh for row in rows] == [60_000, 1_560_000]
    assert [row.stated.import_mwh for row in rows] == [0, 1_500_000]


@pytest.mark.parametrize(("kwh", "register"), [((-1, 0), "import"), ((5, -1), "export")])
def test_a_register_that_would_fall_is_refused_with_the_remedy(kwh: tuple[int, int], register: str) -> None:
    with pytest.raises(LedgerError, match=f"the {register} register would fall by 0.000001 kWh") as refused:
        adjustment(ledger_slice(DAY), import_mwh=kwh[0], export_mwh=kwh[1], **SAID)
    assert "begin a new account" in str(refused.value.hint)


def test_nothing_is_stated_without_a_reason() -> None:
    with pytest.raises(LedgerError, match="no reason"):
        adjustment(ledger_slice(DAY), import_mwh=1, export_mwh=0, at=EVENING, who="ada", reason=" ")


def test_an_adjustment_of_nothing_is_refused() -> None:
    with pytest.raises(LedgerError, match="of nothing"):
        adjustment(ledger_slice(DAY), import_mwh=0, export_mwh=0, **SAID)


@pytest.mark.parametrize(("kwh", "says"), [("0.0000001", "finer"), ("NaN", "not an energy"), ("1e10", "not an energy")])
def test_energy_that_cannot_be_kept_exactly_is_refused(kwh: str, says: str) -> None:
    with pytest.raises(LedgerError, match=says):
        milliwatt_hours(Decimal(kwh))


def test_counts_of_a_gap_get_a_direction_and_none_is_made_or_lost() -> None:
    account = ledger_slice(forgotten(DAY, utc(2026, 6, 21, 8), utc(2026, 6, 21, 10)))
    (gap,) = unassigned(account)
    before = replayed(account)
    account = also(account, assignment(account, gap, EnergyDirection.EXPORT, **SAID, counts=540))
    assert unassigned(account) == {gap: 540}
    account = also(account, assignment(account, gap, EnergyDirection.IMPORT, **SAID))
    assert unassigned(account) == {}
    after = replayed(account)
    assert before.undirected_mwh == 120_000
    assert after == Totals(before.import_mwh + 60_000, 60_000, 0)
    assert audit(account).findings == ()


def test_a_meter_the_wrong_way_round_is_assigned_by_what_the_person_says() -> None:
    first = start(EVENING - 100 * MINUTE, epoch=2)
    gap = entry(first, EVENING, kind=EntryKind.GAP, undirected=90)
    account = ledger_slice([first, gap])
    account = also(account, assignment(account, 2, EnergyDirection.IMPORT, **SAID))
    assert account.stated[0].negative == 90
    assert replayed(account) == Totals(EPOCHS[2].milliwatt_hours(90).__floor__(), 0, 0)


def test_only_what_has_no_direction_can_get_one() -> None:
    account = ledger_slice(forgotten(DAY, utc(2026, 6, 21, 8), utc(2026, 6, 21, 10)))
    (gap,) = unassigned(account)
    with pytest.raises(LedgerError, match="entry 5 has 0 counts") as refused:
        assignment(account, 5, EnergyDirection.IMPORT, **SAID)
    assert refused.value.hint == f"entries that have: {gap} (1080 counts)"
    with pytest.raises(LedgerError, match="1080 counts without a direction"):
        assignment(account, gap, EnergyDirection.IMPORT, **SAID, counts=1081)


def test_what_a_person_states_does_not_stand_among_what_the_counter_says() -> None:
    ledger = Ledger.replay(DAY, EPOCHS)
    with pytest.raises(LedgerError, match="only a reading causes"):
        ledger.take(DAY[3])
    made = adjustment(ledger_slice(DAY), import_mwh=1, export_mwh=0, **SAID)
    ledger.take(made)
    with pytest.raises(LedgerError, match="missing or doubled"):
        ledger.take(made)
    assert ledger.stated == 1


statements = st.lists(
    st.tuples(st.sampled_from(["open", "adjust", "assign"]), st.integers(0, 10**9), st.integers(0, 60)), max_size=6
)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, (1 << 24) - 1), steps, statements)
def test_with_manual_entries_registers_never_fall_and_replay_equals_live(
    begin: int, story: list[tuple[str, int, int]], told: list[tuple[str, int, int]]
) -> None:
    ledger, account = Ledger(EPOCH), LedgerSlice(entries=(), epochs={1: EPOCH})
    before = Totals(0, 0)
    for number, seen in enumerate(lived_through(begin, story)):
        entries = (*account.entries, *ledger.observe(seen))
        account = LedgerSlice(entries=entries, epochs={1: EPOCH}, stated=account.stated)
        for kind, mwh, when in told:
            if when == number and (made := stated(account, kind, mwh)) is not None:
                ledger.take(made)
                account = also(account, made)
        totals = ledger.totals()
        assert totals.import_mwh >= before.import_mwh
        assert totals.export_mwh >= before.export_mwh
        before = totals
    account = LedgerSlice(entries=(*account.entries, *ledger.close()), epochs={1: EPOCH}, stated=account.stated)
    assert replayed(account) == ledger.totals()
    found = audit(account)
    assert found.findings == ()
    assert found.totals == ledger.totals()
    moments = [utc(2000, 1, 1), EVENING - timedelta(hours=8), utc(2100, 1, 1)]
    assert by_interval(account, moments)[-1].register == ledger.totals()


def stated(account: LedgerSlice, kind: str, mwh: int) -> Entry | None:
    try:
        if kind == "open":
            return opening(account, import_mwh=mwh, export_mwh=1, **SAID)
        if kind == "adjust":
            return adjustment(account, import_mwh=mwh, export_mwh=mwh % 7, **SAID)
        left = unassigned(account)
        return assignment(account, next(iter(left), 0), EnergyDirection(("import", "export")[mwh % 2]), **SAID)
    except LedgerError:
        return None


def test_a_reset_with_energy_does_not_pass_the_audit() -> None:
    made = replace(adjustment(ledger_slice(DAY), import_mwh=5, export_mwh=0, **SAID), about=3)
    (finding,) = audit(also(ledger_slice(DAY), made)).findings
    assert str(finding) == "manual entry 1: its energy is 5 and 0 mWh, should be none: it states a reset"
