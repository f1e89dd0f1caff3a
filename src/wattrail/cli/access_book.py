"""Which database the verbs about users and tokens mean, and who types them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.access import AuditRecord, Scope
from wattrail.access.records import check_access_name
from wattrail.app.config import database_of, demo_database, load_config
from wattrail.cli import clock
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.person import person
from wattrail.clock import zone_of
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.store import open_store, open_to_read
from wattrail.store.access import AccessBook

__all__ = ["ScopeOption", "audit_record", "checked_name", "database_for", "local_time", "opened"]

ScopeOption = Annotated[
    Scope, Parameter(help="What it may do: read, adjust (also acknowledge alarms) or admin (also read the audit log).")
]


@contextmanager
def opened(options: BooksOptions | None, *, makes_one: bool = False) -> Iterator[AccessBook]:
    """The users and tokens that ``wattrail run`` takes with the same options. Raises UsageError, StoreError."""
    path = database_for(options)
    if not is_there(path) and not makes_one:
        raise UsageError(f"there is no database {path}", hint="wattrail user add makes one")
    if makes_one:
        _make(path)
    with open_to_read(path):
        pass  # it is ours, and of this version
    with AccessBook(path) as book:
        yield book


def _make(path: DatabaseAddress) -> None:
    """A database. A file made by root belongs to the owner of its folder: a service that is not root must write it."""
    is_new = not is_there(path)
    open_store(path).close()
    if not is_new or not isinstance(path, Path) or os.geteuid() != 0:
        return
    folder = path.absolute().parent.stat()
    if folder.st_uid != 0:
        for part in path.parent.glob(f"{path.name}*"):
            os.chown(part, folder.st_uid, folder.st_gid)


def database_for(options: BooksOptions | None) -> DatabaseAddress:
    """The one named, else that of the configured meters, else that of the demo twin."""
    options = options or BooksOptions()
    if options.database is not None:
        return options.database
    config = load_config(options.config)
    return database_of(config) if config is not None and config.meter else demo_database()


def checked_name(name: str) -> str:
    """The name of a user or token. Raises UsageError."""
    try:
        return check_access_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def audit_record(action: str, subject: str) -> AuditRecord:
    """What is written down about a command on this machine."""
    return AuditRecord(at=clock.CLOCK.now(), who=person(), origin="command line", action=action, subject=subject)


def local_time(moment: datetime | None, options: BooksOptions | None) -> str:
    """A moment in the time of the site; a dash for none."""
    if moment is None:
        return "-"
    config = load_config((options or BooksOptions()).config)
    return moment.astimezone(zone_of(config.site.timezone if config else None)).strftime("%Y-%m-%d %H:%M:%S%z")
