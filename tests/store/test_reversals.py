"""A reversal in both databases: kept once, chained, proved, and gone from every period."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.rig import START, live_through, register
from wattrail.database_address import DatabaseAddress
from wattrail.errors import LedgerError
from wattrail.ledger import Entry, EntryKind, LedgerSlice, adjustment, reversal
from wattrail.store import open_store, open_to_read
from wattrail.store.pages import EntryFilter
from wattrail.store.verification import verify_meter

SAID = {"at": START + timedelta(hours=1), "who": "ada", "reason": "typo"}


def wrong(ledger_slice: LedgerSlice) -> Entry:
    return adjustment(ledger_slice, import_mwh=1_000_000_000, export_mwh=0, **SAID)  # type: ignore[arg-type]


def undone(ledger_slice: LedgerSlice) -> Entry:
    return reversal(ledger_slice, 1, **SAID)  # type: ignore[arg-type]


def test_a_reversal_is_kept_once_and_proved(address: DatabaseAddress) -> None:
    marks = [START, START + timedelta(hours=2)]
    with open_store(address) as store:
        meter_id = register(store)
        store.book(meter_id, live_through(store, meter_id, range(600)).close())
        with open_to_read(address) as reader:
            before = reader.energy(meter_id, marks)
        store.state(meter_id, wrong)
        store.state(meter_id, undone)
        with pytest.raises(LedgerError, match="reversed already"):
            store.state(meter_id, undone)
        ledger = store.ledger(meter_id)
        (row,) = store.meters()
    assert ledger is not None
    with open_to_read(address) as reader:
        after = reader.energy(meter_id, marks)
        newest = reader.newest_entries(meter_id, EntryFilter(kind=EntryKind.COUNTED), limit=3).entries
        remarkable = reader.newest_entries(meter_id, EntryFilter(is_remarkable=True), limit=3).entries
    assert [one.energy for one in after] == [one.energy for one in before]
    assert after[0].register.import_mwh == before[0].register.import_mwh + 1_000_000_000
    assert ledger.totals().import_mwh == after[0].register.import_mwh
    assert [one.sequence for one in newest] == sorted(one.sequence for one in newest)
    assert [one.kind for one in remarkable] == [EntryKind.START]
    *_, last = verify_meter(address, row)
    assert last.result is not None
    assert (last.result.findings, last.result.stated) == ((), 2)
    assert last.result.totals == ledger.totals()
