"""Is a database whole, derived rows included, and making these again where they differ: on files and on servers.

Sums of counts and rollups hold nothing that entries and readings do not. So they can be made again while a gateway
runs, a week or a day in each transaction; no entry, no reading and no other row is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from wattrail.database_address import DatabaseAddress
from wattrail.store.database import Cursor
from wattrail.store.engines import OwnConnection
from wattrail.store.file_check import FileContent, FileFinding, content_of, file_findings, open_file
from wattrail.store.queries import meter_names
from wattrail.store.rollup_check import differing_days, make_rollups_again
from wattrail.store.sum_check import SUM_TABLES, differing_spans, make_sums_again, remove_sums_of_nobody

__all__ = ["DatabaseCheck", "Rebuilt", "check_database", "rebuild"]


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """What is wrong with a database; ``content`` is what it holds, where nothing is."""

    findings: tuple[FileFinding, ...]
    content: FileContent | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many derived rows of each table differed and were made again, and what a check says afterwards."""

    rows: Mapping[str, int]
    after: DatabaseCheck


def check_database(address: DatabaseAddress) -> DatabaseCheck:
    """Read all of a database. Raises StoreError where it is not there, not ours, or cannot be reached."""
    if isinstance(address, Path):
        with open_file(address) as connection:
            findings = file_findings(connection, address)
            return DatabaseCheck(findings, None if findings else content_of(connection, address))
    from wattrail.store.server_check import server_content, server_findings

    findings = server_findings(address)
    return DatabaseCheck(findings, None if findings else server_content(address))


def rebuild(address: DatabaseAddress) -> Rebuilt:
    """Make again what is derived and differs. Raises StoreError.

    Nothing is made of a ledger that is damaged, and nothing is written into a file with damaged pages.
    """
    before = check_database(address)
    derived = {finding.meter for finding in before.findings if finding.is_derived}
    if not derived or any(not finding.is_derived and finding.meter is None for finding in before.findings):
        return Rebuilt({}, before)
    with _DerivedRows(address, "the derived rows") as tables:
        rows = tables.make_again({name for name in derived if name is not None})
    return Rebuilt(rows, check_database(address))


_ROLLUP: Final = "rollup"

_Step = tuple[str, Callable[[Cursor], int]]


class _DerivedRows(OwnConnection):
    """Writes in short transactions, and meters get their turn between them."""

    def make_again(self, meters: set[str]) -> dict[str, int]:
        """How many rows of each table were made again, of meters by their names."""
        made: Counter[str] = Counter()
        with self._transaction() as cursor:
            made.update(remove_sums_of_nobody(cursor))
        with self._cursor() as cursor:
            ids = [int(meter_id) for meter_id, name, _ in meter_names(cursor) if name in meters]
        for meter_id in ids:
            for table, step in self._steps(meter_id):
                with self._transaction() as cursor:
                    made[table] += step(cursor)
        return {table: count for table, count in sorted(made.items()) if count}

    def _steps(self, meter_id: int) -> list[_Step]:
        with self._cursor() as cursor:
            steps: list[_Step] = [
                (table.name, partial(make_sums_again, meter_id=meter_id, table=table, first=first, last=last))
                for table in SUM_TABLES for first, last in differing_spans(cursor, meter_id, table)
            ]  # fmt: skip
            steps += [
                (_ROLLUP, partial(make_rollups_again, meter_id=meter_id, start=start, end=end))
                for start, end in differing_days(cursor, meter_id)
            ]
        return steps
