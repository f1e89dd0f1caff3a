"""``wattrail ledger verify``."""

from __future__ import annotations

from json import dumps

from wattrail.cli import output
from wattrail.cli.exits import Exit
from wattrail.cli.ledger import document
from wattrail.cli.ledger.account import NamedAccount, StoredAccount, accounts
from wattrail.cli.ledger.view import kwh
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.reading_view import SIMULATED
from wattrail.ledger import Audit, AuditFinding
from wattrail.store.verification import verify_meter


def verify(meter: NamedAccount = None, *, json: Json = False, options: BooksOptions | None = None) -> int:
    """Prove the file, replay the ledger and say what differs.

    Checks the file as the database engine sees it, that no row of the ledger is missing or altered, and every entry:
    its number, its interval, its counts against what the counter moved by and against what a chip can count, what was
    stated, and the totals. All meters of the database if none is named. Exit code 6 if anything differs.
    """
    with accounts(meter, options or BooksOptions()) as found:
        file = found[0].reader.file_problems()
        checked = [(account, _checked(account, file)) for account in found]
        if json:
            print(dumps([_object(account, result) for account, result in checked]))
        else:
            for account, result in checked:
                _print_findings(account, result)
    return Exit.VERIFY if any(result.findings for _, result in checked) else Exit.DONE


def _checked(account: StoredAccount, file: tuple[AuditFinding, ...]) -> Audit:
    """What is wrong with the file, then with the chain over the rows, then with what they say."""
    *_, last = verify_meter(account.reader.path, account.meter, file)
    assert last.result is not None
    return last.result


def _print_findings(account: StoredAccount, result: Audit) -> None:
    mark = f"  {SIMULATED}" if account.meter.simulated else ""
    verdict = f"{len(result.findings)} differ" if result.findings else "nothing differs"
    print(f"{account.meter.name}: {result.entries} entries, {result.stated} stated: {verdict}{mark}")
    if result.totals is not None:
        print(f"  import {kwh(result.totals.import_mwh)} kWh, export {kwh(result.totals.export_mwh)} kWh as replayed")
    for finding in result.findings:
        print(f"  {finding}")
    if result.findings:
        output.hint(
            "stop the gateway, keep the database as it is, and a copy: entries are never edited, so a disk, a crash or "
            "another program did it. Put a backup in its place, or begin with another --database"
        )


def _object(account: StoredAccount, result: Audit) -> dict[str, object]:
    return {
        "meter": account.meter.name,
        "simulated": account.meter.simulated,
        "entries": result.entries,
        "stated": result.stated,
        "totals": None if result.totals is None else document.totals_object(result.totals),
        "findings": [
            {
                "sequence": finding.sequence, "stated": finding.stated, "check": finding.check,
                "got": finding.got, "wanted": finding.wanted, "text": str(finding),
            }
            for finding in result.findings
        ],
    }  # fmt: skip
