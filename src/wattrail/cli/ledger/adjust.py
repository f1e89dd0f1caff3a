"""``wattrail ledger adjust``."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import BooksOptions, NamedAccount, one_account
from wattrail.cli.reading_view import SIMULATED
from wattrail.ledger import EnergyDirection, Entry, LedgerSlice, adjustment, assignment, milliwatt_hours, opening
from wattrail.store import open_store

_Kwh = Annotated[str | None, Parameter(help="Kilowatt-hours, six decimals at most.")]


def adjust(
    meter: NamedAccount = None,
    *,
    reason: Annotated[str, Parameter(help="Why; it is kept with the entry.")],
    import_kwh: _Kwh = None,
    export_kwh: _Kwh = None,
    opening: Annotated[bool, Parameter(help="The energy is what an older meter showed when this one began.")] = False,
    gap: Annotated[int | None, Parameter(help="Number of an entry whose counts have no direction.")] = None,
    direction: Annotated[EnergyDirection | None, Parameter(help="The direction they get.")] = None,
    who: Annotated[str | None, Parameter(help="Who states it; else the name you are logged in by.")] = None,
    dry_run: Annotated[bool, Parameter(help="Say what would be stated, and keep nothing.")] = False,
    options: BooksOptions | None = None,
) -> None:
    """State an opening, an adjustment, a direction.

    Each is an entry of its own, kept for ever; nothing that was counted is touched, and registers never fall. A gateway
    may run meanwhile.
    """
    said = {"at": clock.CLOCK.now(), "who": who or user(), "reason": reason}
    make = _maker(import_kwh, export_kwh, gap, direction, said, opens=opening)
    with one_account(meter, options or BooksOptions()) as account:
        path, row, zone = account.reader.path, account.meter, account.zone
        planned = make(account.reader.outline(row.id))
    if dry_run:
        output.note("nothing was kept; without --dry-run this would be:")
    else:
        with open_store(path) as store:
            planned = store.state(row.id, make)
    print(view.stated_text(planned, zone) + (f"  {SIMULATED}" if row.simulated else ""))


def _maker(
    import_kwh: str | None, export_kwh: str | None, gap: int | None, direction: EnergyDirection | None,
    said: dict[str, object], *, opens: bool,
) -> Callable[[LedgerSlice], Entry]:  # fmt: skip
    """What makes the entry of the ledger as they stand when it is kept. Raises UsageError."""
    if gap is not None or direction is not None:
        if gap is None or direction is None or opens or import_kwh or export_kwh:
            raise UsageError("a direction needs --gap N and --direction import or export, and nothing else")
        about, given = gap, direction
        return lambda ledger_slice: assignment(ledger_slice, about, given, **said)  # type: ignore[arg-type]
    if not import_kwh and not export_kwh:
        raise UsageError("nothing is stated", hint="give --import-kwh, --export-kwh, or --gap with --direction")
    energy = {"import_mwh": _mwh(import_kwh, "--import-kwh"), "export_mwh": _mwh(export_kwh, "--export-kwh")}
    made = opening if opens else adjustment
    return lambda ledger_slice: made(ledger_slice, **energy, **said)  # type: ignore[arg-type]


def _mwh(text: str | None, option: str) -> int:
    try:
        return milliwatt_hours(Decimal(text or 0))
    except InvalidOperation as error:
        raise UsageError(f"{option} {text!r} is not a number", hint="write kilowatt-hours, such as 1234.567") from error


def user() -> str:
    """The name somebody is logged in by."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
