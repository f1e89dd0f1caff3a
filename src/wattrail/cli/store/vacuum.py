"""``wattrail store vacuum``."""

from __future__ import annotations

import json as json_text

from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.store.database import database_file
from wattrail.cli.target import Json
from wattrail.store.vacuum import vacuum


def vacuum_database(*, json: Json = False, options: BooksOptions | None = None) -> None:
    """Give the space of deleted rows back to the disk.

    Stop the gateway first. It needs room for two more copies of the file while it works, and says so if there is none.
    """
    database = database_file(options)
    done = vacuum(database)
    if json:
        print(json_text.dumps({"path": str(database), "before_bytes": done.before, "after_bytes": done.after}))
    else:
        print(f"{database}: {done.before} bytes before, {done.after} bytes after")
