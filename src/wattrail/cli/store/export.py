"""``wattrail store export``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions, FromOption, ToOption
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.store.database import database_place
from wattrail.cli.times import span_between
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import By
from wattrail.store import queries
from wattrail.store.damage import as_damage
from wattrail.store.engines import database_at
from wattrail.store.table_export import COLUMNS, Content, Row, Selection, exported_rows
from wattrail.store.table_formats import TableFormat, encode_table, require_format
from wattrail.whole_file import whole_file

_ROWS_AT_ONCE: Final = 5_000


def export(
    meter: Annotated[str | None, Parameter(help="Name of the meter in the database; all if left out.")] = None,
    *,
    what: Annotated[Content, Parameter(help="readings, entries or energy.")] = "energy",
    format: Annotated[TableFormat, Parameter(help="csv, json or parquet.")] = TableFormat.CSV,
    by: Annotated[
        Literal["15min", "hour", "day", "month"], Parameter(help="Length of periods of energy (hour).")
    ] = "hour",
    from_: FromOption = None,
    to: ToOption = None,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="File to write; else the standard output.")
    ] = None,
    replace: Annotated[bool, Parameter(help="Replace the file if it is there.")] = False,
    options: BooksOptions | None = None,
) -> None:
    """Write readings, entries or energy as CSV, JSON or Parquet.

    Rows are written as they are read, so a large database needs no memory. Units stand in the names of columns, times
    are UTC, and every row says whether it is simulated. Energy includes imported history, with its origin. The gateway
    may run.
    """
    require_format(format)
    if format is TableFormat.PARQUET and out is None:
        raise UsageError("a Parquet file needs a name", hint="add -o FILE")
    if out is not None and out.exists() and not replace:
        raise UsageError(f"{out} exists", hint="give another name, or add --replace")
    database, zone = database_at(database_place(options)), (options or BooksOptions()).zone()
    start, end = span_between(from_, to, zone)
    selection = Selection(
        what=what, meter=meter, by=By(by), zone=zone, start=start, end=end,
    )  # fmt: skip
    with database.snapshot() as cursor:
        with as_damage(database.address):
            meters = queries.meters(cursor)
        names = [one.name for one in meters]
        if meter is not None and meter not in names:
            raise UsageError(f"no meter is named {meter!r}; there are: {', '.join(names) or 'none'}")
        rows = _sound(exported_rows(cursor, selection), database.address)
        count = _write(what, rows, format, out, replace=replace)
    mark = f"  {SIMULATED}" if any(one.simulated for one in meters if meter in {None, one.name}) else ""
    if out is not None:
        print(f"{out}: {count} rows{mark}")
    elif mark:
        output.note(f"{count} rows{mark}")


def _sound(rows: Iterator[Row], address: DatabaseAddress) -> Iterator[Row]:
    """The rows; StoreError from the first on that a damaged file made up."""
    with as_damage(address):
        yield from rows


def _write(what: Content, rows: Iterator[Row], format: TableFormat, out: Path | None, *, replace: bool) -> int:
    pages = _Pages(rows)
    pieces = encode_table(format, dict(COLUMNS[what]), pages)
    if out is None:
        for piece in pieces:
            sys.stdout.write(piece.decode())
        return pages.count
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # For its owner alone, as the database is: what a house uses by the quarter hour says who is at home.
        with whole_file(out, replace=replace, mode=0o600) as file:
            file.writelines(pieces)
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}", hint="check the folder and its space") from error
    return pages.count


class _Pages:
    """Rows by the page, counted as they pass."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[list[Row]]:
        while page := list(islice(self._rows, _ROWS_AT_ONCE)):
            self.count += len(page)
            yield page
