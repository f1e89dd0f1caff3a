"""``wattrail store backup``."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json
from wattrail.cli.store.database import content_lines, content_object, database_place, site_zone
from wattrail.store.backup import back_up


def backup(
    file: Annotated[Path, Parameter(help="The backup to write.")],
    *,
    replace: Annotated[bool, Parameter(help="Replace the file if it is there.")] = False,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Copy the database into one file, while the gateway runs.

    The copy is of one moment. It is read slowly, so that the gateway is not held up, checked, and then given its name.
    Only its owner can read it. A database on a server gives the same kind of file, which can go back to a server or
    stand by itself.
    """
    database = database_place(options)
    if file.exists() and not replace:
        raise UsageError(f"{file} exists", hint="give another name, or add --replace")
    output.note(f"copying {database}")
    if isinstance(database, Path):
        made = back_up(database, file, replace=replace)
    else:
        from wattrail.store.server_backup import back_up_server

        made = back_up_server(database, file, replace=replace)
    if json:
        print(json_text.dumps({**content_object(made.content), "seconds": round(made.seconds, 3)}))
        return
    print("\n".join(content_lines(made.content, site_zone(options))))
    print(f"written and checked in {made.seconds:.1f} s")
