"""Which database a verb is about, and how its content is said."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

from wattrail.app.config import database_of, demo_database, load_config
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.times import local
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.store.engines import database_at
from wattrail.store.file_check import FileContent, MeterContent
from wattrail.units import utc_text

__all__ = [
    "content_lines",
    "content_object",
    "counted",
    "database_place",
    "meter_line",
    "place_of",
]


def place_of(options: BooksOptions | None) -> DatabaseAddress:
    """The database that is named, else the configured one, else the demo's, whether it is there or not.

    Raises MissingExtra for one on a server, where what speaks to servers is not installed.
    """
    place = _address_of(options)
    database_at(place)
    return place


def _address_of(options: BooksOptions | None) -> DatabaseAddress:
    options = options or BooksOptions()
    if options.database is not None:
        return options.database
    written, demo = database_of(load_config(options.config)), demo_database()
    return demo if demo.is_file() and not is_there(written) else written


def database_place(options: BooksOptions | None) -> DatabaseAddress:
    """The same, where it is there, or on a server. Raises UsageError."""
    place = place_of(options)
    if isinstance(place, Path) and not place.is_file():
        what = "is not a file" if place.exists() else "does not exist"
        raise UsageError(f"found no database: {place} {what}", hint="wattrail run makes one")
    return place


def content_lines(content: FileContent, zone: tzinfo) -> list[str]:
    """The size of a file, and a line for each meter."""
    heading = f"{content.path}: {content.size_bytes} bytes, schema version {content.version}"
    return [heading, *(f"  {meter_line(meter, zone)}" for meter in content.meters)]


def meter_line(meter: MeterContent, zone: tzinfo) -> str:
    """What a file holds of a meter."""
    mark = f"  {SIMULATED}" if meter.simulated else ""
    if meter.until is None:
        return f"{meter.name}: nothing is booked, {meter.readings} readings{mark}"
    return f"{meter.name}: up to entry {meter.entries}, {local(meter.until, zone)}, {meter.readings} readings{mark}"


def content_object(content: FileContent) -> dict[str, object]:
    """The same for JSON."""
    return {
        "path": str(content.path),
        "bytes": content.size_bytes,
        "schema_version": content.version,
        "meters": [
            {
                "meter": meter.name, "simulated": meter.simulated, "entries": meter.entries,
                "readings": meter.readings, "until": None if meter.until is None else utc_text(meter.until),
            }
            for meter in content.meters
        ],
    }  # fmt: skip


def counted(number: int, word: str, words: str) -> str:
    """A number with its word: 1 entry, 2 entries."""
    return f"{number} {word if number == 1 else words}"
