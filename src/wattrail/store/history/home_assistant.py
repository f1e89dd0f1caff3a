"""Home Assistant: long-term statistics from its own database, or the data of the energy dashboard as CSV.

The database (``home-assistant_v2.db``) is opened to read only. ``statistics`` has a row for each hour with a running
``sum`` that never falls; energy of an hour is the difference of two sums. Where hours are missing, the difference spans
all of them, and is given as one longer period. Times are seconds (``start_ts``); earlier versions had text in UTC
(``start``).
"""

from __future__ import annotations

import csv
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

from wattrail.errors import FileError
from wattrail.files import read_text
from wattrail.ledger import midnight
from wattrail.sanitize import printable
from wattrail.store.history.periods import (
    MAX_BYTES,
    History,
    HistoryPeriod,
    in_order,
    milliwatt_hours_of,
    periods_of,
    unit_factor,
)

__all__ = ["read_dashboard", "read_statistics"]

_HOUR: Final = timedelta(hours=1)
_DIRECTIONS: Final = {"grid_consumption": 0, "grid_return": 1}

Sums = list[tuple[datetime, int]]
"""The end of an hour, and the running sum at it in milliwatt-hours."""


def read_statistics(path: Path, imports: Sequence[str], exports: Sequence[str]) -> History:
    """Hours of a Home Assistant database. ``imports`` and ``exports`` are statistic ids, whose sums are added.

    Raises FileError; without an id, it lists those there are.
    """
    if not path.is_file():
        raise FileError(f"{path} does not exist")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            known = _energy_statistics(connection)
            _require_known([*imports, *exports], known, path)
            sides = [[_hours(connection, *known[one], f"{path}, {one}") for one in ids] for ids in (imports, exports)]
    except sqlite3.Error as error:
        raise FileError(
            f"{path} cannot be read: {error}",
            hint="copy home-assistant_v2.db, with its -wal file, while Home Assistant is stopped, and give the copy",
        ) from error
    left_out = [text for side in sides for _, texts in side for text in texts]
    periods = _merged([[hours for hours, _ in side] for side in sides])
    origin = f"home-assistant:{'+'.join([*imports, *exports])}"
    return History(origin=origin[:200], periods=in_order(periods, str(path)), left_out=tuple(left_out))


def _require_known(ids: Sequence[str], known: Iterable[str], path: Path) -> None:
    unknown = [one for one in ids if one not in known]
    if unknown or not ids:
        said = f"has no statistic of energy named {', '.join(unknown)}" if unknown else "has these statistics of energy"
        listed = ", ".join(known) or "none"
        raise FileError(
            f"{path} {said}: {listed}" if not unknown else f"{path} {said}; there are: {listed}",
            hint="name those of your grid meter: import_id=ID, export_id=ID",
        )


def _energy_statistics(connection: sqlite3.Connection) -> dict[str, tuple[int, Decimal]]:
    sql = "SELECT statistic_id, id, unit_of_measurement FROM statistics_meta WHERE has_sum ORDER BY statistic_id"
    found: dict[str, tuple[int, Decimal]] = {}
    for name, number, unit in connection.execute(sql):
        try:
            found[str(name)] = (int(number), unit_factor(unit, str(name)))
        except FileError:
            continue  # gas, water, money
    return found


def _hours(
    connection: sqlite3.Connection, metadata_id: int, factor: Decimal, where: str
) -> tuple[list[HistoryPeriod], list[str]]:
    """Differences of the running sum as import energy, whatever they are; falls are left out and counted."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(statistics)")}
    start = "start_ts" if "start_ts" in columns else "start"
    sql = f"SELECT {start}, sum FROM statistics WHERE metadata_id = ? AND sum IS NOT NULL ORDER BY {start}"
    sums: Sums = [
        (_moment(at, where) + _HOUR, int((Decimal(str(total)) * factor).to_integral_value()))
        for at, total in connection.execute(sql, (metadata_id,))
        if at is not None
    ]
    periods, falls = [], 0
    for (begin, before), (end, after) in pairwise(sums):
        if after < before:
            falls += 1
        else:
            periods.append(HistoryPeriod(start=begin, end=end, import_mwh=after - before, export_mwh=None))
    return periods, [f"{where}: {falls} where the sum falls"] if falls else []


def _moment(at: float | str, where: str) -> datetime:
    try:
        if isinstance(at, str):
            return datetime.fromisoformat(at).replace(tzinfo=UTC)
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise FileError(f"{where}: {at!r} is not a time") from error


def _merged(sides: Sequence[Sequence[Iterable[HistoryPeriod]]]) -> Iterator[HistoryPeriod]:
    """Import and export, each the sum of its statistics, by period. An hour that one side lacks is None there."""
    totals: dict[tuple[datetime, datetime], list[int | None]] = defaultdict(lambda: [None, None])
    for side, statistics in enumerate(sides):
        counts: dict[tuple[datetime, datetime], list[int]] = defaultdict(list)
        for statistic in statistics:
            for period in statistic:
                counts[period.start, period.end].append(period.import_mwh or 0)
        for span, energies in counts.items():
            if len(energies) == len(statistics):  # a sum without one of its parts would be too small
                totals[span][side] = sum(energies)
    yield from periods_of(totals.items())


def read_dashboard(path: Path, zone: tzinfo) -> History:
    """What the energy dashboard gives with "Download data": a row for each statistic, a column for each period.

    Raises FileError. Hours and days are taken; a view of a year has months.
    """
    name = printable(str(path))
    rows = list(csv.reader(read_text(path, limit=MAX_BYTES).splitlines()))
    if not rows or rows[0][:3] != ["entity_id", "type", "unit"]:
        raise FileError(f"{name} does not begin with entity_id,type,unit", hint="energy dashboard, menu, Download data")
    starts = [_column(text, name) for text in rows[0][3:]]
    spans = list(_spans(starts, zone, name))
    energies: list[list[int | None]] = [[None, None] for _ in spans]
    for line, row in enumerate(rows[1:], start=2):
        if len(row) < 3 or row[1] not in _DIRECTIONS:
            continue
        factor, side = unit_factor(row[2], f"{name}, line {line}"), _DIRECTIONS[row[1]]
        for place, text in enumerate(row[3 : 3 + len(spans)]):
            if text:
                energy = milliwatt_hours_of(text, factor, f"{name}, line {line}")
                energies[place][side] = (energies[place][side] or 0) + energy
    known = (pair for pair in zip(spans, energies, strict=True) if pair[1] != [None, None])
    return History(origin="home-assistant:energy-dashboard", periods=in_order(periods_of(known), name))


def _column(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise FileError(f"{name}, line 1: {text!r} is not a time") from error


def _spans(starts: Sequence[datetime], zone: tzinfo, name: str) -> Iterator[tuple[datetime, datetime]]:
    """A period for each column. Hours where two of them are an hour apart, else local days."""
    nearest = min((later - earlier for earlier, later in pairwise(starts)), default=timedelta(days=1))
    if nearest > timedelta(days=26):
        raise FileError(f"{name} has months", hint="open a month or a day in the energy dashboard, then download")
    for start in starts:
        next_day = start.astimezone(zone).date() + timedelta(days=1)
        yield start, (start + _HOUR if nearest <= timedelta(hours=2) else midnight(next_day, zone))
