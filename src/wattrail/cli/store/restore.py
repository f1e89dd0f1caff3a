"""``wattrail store restore``."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.ledger.account import BooksOptions
from wattrail.cli.ledger.zone import local
from wattrail.cli.option_types import Json
from wattrail.cli.store.database import content_lines, content_object, counted, meter_line, place_of, site_zone, utc
from wattrail.store.restore import LostPart, restore


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
    zone = site_zone(options)
    place, now = place_of(options), datetime.now(UTC)
    if isinstance(place, Path):
        done = restore(file, place, at=now)
    else:
        from wattrail.store.server_backup import restore_to_server

        done = restore_to_server(file, place, at=now)
    if json:
        lost = [_lost_object(part) for part in done.lost]
        kept = None if done.kept_as is None else str(done.kept_as)
        print(json_text.dumps({**content_object(done.content), "replaced": kept, "lost": lost, "unread": done.unread}))
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
        "since": None if until is None else utc(until),
        "until": None if part.replaced.until is None else utc(part.replaced.until),
    }  # fmt: skip
