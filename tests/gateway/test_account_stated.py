"""What a person states beside a running gateway."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from wattrail import ManualClock, open_meter
from wattrail.gateway.account import Account
from wattrail.ledger import adjustment
from wattrail.store import open_store

EVENING = datetime(2026, 6, 21, 23, 57, tzinfo=UTC)


def test_a_running_account_takes_up_an_adjustment_and_keeps_its_day(tmp_path: Path) -> None:
    clock = ManualClock(EVENING)
    with open_store(tmp_path / "w.sqlite") as store, open_meter("twin://pziot-e01?watts=3000", clock=clock) as meter:
        meter.connect()
        account = Account(store, "house", meter, meter.read(), now=clock.now(), zone=ZoneInfo("UTC"))

        def look(seconds: int) -> None:
            for _ in range(seconds):
                clock.advance(1)
                account.book(meter.read())

        look(61)
        counted = account.totals().import_mwh
        store.state(
            account.meter_id,
            lambda ledger_slice: adjustment(
                ledger_slice, import_mwh=5_000_000, export_mwh=0, at=clock.now(), who="ann", reason="lost last week"
            ),
        )
        look(61)
        assert account.totals().import_mwh > counted + 5_000_000
        assert account.today(clock.now()).import_mwh > 5_000_000
        clock.advance(3)
        look(120)
        after_midnight = account.today(clock.now())
        assert clock.now() > EVENING + timedelta(minutes=3)
        assert 0 <= after_midnight.import_mwh < 100_000
