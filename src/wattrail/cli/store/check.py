"""``wattrail store check``."""

from __future__ import annotations

import json as json_text
from pathlib import Path

from wattrail.cli import output
from wattrail.cli.exits import Exit
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json
from wattrail.cli.store.database import content_lines, content_object, counted, database_place, site_zone
from wattrail.database_address import PostgresAddress
from wattrail.store.file_check import FileContent, FileFinding, content_of, file_findings, open_file


def check(*, json: Json = False, options: BooksOptions | None = None) -> int:
    """Say whether the database is whole, and what it holds.

    Checks every page and reference of a file, or guards, indexes and rules of a schema on a server; then the schema's
    version, the chains of hashes over the ledgers, each ledger by replaying it, and that every reading is accounted
    for. Only reads; a gateway may run. Exit code 6 if anything is wrong; each finding comes with its remedy.
    """
    path = database_place(options)
    findings, content = _of_file(path) if isinstance(path, Path) else _on_server(path)
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
            print(f"the {'file' if isinstance(path, Path) else 'schema'} is whole, and the ledgers add up")
        for remedy in dict.fromkeys(finding.remedy for finding in findings):
            output.hint(remedy)
    return Exit.VERIFY if findings else Exit.DONE


def _of_file(path: Path) -> tuple[tuple[FileFinding, ...], FileContent | None]:
    with open_file(path) as connection:
        findings = file_findings(connection, path)
        return findings, None if findings else content_of(connection, path)


def _on_server(address: PostgresAddress) -> tuple[tuple[FileFinding, ...], FileContent | None]:
    from wattrail.store.server_check import server_content, server_findings

    findings = server_findings(address)
    return findings, None if findings else server_content(address)


def _object(finding: FileFinding) -> dict[str, object]:
    return {"meter": finding.meter, "text": finding.text, "remedy": finding.remedy}
