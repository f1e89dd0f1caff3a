"""``wattrail ledger export``."""

from __future__ import annotations

import csv
import json as json_text
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.ledger import document
from wattrail.cli.ledger.account import BooksOptions, Format, Length, NamedAccount, load_tariff, one_account
from wattrail.cli.option_types import FromOption, ToOption
from wattrail.ledger import By, by_interval
from wattrail.ledger.bill import rate_registers


def export(
    meter: NamedAccount = None,
    *,
    format: Annotated[Format, Parameter(help="csv or json.")] = "csv",
    by: Annotated[Length, Parameter(help="Length of the periods (15min).")] = "15min",
    from_: FromOption = None,
    to: ToOption = None,
    tariff: Annotated[Path | None, Parameter(help="Tariff file: adds a register for each rate.")] = None,
    options: BooksOptions | None = None,
) -> None:
    """Write energy by period as CSV or JSON.

    Columns are OBIS codes, energy is kWh, exact to the milliwatt-hour; every row says whether it is simulated. Without
    --from it begins with the account.
    """
    with one_account(meter, options or BooksOptions()) as account:
        plan = load_tariff(tariff) if tariff else None
        span = account.span(By.MONTH, from_, to)
        marks = account.marks(By(by), span, billing_day=plan.billing_day if plan else 1)
        ledger_slice = account.ledger_slice(since=None if plan else marks[0])
        by_rate = rate_registers(ledger_slice, plan, marks[1:], account.zone) if plan else ()
        rows = list(document.interval_rows(account, by_interval(ledger_slice, marks), plan, by_rate))
    if format == "json":
        print(json_text.dumps(rows, indent=1))
        return
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: str(cell).lower() if cell in (True, False) else cell for name, cell in row.items()} for row in rows
    )
