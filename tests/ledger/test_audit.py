"""What the auditor finds: nothing in what the ledger wrote, and every forgery by its entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.ledger.rig import MINUTE, chip_epoch, entry, ledger_slice, start, utc, watched
from tests.ledger.test_ledger import EPOCH, KILOWATT, look
from wattrail.ledger import Entry, EntryKind, Ledger, LedgerSlice, Observation, Totals, adjustment, audit

DAY = watched(date(2026, 6, 21), date(2026, 6, 22), lambda _: (9, 0))
NOON = utc(2026, 6, 21, 12)


def found(entries: list[Entry], **more: object) -> list[str]:
    return [str(finding) for finding in audit(ledger_slice(entries, **more)).findings]  # type: ignore[arg-type]


def forged(sequence: int, **fields: object) -> list[str]:
    entries = list(DAY)
    entries[sequence - 1] = replace(entries[sequence - 1], **fields)  # type: ignore[arg-type]
    return found(entries)


def test_books_that_are_right_have_no_findings_and_the_totals_of_a_replay() -> None:
    checked = audit(ledger_slice(DAY))
    assert (checked.entries, checked.findings) == (1441, ())
    assert checked.totals == Totals(1_440_000, 0)


def test_books_without_an_entry_are_right() -> None:
    assert audit(ledger_slice([])).findings == ()


def test_counts_that_the_counter_did_not_make_are_found() -> None:
    assert forged(700, positive=10) == ["entry 700: the sum of its counts is 10, should be 9: the counter went from "
                                        "6282 to 6291"]  # fmt: skip


def test_a_missing_entry_is_found() -> None:
    names = [text for text in found([*DAY[:10], *DAY[11:]]) if "replay" not in text]
    assert names[0] == "entry 12: its sequence is 12, should be 11"
    assert "its start is 2026-06-20 22:10:00+00:00, should be 2026-06-20 22:09:00+00:00" in names[1]
    assert "the sum of its counts is 9, should be 18" in names[2]


def test_an_entry_that_was_moved_is_found() -> None:
    assert any("its start is" in text for text in forged(700, start=DAY[699].start + timedelta(seconds=1)))


def test_more_counts_than_a_chip_can_make_are_found() -> None:
    first = start(NOON)
    texts = found([first, replace(entry(first, NOON + MINUTE, positive=5000), readings=60)])
    assert texts == ["entry 2: the sum of its counts is 5000, should be 1322 at most: it took 60.0 s"]


def test_an_epoch_that_changes_without_a_word_is_found() -> None:
    assert "its epoch is 2, should be 1, for no epoch begins here" in forged(1441, epoch=2)[0]


def test_an_epoch_nobody_knows_is_found_and_cannot_be_replayed() -> None:
    texts = forged(1441, epoch=9)
    assert "entry 1441: its epoch is 9, should be one of 1, 2" in texts
    assert (
        "totals: the replay is refused (entry 1441 belongs to epoch 9, which is not known), should be possible" in texts
    )


def test_a_restart_that_books_more_than_the_counter_shows_is_found() -> None:
    first = start(NOON, count=2636)
    honest = replace(entry(first, NOON + MINUTE, kind=EntryKind.RESTART, positive=3), count=3)
    assert found([first, honest]) == []
    assert "is 4, should be 3" in found([first, replace(honest, positive=4)])[0]


def test_a_leap_no_chip_can_make_books_nothing() -> None:
    first = start(NOON)
    gap = replace(entry(first, NOON + timedelta(seconds=1), kind=EntryKind.GAP), count=100_000)
    assert found([first, gap]) == []


def test_energy_that_is_stated_in_an_entry_of_the_counter_is_found() -> None:
    assert "stated energy is in an entry of kind counted" in forged(700, import_mwh=5)[0]


def test_a_beginning_cut_off_is_found() -> None:
    texts = found(DAY[5:])
    assert texts[:2] == ["entry 6: the first sequence is 6, should be 1",
                         "entry 6: the kind of the first entry is counted, should be start"]  # fmt: skip


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        ({"sequence": 2}, "manual entry 2: its sequence is 2, should be 1"),
        ({"note": ""}, "its reason is missing"),
        ({"import_mwh": -1}, "its energy is negative"),
        ({"undirected": -5}, "the sum of its counts is -5"),
        ({"kind": EntryKind.ASSIGNED, "about": 3, "undirected": -5, "positive": 5}, "what it assigns is 5 more than"),
    ],
)
def test_a_forged_statement_is_found(forgery: dict[str, object], says: str) -> None:
    made = adjustment(ledger_slice(DAY), import_mwh=1, export_mwh=0, at=NOON, who="ada", reason="because")
    assert any(says in text for text in found(list(DAY), stated=[replace(made, **forgery)]))  # type: ignore[arg-type]


def test_what_the_ledger_writes_about_an_algebraic_counter_is_right() -> None:
    ledger = Ledger(EPOCH)
    counts = [5, 8, 0xFFFFFF, 3]
    entries = [
        one
        for second, count in enumerate(counts)
        for one in ledger.observe(replace(look(30.0 * second, count, algebraic=True), mode=0x07, elapsed_us=9_000_000))
    ]
    account = LedgerSlice(entries=(*entries, *ledger.close()), epochs={1: EPOCH})
    assert audit(account).findings == ()


def test_what_the_ledger_writes_over_a_new_calibration_is_right() -> None:
    ledger = Ledger(EPOCH)
    later = chip_epoch(2, 300.0, inverted=True)
    entries = [*ledger.observe(look(0, 0)), *ledger.observe(look(1, 7)), *ledger.begin_epoch(later)]
    entries += [*ledger.observe(look(2, 9)), *ledger.close()]
    assert audit(LedgerSlice(entries=tuple(entries), epochs={1: EPOCH, 2: later})).findings == ()


def test_a_gap_after_a_start_takes_its_direction_from_what_was_seen() -> None:
    # The gateway was stopped while the house exported, and started again when it imported.
    ledger = Ledger(EPOCH)
    entries = [*ledger.observe(look(0, 100, -KILOWATT)), *ledger.observe(look(1, 101, -KILOWATT)), *ledger.close()]
    back = Observation(at=NOON + timedelta(hours=9), elapsed_us=None, count=900, watt=KILOWATT)
    (gap,) = Ledger.replay(entries, {1: EPOCH}).observe(back)
    assert (gap.positive, gap.negative, gap.undirected) == (0, 0, 799)
    unknown = [replace(one, watt=None) for one in entries]
    (gap,) = Ledger.replay(unknown, {1: EPOCH}).observe(back)
    assert gap.undirected == 799
