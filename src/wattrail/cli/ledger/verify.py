"""``wattrail ledger verify``."""

from __future__ import annotations

import json as json_text

from wattrail.cli import say
from wattrail.cli.exits import Exit
from wattrail.cli.ledger import document
from wattrail.cli.ledger.account import Account, BooksOptions, NamedAccount, accounts
from wattrail.cli.ledger.view import kwh
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.target import Json
from wattrail.ledger import Audit, audit


def verify(meter: NamedAccount = None, *, json: Json = False, options: BooksOptions | None = None) -> int:
    """Replay the ledger and say what differs.

    Checks every entry: its number, its interval, its counts against what the counter moved by and against what a chip
    can count, what was stated, and the totals. All meters of the database if none is named. Exit code 6 if anything
    differs.
    """
    with accounts(meter, options or BooksOptions()) as found:
        checked = [(account, audit(account.reader.books(account.meter.id))) for account in found]
        if json:
            print(json_text.dumps([_object(account, result) for account, result in checked]))
        else:
            for account, result in checked:
                _tell(account, result)
    return Exit.VERIFY if any(result.findings for _, result in checked) else Exit.DONE


def _tell(account: Account, result: Audit) -> None:
    mark = f"  {SIMULATED}" if account.meter.simulated else ""
    verdict = f"{len(result.findings)} differ" if result.findings else "nothing differs"
    print(f"{account.meter.name}: {result.entries} entries, {result.stated} stated: {verdict}{mark}")
    if result.totals is not None:
        print(f"  import {kwh(result.totals.import_mwh)} kWh, export {kwh(result.totals.export_mwh)} kWh as replayed")
    for finding in result.findings:
        print(f"  {finding}")
    if result.findings:
        say.hint("keep the database as it is, and a copy: entries are never edited, so something else wrote into it")


def _object(account: Account, result: Audit) -> dict[str, object]:
    return {
        "meter": account.meter.name,
        "simulated": account.meter.simulated,
        "entries": result.entries,
        "stated": result.stated,
        "totals": None if result.totals is None else document.totals_object(result.totals),
        "findings": [
            {
                "sequence": finding.sequence, "stated": finding.stated, "check": finding.check,
                "got": finding.got, "wanted": finding.wanted,
            }
            for finding in result.findings
        ],
    }  # fmt: skip
