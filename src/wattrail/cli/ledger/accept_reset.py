"""``wattrail ledger accept-reset``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import BooksOptions, NamedAccount, StoredAccount, one_account
from wattrail.cli.ledger.adjust import user
from wattrail.cli.reading_view import SIMULATED
from wattrail.ledger import Entry, LedgerSlice, reset
from wattrail.store import open_store

_MAX_ANSWER = 100


def accept_reset(
    meter: NamedAccount = None,
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with the entry.")],
    who: Annotated[str | None, Parameter(help="Who states it; else the name you are logged in by.")] = None,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="Say what would be stated, and keep nothing.", negative="")] = False,
    options: BooksOptions | None = None,
) -> None:
    """State that a meter was reset or exchanged.

    Counting goes on from what the meter shows now, and the registers of the account go on from where they stand. A
    gateway may run meanwhile: it takes it up with the next reading.
    """
    said = {"at": clock.CLOCK.now(), "who": who or user(), "reason": reason}

    def make(ledger_slice: LedgerSlice) -> Entry:
        return reset(ledger_slice, **said)  # type: ignore[arg-type]

    with one_account(meter, options or BooksOptions()) as account:
        path, row, zone = account.reader.path, account.meter, account.zone
        planned = make(account.reader.outline(row.id))
        output.note(_preview(account))
    if dry_run:
        output.note("nothing was kept; without --dry-run this would be:")
    else:
        if not yes:
            _require_yes()
        with open_store(path) as store:
            planned = store.state(row.id, make)
    print(view.stated_text(planned, zone) + (f"  {SIMULATED}" if row.simulated else ""))
    if not dry_run:
        output.hint("wattrail ledger adjust states energy that the meter counted and never showed")


def _preview(account: StoredAccount) -> str:
    """What the meter showed before, what it shows now, and what follows from it."""
    ledger = account.reader.ledger(account.meter.id)
    assert ledger is not None  # else nothing could be stated
    totals = ledger.totals()
    stands = f"{account.meter.name} stands at import {view.kwh(totals.import_mwh)} kWh, export "
    lines = [f"{stands}{view.kwh(totals.export_mwh)} kWh, and goes on from there"]
    shown = zip(ledger.epoch.registers, ledger.shown or (), ledger.held or (None,) * 2, strict=False)
    for register, before, held in shown:
        last = view.kwh(int(register.milliwatt_hours(before)))
        now = "what the meter shows next" if held is None else f"{view.kwh(int(register.milliwatt_hours(held)))} kWh"
        lines.append(f"register {register.name}: booked up to {last} kWh; counting goes on from {now}")
    if ledger.held is None:
        lines.append("no reading waits for this: nothing is booked until the meter is read again")
    return "\n".join(lines)


def _require_yes() -> None:
    """Wait for a yes. Raises UsageError for anything else."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nothing was kept: nobody confirmed it", hint="add --yes to state it without a question")
    print("State it? It cannot be taken back. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline(_MAX_ANSWER).strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was kept: it was not confirmed")
