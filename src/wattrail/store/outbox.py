"""The stored outbox: registers on their way to other programs, kept until each consumer has them.

A consumer that is away for a day finds every register of that day here, in order. Live values are not kept: they are
of no use afterwards. Each publisher opens an outbox of its own, with a connection of its own, in its own thread.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from wattrail.database_address import DatabaseAddress
from wattrail.ledger import Totals
from wattrail.store import queries
from wattrail.store.engines import OwnConnection
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["Announced", "Outbox", "StoredIdentity", "StoredRegisters"]

MAX_WAITING: Final = 1_000_000
"""Rows that wait for one consumer, about 70 MB: a day of 690 meters at one a minute, or two years of one meter.

Beyond that the oldest go. No energy goes with them: every later register contains it.
"""

_COUNT_EVERY: Final = 10_000
"""Rows added between two counts of those that wait: counting a million takes 30 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIdentity:
    """The name of a meter now, and under which other programs know it for the life of its account.

    ``has_estimates``: some of its energy is estimated by power.
    """

    meter_id: int
    identity: str
    name: str
    simulated: bool
    has_estimates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegisters:
    """The registers of a meter at a moment; ``id`` orders them as they were added."""

    meter_id: int
    at: datetime
    totals: Totals
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A retained topic that a consumer was given for a meter, with the live quantities it was announced with."""

    topic: str
    meter_id: int
    quantities: frozenset[str] = frozenset()


class Outbox(OwnConnection):
    """What one consumer has yet to get. Raises StoreError."""

    # A register that a power cut takes is not missed: every later one contains its energy.
    _is_durable: ClassVar = False

    def __init__(self, path: DatabaseAddress, consumer: str, *, max_waiting: int = MAX_WAITING) -> None:
        self.consumer = consumer
        self._max_waiting, self._added = max_waiting, 0
        super().__init__(path, f"the outbox of {consumer}")

    def identity(self, name: str) -> StoredIdentity | None:
        """Who the meter of that name is to other programs; None before its first reading, which opens its account."""
        with self._transaction() as cursor:
            found = cursor.execute("SELECT id, simulated FROM meter WHERE name = ?", (name,)).fetchone()
            if found is None:
                return None
            meter_id, simulated = int(found[0]), bool(found[1])
            known = cursor.execute("SELECT identity FROM identity WHERE meter_id = ?", (meter_id,)).fetchone()
            if known is None:
                # Of several gateways at one broker each may have a meter of this name.
                known = (f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)}_{secrets.token_hex(3)}",)
                cursor.execute("INSERT INTO identity VALUES (?, ?)", (meter_id, *known))
            has_estimates = bool(queries.estimated_times(cursor, meter_id))
        return StoredIdentity(
            meter_id=meter_id, identity=str(known[0]), name=name, simulated=simulated, has_estimates=has_estimates
        )

    def identities(self) -> Mapping[int, StoredIdentity]:
        """Every meter that other programs know, by the id of its account."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT meter_id, identity, name, simulated FROM identity JOIN meter ON meter.id = meter_id"
            )
            return {
                int(meter_id): StoredIdentity(
                    meter_id=int(meter_id), identity=str(identity), name=str(name), simulated=bool(simulated)
                )
                for meter_id, identity, name, simulated in rows
            }

    def last(self) -> Mapping[int, StoredRegisters]:
        """The newest registers that were added for each meter, by its id."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT 0, meter_id, at, import_mwh, export_mwh FROM outbox_last WHERE consumer = ?", (self.consumer,)
            )
            return {row.meter_id: row for row in map(_registers, rows)}

    def add(self, registers: Sequence[StoredRegisters], *, is_queued: bool = True) -> None:
        """Keep registers until they are delivered, or only remember them as the newest where ``is_queued`` is False.

        Raises StoreError for a register below the newest one of its meter.
        """
        values = [
            (self.consumer, row.meter_id, microseconds(row.at), row.totals.import_mwh, row.totals.export_mwh)
            for row in registers
        ]
        with self._transaction() as cursor:
            # A trigger refuses a fall as well: Home Assistant takes a register that falls by a tenth for a new meter
            # (ADR 33).
            cursor.executemany(
                "INSERT INTO outbox_last VALUES (?, ?, ?, ?, ?) ON CONFLICT (consumer, meter_id) DO UPDATE "
                "SET at = excluded.at, import_mwh = excluded.import_mwh, export_mwh = excluded.export_mwh",
                values,
            )
            if is_queued:
                cursor.executemany(
                    "INSERT INTO outbox (consumer, meter_id, at, import_mwh, export_mwh) VALUES (?, ?, ?, ?, ?)", values
                )
        self._added += len(values) if is_queued else 0
        if self._added >= min(_COUNT_EVERY, self._max_waiting):
            self._added = 0
            self._drop_oldest()

    def waiting(self, limit: int) -> tuple[StoredRegisters, ...]:
        """The oldest registers that wait, ``limit`` at most."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT id, meter_id, at, import_mwh, export_mwh FROM outbox WHERE consumer = ? ORDER BY id LIMIT ?",
                (self.consumer, limit),
            )
            return tuple(map(_registers, rows))

    def waiting_meters(self) -> frozenset[int]:
        """The meters of which a register waits."""
        with self._cursor() as cursor:
            rows = cursor.execute("SELECT DISTINCT meter_id FROM outbox WHERE consumer = ?", (self.consumer,))
            return frozenset(int(meter_id) for (meter_id,) in rows)

    def count(self) -> int:
        """How many registers wait."""
        with self._cursor() as cursor:
            return int(cursor.execute("SELECT count(*) FROM outbox WHERE consumer = ?", (self.consumer,)).fetchone()[0])

    def acknowledged(self, up_to: int) -> None:
        """The consumer has every register up to that ``id``."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM outbox WHERE consumer = ? AND id <= ?", (self.consumer, up_to))

    def announced(self) -> tuple[Announced, ...]:
        """Every retained topic that was left at the consumer."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT topic, meter_id, quantities FROM announced WHERE consumer = ?", (self.consumer,)
            )
            return tuple(
                Announced(topic=str(topic), meter_id=int(meter_id), quantities=frozenset(str(keys).split()))
                for topic, meter_id, keys in rows
            )

    def announce(self, topics: Iterable[Announced]) -> None:
        """Remember topics before they are sent, so that none is left behind whatever happens in between."""
        with self._transaction() as cursor:
            cursor.executemany(
                "INSERT INTO announced VALUES (?, ?, ?, ?) ON CONFLICT (consumer, topic) DO UPDATE "
                "SET meter_id = excluded.meter_id, quantities = excluded.quantities",
                [(self.consumer, one.topic, one.meter_id, " ".join(sorted(one.quantities))) for one in topics],
            )

    def forget(self, topics: Iterable[str]) -> None:
        """Topics that were cleared at the consumer."""
        with self._transaction() as cursor:
            cursor.executemany(
                "DELETE FROM announced WHERE consumer = ? AND topic = ?", [(self.consumer, topic) for topic in topics]
            )

    def _drop_oldest(self) -> None:
        with self._transaction() as cursor:
            cursor.execute(
                "DELETE FROM outbox WHERE consumer = :consumer AND id <= "
                "(SELECT id FROM outbox WHERE consumer = :consumer ORDER BY id DESC LIMIT 1 OFFSET :kept)",
                {"consumer": self.consumer, "kept": self._max_waiting},
            )


def _registers(row: tuple[int, int, int, int, int]) -> StoredRegisters:
    number, meter_id, at, import_mwh, export_mwh = row
    return StoredRegisters(
        id=number, meter_id=meter_id, at=from_microseconds(at), totals=Totals(import_mwh, export_mwh)
    )
