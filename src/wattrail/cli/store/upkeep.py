"""``wattrail store check``, ``backup``, ``restore`` and ``vacuum``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.store.database import (
    content_lines,
    content_object,
    counted,
    database_place,
    meter_line,
    place_of,
)
from wattrail.cli.times import local
from wattrail.database_address import DatabaseAddress
from wattrail.store.backup import back_up
from wattrail.store.derived_rows import DatabaseCheck, check_database
from wattrail.store.derived_rows import rebuild as rebuild_derived
from wattrail.store.file_check import FileFinding
from wattrail.store.restore import LostPart, restore
from wattrail.store.vacuum import vacuum
from wattrail.units import utc_text

# ---- check


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
        print(dumps({"path": str(path), **held, "findings": [*map(_object, checked.findings)], **rebuilt}))
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
            else content_lines(content, (options or BooksOptions()).zone())
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


# ---- backup


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
    # Said before minutes of copying; the copy looks again when it takes its name.
    if file.exists() and not replace:
        raise UsageError(f"{file} exists", hint="give another name, or add --replace")
    output.note(f"copying {database}")
    if isinstance(database, Path):
        made = back_up(database, file, replace=replace)
    else:
        from wattrail.store.server_backup import back_up_server

        made = back_up_server(database, file, replace=replace)
    if json:
        print(dumps({**content_object(made.content), "seconds": round(made.seconds, 3)}))
        return
    print("\n".join(content_lines(made.content, (options or BooksOptions()).zone())))
    print(f"written and checked in {made.seconds:.1f} s")


# ---- restore


def restore_database(
    file: Annotated[Path, Parameter(help="A backup that wattrail store backup wrote.")],
    *,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Put a backup in the place of the database.

    The backup is checked first, and brought up to date if it is older. Stop the gateway before. The replaced file, or
    schema on a server, stays beside it under a dated name, and what only that one holds is said. What the meters
    counted since then is in their own counters: the next start books it as a gap.
    """
    zone = (options or BooksOptions()).zone()
    place, now = place_of(options), datetime.now(UTC)
    if isinstance(place, Path):
        done = restore(file, place, at=now)
    else:
        from wattrail.store.server_backup import restore_to_server

        done = restore_to_server(file, place, at=now)
    if json:
        lost = [_lost_object(part) for part in done.lost]
        kept = None if done.kept_as is None else str(done.kept_as)
        print(dumps({**content_object(done.content), "replaced": kept, "lost": lost, "unread": done.unread}))
        return
    print("\n".join(content_lines(done.content, zone)))
    if done.migrated_from != done.content.version:
        print(f"brought up to date from schema version {done.migrated_from}")
    if done.kept_as is not None:
        print(f"the database that stood there is {done.kept_as}")
    for part in done.lost:
        since = f"since {local(part.backup.until, zone)}" if part.backup and part.backup.until else "all there were"
        entries = f"{counted(part.entries, 'entry', 'entries')} of {part.replaced.name}, {since}"
        print(f"  only there: {entries}; {meter_line(part.replaced, zone)}")
    if done.unread is not None:
        output.note(f"what only that one holds is not known: {done.unread}")


def _lost_object(part: LostPart) -> dict[str, object]:
    until = part.backup.until if part.backup else None
    return {
        "meter": part.replaced.name, "simulated": part.replaced.simulated, "entries": part.entries,
        "since": None if until is None else utc_text(until),
        "until": None if part.replaced.until is None else utc_text(part.replaced.until),
    }  # fmt: skip


# ---- vacuum


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
        print(dumps({"path": str(database), "before_bytes": done.before, "after_bytes": done.after}))
    else:
        print(f"{database}: {done.before} bytes before, {done.after} bytes after")
