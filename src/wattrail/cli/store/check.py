"""``wattrail store check``."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import Exit
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json
from wattrail.cli.store.database import content_lines, content_object, counted, database_place, site_zone
from wattrail.database_address import DatabaseAddress
from wattrail.store.derived_rows import DatabaseCheck, check_database
from wattrail.store.derived_rows import rebuild as rebuild_derived
from wattrail.store.file_check import FileFinding


def check(
    *,
    rebuild: Annotated[
        bool, Parameter(help="Make sums and rollups that differ again from the entries and readings.")
    ] = False,
    json: Json = False,
    options: BooksOptions | None = None,
) -> int:
    """Say whether the database is whole, and what it holds.

    Checks every page and reference of a file, or guards, indexes and rules of a schema on a server; then the schema's
    version, the chains of hashes over the ledgers, each ledger by replaying it, that every reading is accounted for,
    and every sum and rollup against the entries and readings it was made of. Only reads, but with --rebuild; a gateway
    may run. Exit code 6 if anything is wrong; each finding comes with its remedy.
    """
    path = database_place(options)
    made: Mapping[str, int] = {}
    if rebuild:
        done = rebuild_derived(path)
        made, checked = done.rows, done.after
    else:
        checked = check_database(path)
    if json:
        held = {} if checked.content is None else content_object(checked.content)
        rebuilt = {"rebuilt": dict(made)} if rebuild else {}
        print(json_text.dumps({"path": str(path), **held, "findings": [*map(_object, checked.findings)], **rebuilt}))
    else:
        for table, count in made.items():
            print(f"{path}: {counted(count, 'row', 'rows')} of {table} made again")
        if rebuild and not made:
            print(f"{path}: nothing was made again")
        _print(checked, path, options)
    return Exit.VERIFY if checked.findings else Exit.DONE


def _print(checked: DatabaseCheck, path: DatabaseAddress, options: BooksOptions | None) -> None:
    findings, content = checked.findings, checked.content
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


def _object(finding: FileFinding) -> dict[str, object]:
    return {"meter": finding.meter, "text": finding.text, "remedy": finding.remedy}
