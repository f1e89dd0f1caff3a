"""Rows as CSV, as JSON or as a Parquet file, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from wattrail.errors import MissingExtra
from wattrail.store.table_export import COLUMNS, Cell, Content, Row

__all__ = ["write_csv", "write_json", "write_parquet"]

_ROWS_PER_GROUP: Final = 20_000


def write_csv(what: Content, rows: Iterable[Row], file: TextIO) -> int:
    """Write rows under a line of names; returns how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([name for name, _ in COLUMNS[what]])
    count = 0
    for row in rows:
        writer.writerow([_text(cell) for cell in row])
        count += 1
    return count


def write_json(what: Content, rows: Iterable[Row], file: TextIO) -> int:
    """Write an array of objects, a line for each; returns how many."""
    names = [name for name, _ in COLUMNS[what]]
    count = 0
    file.write("[")
    for count, row in enumerate(rows, start=1):
        cells = (cell if cell is None or isinstance(cell, bool | int | float) else _text(cell) for cell in row)
        file.write("\n" if count == 1 else ",\n")
        file.write(json.dumps(dict(zip(names, cells, strict=True))))
    file.write("\n]\n")
    return count


def write_parquet(what: Content, rows: Iterable[Row], path: Path) -> int:
    """Write a Parquet file, compressed, 20000 rows at a time; returns how many rows. Raises MissingExtra."""
    arrow, parquet = _pyarrow()
    kinds: dict[type, Callable[[], Any]] = {
        str: arrow.string, bool: arrow.bool_, int: arrow.int64, float: arrow.float64,
        datetime: lambda: arrow.timestamp("us", tz="UTC"),
    }  # fmt: skip
    schema = arrow.schema([(name, kinds[kind]()) for name, kind in COLUMNS[what]])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(rows):
            columns = list(zip(*group, strict=True))
            writer.write_table(arrow.table(columns, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("Parquet files", library="pyarrow", extra="parquet") from error
    return pyarrow, pyarrow.parquet


def _text(cell: Cell) -> str:
    return _TEXT[type(cell)](cell)


def _number(value: float) -> str:
    text = repr(value)
    return f"{value:.9f}".rstrip("0").rstrip(".") if "e" in text else text.removesuffix(".0")


_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    type(None): lambda _: "",
    bool: lambda value: "true" if value else "false",
    int: str,
    str: str,
    float: _number,
    datetime: lambda at: f"{at.isoformat(timespec='milliseconds')[:-6]}Z",  # all of them are UTC: +00:00
}
"""How a cell is written; a table, for a large export writes ten million."""
