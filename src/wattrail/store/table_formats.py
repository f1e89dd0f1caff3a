"""Rows as CSV, JSON or Parquet, encoded piece by piece: neither a download nor a file is in memory as a whole.

The columns of a table are named with their types, so that all three formats say the same. Times are UTC.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from wattrail.errors import MissingExtra
from wattrail.units import utc_text

if TYPE_CHECKING:
    import pyarrow

__all__ = ["MEDIA_TYPES", "Columns", "Rows", "TableFormat", "encode_table", "require_format"]

Columns = Mapping[str, type]
"""The name of each column and the type of its values: str, int, float, bool or datetime; any may be None."""

Rows = Iterable[Sequence[tuple[object, ...]]]
"""Pages of rows; their values are in the order of the columns."""


class TableFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    TableFormat.CSV: "text/csv; charset=utf-8", TableFormat.JSON: "application/json",
    TableFormat.PARQUET: "application/vnd.apache.parquet",
}  # fmt: skip


def require_format(kind: TableFormat) -> None:
    """Raises MissingExtra where the library of a format is not installed."""
    if kind is TableFormat.PARQUET and find_spec("pyarrow") is None:
        raise MissingExtra("a Parquet file", library="pyarrow", extra="parquet")


def encode_table(kind: TableFormat, columns: Columns, pages: Rows) -> Iterator[bytes]:
    """The bytes of a table, in pieces."""
    if kind is TableFormat.CSV:
        return _csv(columns, pages)
    return _json(columns, pages) if kind is TableFormat.JSON else _parquet(columns, pages)


def _csv(columns: Columns, pages: Rows) -> Iterator[bytes]:
    yield _csv_lines([tuple(columns)])
    for page in pages:
        yield _csv_lines(tuple(map(_cell, row)) for row in page)


def _csv_lines(rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    return _CELLS[type(value)](value)


def _text(value: str) -> str:
    # a spreadsheet would take a person's note for a formula
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} else value


def _number(value: float) -> str:
    text = repr(value)
    return f"{value:.9f}".rstrip("0").rstrip(".") if "e" in text else text.removesuffix(".0")


def _json(columns: Columns, pages: Rows) -> Iterator[bytes]:
    before = "[\n"
    for page in pages:
        for row in page:
            plain = {
                name: utc_text(value) if isinstance(value, datetime) else value
                for name, value in zip(columns, row, strict=True)
            }
            yield f"{before}{json.dumps(plain, separators=(',', ':'))}".encode()
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def _parquet(columns: Columns, pages: Rows) -> Iterator[bytes]:
    import pyarrow
    import pyarrow.parquet

    schema = _arrow_schema(columns)
    sink = _Drained()
    with pyarrow.parquet.ParquetWriter(sink, schema) as writer:
        for page in pages:
            arrays = [
                pyarrow.array(values, field.type) for values, field in zip(zip(*page, strict=True), schema, strict=True)
            ]
            if arrays:
                writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            yield sink.drain()
    yield sink.drain()


def _arrow_schema(columns: Columns) -> pyarrow.Schema:
    import pyarrow

    types: dict[type, Any] = {
        str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }  # fmt: skip
    return pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])


class _Drained(io.RawIOBase):
    """A file that is only written, and emptied by whoever passes its bytes on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 any buffer, as of every file
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def drain(self) -> bytes:
        """What was written since."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


_CELLS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "", bool: lambda value: "true" if value else "false", int: str, str: _text, float: _number,
    datetime: utc_text,
}  # fmt: skip
"""How a cell of a CSV is written; a table, for a large export writes ten million."""
