"""``wattrail ledger adjust``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import BooksOptions, NamedAccount
from wattrail.cli.ledger.stating import DryRun, Reason, Who, state
from wattrail.cli.person import person
from wattrail.ledger import EnergyDirection, Statement, StatementKind, milliwatt_hours

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
    state(
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
