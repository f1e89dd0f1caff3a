"""``wattrail ledger adjust``, ``reverse`` and ``accept-reset``: manual entries, kept beside a running gateway."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import NamedAccount, StoredAccount, one_account
from wattrail.cli.option_types import BooksOptions
from wattrail.cli.person import at_a_terminal, is_yes, person, typed
from wattrail.cli.reading_view import SIMULATED
from wattrail.ledger import (
    EnergyDirection,
    Entry,
    LedgerSlice,
    Statement,
    StatementKind,
    left_in_registers,
    milliwatt_hours,
    reset_outlook,
)
from wattrail.store import open_store

__all__ = ["accept_reset", "adjust", "reverse"]


Reason = Annotated[str, Parameter(help="Why; it is kept with the entry.")]
Who = Annotated[str | None, Parameter(help="Who states it; else the name you are logged in by.")]
DryRun = Annotated[bool, Parameter(help="Say what would be stated, and keep nothing.")]


def _state(
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


# ---- adjust


_Kwh = Annotated[str | None, Parameter(help="Kilowatt-hours, six decimals at most.")]


def adjust(
    meter: NamedAccount = None,
    *,
    reason: Reason,
    import_kwh: _Kwh = None,
    export_kwh: _Kwh = None,
    opening: Annotated[bool, Parameter(help="The energy is what an older meter showed when this one began.")] = False,
    gap: Annotated[int | None, Parameter(help="Number of an entry whose counts have no direction.")] = None,
    direction: Annotated[EnergyDirection | None, Parameter(help="The direction they get.")] = None,
    who: Who = None,
    dry_run: DryRun = False,
    options: BooksOptions | None = None,
) -> None:
    """State an opening, an adjustment, a direction.

    Each is an entry of its own, kept for ever; nothing that was counted is touched, and registers never fall. A gateway
    may run meanwhile.
    """
    _state(
        _statement(import_kwh, export_kwh, gap, direction, who or person(), reason, opens=opening),
        meter, options, dry_run=dry_run,
    )  # fmt: skip


def _statement(
    import_kwh: str | None, export_kwh: str | None, gap: int | None, direction: EnergyDirection | None, who: str,
    reason: str, *, opens: bool,
) -> Statement:  # fmt: skip
    """What is stated. Raises UsageError."""
    if gap is not None or direction is not None:
        if gap is None or direction is None or opens or import_kwh or export_kwh:
            raise UsageError("a direction needs --gap N and --direction import or export, and nothing else")
        return Statement(kind=StatementKind.DIRECTION, about=gap, direction=direction, who=who, reason=reason)
    if not import_kwh and not export_kwh:
        raise UsageError("nothing is stated", hint="give --import-kwh, --export-kwh, or --gap with --direction")
    return Statement(
        kind=StatementKind.OPENING if opens else StatementKind.ADJUSTMENT, who=who, reason=reason,
        import_mwh=_mwh(import_kwh, "--import-kwh"), export_mwh=_mwh(export_kwh, "--export-kwh"),
    )  # fmt: skip


def _mwh(text: str | None, option: str) -> int:
    try:
        return milliwatt_hours(Decimal(text or 0))
    except InvalidOperation as error:
        raise UsageError(f"{option} {text!r} is not a number", hint="write kilowatt-hours, such as 1234.567") from error


# ---- reverse


def reverse(
    number: Annotated[int, Parameter(help="Number of the manual entry; wattrail ledger show lists them.")],
    meter: Annotated[str | None, Parameter(help="Name of the meter; may be left out if there is only one.")] = None,
    *,
    reason: Reason,
    who: Who = None,
    dry_run: DryRun = False,
    options: BooksOptions | None = None,
) -> None:
    """Reverse a manual entry that was wrong.

    Both entries are kept for ever. Periods and bills are then as if neither had been stated. The registers do not fall:
    they keep what was reversed, until what you state later has used it up. A gateway may run meanwhile.
    """
    statement = Statement(kind=StatementKind.REVERSAL, about=number, who=who or person(), reason=reason)
    before, entry = _state(statement, meter, options, dry_run=dry_run)
    left = left_in_registers((*before.stated, entry), before.epochs).rounded_down()
    if left.import_mwh or left.export_mwh:
        output.note(
            f"the registers do not fall: import keeps {view.kwh(left.import_mwh)} kWh that were reversed, "
            f"export {view.kwh(left.export_mwh)} kWh"
        )


# ---- accept-reset


def accept_reset(
    meter: NamedAccount = None,
    *,
    reason: Reason,
    who: Who = None,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    dry_run: DryRun = False,
    options: BooksOptions | None = None,
) -> None:
    """State that a meter was reset or exchanged.

    Counting goes on from what the meter shows now, and the registers of the account go on from where they stand. A
    gateway may run meanwhile: it takes it up with the next reading.
    """
    statement = Statement(kind=StatementKind.RESET, who=who or person(), reason=reason)
    confirm = (lambda: None) if yes else _require_yes
    _state(
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
    if not at_a_terminal():
        raise UsageError("nothing was kept: nobody confirmed it", hint="add --yes to state it without a question")
    if not is_yes(typed("State it? It cannot be taken back. [y/N] ")):
        raise UsageError("nothing was kept: it was not confirmed")
