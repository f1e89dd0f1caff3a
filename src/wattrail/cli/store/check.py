"""``wattrail store check``."""

from __future__ import annotations

import json as json_text

from wattrail.cli import output
from wattrail.cli.exits import Exit
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.store.database import content_lines, content_object, counted, database_file, site_zone
from wattrail.cli.target import Json
from wattrail.store.file_check import FileFinding, content_of, file_findings, open_file


def check(*, json: Json = False, options: BooksOptions | None = None) -> int:
    """Say whether the database is whole, and what it holds.

    Checks every page and reference, the schema's version, the chains of hashes over the ledgers, each ledger by
    replaying it, and that every reading is accounted for. Only reads; a gateway may run. Exit code 6 if anything is
    wrong; each finding comes with its remedy.
    """
    path = database_file(options)
    with open_file(path) as connection:
        findings = file_findings(connection, path)
        content = None if findings else content_of(connection, path)
    if json:
        held = {} if content is None else content_object(content)
        print(json_text.dumps({"path": str(path), **held, "findings": [_object(finding) for finding in findings]}))
    else:
        print(
            "\n".join(
                [f"{path}: {counted(len(findings), 'finding', 'findings')}"]
                if content is None
                else content_lines(content, site_zone(options))
            )
        )
        for finding in findings:
            print(f"  {f'{finding.meter}: ' if finding.meter else ''}{finding.text}")
        if content is not None:
            print("the file is whole, and the ledgers add up")
        for remedy in dict.fromkeys(finding.remedy for finding in findings):
            output.hint(remedy)
    return Exit.VERIFY if findings else Exit.DONE


def _object(finding: FileFinding) -> dict[str, object]:
    return {"meter": finding.meter, "text": finding.text, "remedy": finding.remedy}
