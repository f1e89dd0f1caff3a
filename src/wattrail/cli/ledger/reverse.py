"""``wattrail ledger reverse``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.ledger import view
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.ledger.stating import DryRun, Reason, Who, state
from wattrail.cli.person import person
from wattrail.ledger import Statement, StatementKind, left_in_registers


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
    before, entry = state(statement, meter, options, dry_run=dry_run)
    left = left_in_registers((*before.stated, entry), before.epochs).rounded_down()
    if left.import_mwh or left.export_mwh:
        output.note(
            f"the registers do not fall: import keeps {view.kwh(left.import_mwh)} kWh that were reversed, "
            f"export {view.kwh(left.export_mwh)} kWh"
        )
