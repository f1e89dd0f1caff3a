"""``wattrail ledger report``."""

from __future__ import annotations

from datetime import UTC, date
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import NamedAccount, StoredAccount, load_tariff, one_account
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.report.files import keep, refuse_existing
from wattrail.ledger import By, parse_moment
from wattrail.publish import report_text
from wattrail.publish.report import EnergyReport, ReportedMeter, energy_report
from wattrail.publish.report_notes import notes_of
from wattrail.sanitize import printable_lines


def report(
    meter: NamedAccount = None,
    *,
    day: Annotated[str | None, Parameter(help="A local day, such as 2026-03-01.")] = None,
    month: Annotated[str | None, Parameter(help="A month, such as 2026-03.")] = None,
    tariff: Annotated[Path | None, Parameter(help="Tariff file: adds the cost of a month.")] = None,
    html: Annotated[Path | None, Parameter(help="Keep the report as HTML in this file.")] = None,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Report the energy of a day or a month.

    Import and export beside the period before, the quarter hour with the highest import, gaps and restarts. Below it
    the alarms that were raised, and what to change about the connection of a network meter.
    """
    by, first_day = _period(day, month)
    if tariff is not None and by is By.DAY:
        raise UsageError("--tariff applies to a month: standing charges belong to months", hint="use --month 2026-03")
    refuse_existing(html)
    with one_account(meter, options or BooksOptions()) as account:
        made = _report(account, by, first_day, tariff)
        notes = notes_of(account.reader, account.meter.name, by, first_day, account.zone)
    if json:
        print(dumps({**report_text.as_object(made), **notes.as_object()}))
    else:
        print(printable_lines("\n".join([report_text.as_text(made), *notes.lines()])))
    if html:
        keep(html, report_text.as_html(made, *notes.as_html_parts()))


def _report(account: StoredAccount, by: By, first_day: date, tariff: Path | None) -> EnergyReport:
    # the whole account: a slice that begins later does not say when the account began
    about = ReportedMeter(
        name=account.meter.name, simulated=account.meter.simulated, zone=account.zone,
        estimated=account.estimated_times(),
    )  # fmt: skip
    loaded = load_tariff(tariff) if tariff else None
    return energy_report(account.ledger_slice(), about, by, first_day, tariff=loaded)


def _period(day: str | None, month: str | None) -> tuple[By, date]:
    """What was asked for, and its first day. Raises UsageError."""
    if (day is None) == (month is None):
        raise UsageError("a report is of a day or of a month", hint="give --day 2026-03-01 or --month 2026-03")
    by, text, option = (By.DAY, day, "--day") if day is not None else (By.MONTH, f"{month}-01", "--month")
    try:
        first_day = date.fromisoformat(str(text))
        parse_moment(
            first_day.isoformat(), UTC
        )  # no years at whose ends the day before or after is not in the calendar
    except ValueError as error:
        example = "a day such as 2026-03-01" if by is By.DAY else "a month such as 2026-03"
        raise UsageError(f"{option} {day or month!r} is not a {by}", hint=f"write {example}") from error
    return by, first_day
