"""A manual entry from the command line: its options, what it would be, and keeping it beside a running gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import BooksOptions, StoredAccount, one_account
from wattrail.cli.reading_view import SIMULATED
from wattrail.ledger import Entry, LedgerSlice, Statement
from wattrail.store import open_store

__all__ = ["DryRun", "Reason", "Who", "state"]

Reason = Annotated[str, Parameter(help="Why; it is kept with the entry.")]
Who = Annotated[str | None, Parameter(help="Who states it; else the name you are logged in by.")]
DryRun = Annotated[bool, Parameter(help="Say what would be stated, and keep nothing.", negative="")]


def state(
    statement: Statement,
    meter: str | None,
    options: BooksOptions | None,
    *,
    dry_run: bool,
    preview: Callable[[StoredAccount], None] = lambda _account: None,
    confirm: Callable[[], None] = lambda: None,
) -> tuple[LedgerSlice, Entry]:
    """Keep a statement, unless it is a dry run, and print it; the ledger as it was, and the entry.

    ``preview`` shows what follows from it, before ``confirm`` asks whether to go on. Raises UsageError, LedgerError,
    StoreError.
    """
    at = clock.CLOCK.now()
    with one_account(meter, options or BooksOptions()) as account:
        path, row, zone = account.reader.path, account.meter, account.zone
        before = account.reader.outline(row.id)
        entry = statement.entry(before, at)
        preview(account)
    if dry_run:
        output.note("nothing was kept; without --dry-run this would be:")
    else:
        confirm()
        with open_store(path) as store:  # a gateway may have booked meanwhile: the entry is made of what stands then
            entry = store.state(row.id, lambda ledger_slice: statement.entry(ledger_slice, at))
    print(view.stated_text(entry, zone) + (f"  {SIMULATED}" if row.simulated else ""))
    return before, entry
