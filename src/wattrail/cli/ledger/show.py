"""``wattrail ledger show`` and ``export``."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.cli.ledger import document, view
from wattrail.cli.ledger.account import (
    Format,
    Length,
    NamedAccount,
    StoredAccount,
    load_tariff,
    one_account,
)
from wattrail.cli.option_types import BooksOptions, FromOption, Json, ToOption
from wattrail.ledger import By, bills, by_interval
from wattrail.ledger.bill import rate_registers


def show(
    meter: NamedAccount = None,
    *,
    by: Annotated[Length | None, Parameter(help="Energy by periods of this length, instead of registers.")] = None,
    from_: FromOption = None,
    to: ToOption = None,
    tariff: Annotated[Path | None, Parameter(help="Tariff file: bills, one for each billing period.")] = None,
    billing_day: Annotated[
        int | None,
        Parameter(help="Day of the month on which billing periods begin.", validator=validators.Number(gte=1, lte=31)),
    ] = None,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Show registers, energy by period, or bills.

    Reads the database only, beside a running gateway or without one. What is counted is shown once it is an entry, a
    minute later at most.
    """
    if by is None and tariff is None and (from_, to) != (None, None):
        raise UsageError("--from and --to apply to energy by period or to bills", hint="add --by day, or --tariff FILE")
    with one_account(meter, options or BooksOptions()) as account:
        if tariff is not None and by is None:
            shown = _bills(account, tariff, from_, to, billing_day, json=json)
        elif by is None:
            shown = _registers(account, json=json)
        else:
            day = billing_day or (load_tariff(tariff).billing_day if tariff else 1)
            shown = _intervals(account, By(by), from_, to, day, json=json)
    print(shown)


def _registers(account: StoredAccount, *, json: bool) -> str:
    outline = account.reader.outline(account.meter.id)
    if outline.booked_until is None:
        raise account.nothing()
    ledger_slice = account.ledger_slice(since=outline.booked_until)
    if not json:
        return f"{view.heading(account)}\n{view.registers_text(account, ledger_slice, outline)}"
    fields = {
        "meter": account.meter.name,
        "simulated": account.meter.simulated,
        "estimated": document.estimated_objects(account.estimated_times()),
        **document.totals_object(view.totals_at_end(ledger_slice)),
        "entries": ledger_slice.entries[-1].sequence,
        "definitions": document.definitions_object(account),
        "stated": [document.stated_object(entry) for entry in ledger_slice.stated],
    }
    return dumps(fields)


def _intervals(account: StoredAccount, by: By, first: str | None, until: str | None, day: int, *, json: bool) -> str:
    since = account.reader.energy_since(account.meter.id)
    marks = account.marks(by, account.span(by, first, until, since=since), billing_day=day)
    rows = account.reader.energy(account.meter.id, marks)
    if not json:
        return f"{view.heading(account)}\n{view.intervals_table(rows, account.zone, account.estimated_times())}"
    simulated = account.meter.simulated
    times = account.estimated_times()
    intervals = [document.interval_object(row, simulated=simulated, estimated=times) for row in rows]
    return dumps({"meter": account.meter.name, "simulated": simulated, "intervals": intervals})


def _bills(
    account: StoredAccount, path: Path, first: str | None, until: str | None, day: int | None, *, json: bool
) -> str:
    tariff = load_tariff(path)
    tariff = replace(tariff, billing_day=day or tariff.billing_day)
    made = bills(account.ledger_slice(), tariff, *account.span(By.BILLING, first, until), account.zone)
    if not json:
        return "\n".join([view.heading(account), *(view.bill_text(bill, account.zone) for bill in made)])
    simulated = account.meter.simulated
    times = account.estimated_times()
    objects = [document.bill_object(bill, simulated=simulated, estimated=times) for bill in made]
    return dumps({"meter": account.meter.name, "simulated": simulated, "bills": objects})


# ---- export


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
        print(dumps(rows, indent=1))
        return
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: str(cell).lower() if cell in (True, False) else cell for name, cell in row.items()} for row in rows
    )
