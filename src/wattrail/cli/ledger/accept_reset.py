"""``wattrail ledger accept-reset``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import BooksOptions, NamedAccount, StoredAccount
from wattrail.cli.ledger.stating import DryRun, Reason, Who, state
from wattrail.cli.person import person
from wattrail.ledger import Statement, StatementKind, reset_outlook

_MAX_ANSWER = 100


def accept_reset(
    meter: NamedAccount = None,
    *,
    reason: Reason,
    who: Who = None,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative="")] = False,
    dry_run: DryRun = False,
    options: BooksOptions | None = None,
) -> None:
    """State that a meter was reset or exchanged.

    Counting goes on from what the meter shows now, and the registers of the account go on from where they stand. A
    gateway may run meanwhile: it takes it up with the next reading.
    """
    statement = Statement(kind=StatementKind.RESET, who=who or person(), reason=reason)
    confirm = (lambda: None) if yes else _require_yes
    state(
        statement, meter, options, dry_run=dry_run,
        preview=lambda account: output.note(_preview(account)), confirm=confirm,
    )  # fmt: skip
    if not dry_run:
        output.hint("wattrail ledger adjust states energy that the meter counted and never showed")


def _preview(account: StoredAccount) -> str:
    """What the meter showed before, what it shows now, and what follows from it."""
    ledger = account.reader.ledger(account.meter.id)
    assert ledger is not None  # else nothing could be stated
    totals = ledger.totals()
    stands = f"{account.meter.name} stands at import {view.kwh(totals.import_mwh)} kWh, export "
    lines = [f"{stands}{view.kwh(totals.export_mwh)} kWh, and goes on from there"]
    for one in reset_outlook(ledger):
        from_mwh = one.goes_on_from_mwh
        now = "what the meter shows next" if from_mwh is None else f"{view.kwh(from_mwh)} kWh"
        lines.append(
            f"register {one.register}: booked up to {view.kwh(one.booked_mwh)} kWh; counting goes on from {now}"
        )
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
