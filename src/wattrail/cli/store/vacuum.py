"""``wattrail store vacuum``."""

from __future__ import annotations

import json as json_text
from pathlib import Path

from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.option_types import Json
from wattrail.cli.store.database import database_place
from wattrail.store.vacuum import vacuum


def vacuum_database(*, json: Json = False, options: BooksOptions | None = None) -> None:
    """Give the space of deleted rows back to the disk.

    Stop the gateway first. A file needs room for two more copies of it meanwhile, and says so if there is none. On a
    server it is VACUUM FULL of every table, which needs room for a copy of the largest.
    """
    database = database_place(options)
    if isinstance(database, Path):
        done = vacuum(database)
    else:
        from wattrail.store.server_backup import vacuum_server

        done = vacuum_server(database)
    if json:
        print(json_text.dumps({"path": str(database), "before_bytes": done.before, "after_bytes": done.after}))
    else:
        print(f"{database}: {done.before} bytes before, {done.after} bytes after")
