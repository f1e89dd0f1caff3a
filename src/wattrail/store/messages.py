"""What is stored of messages: which reports each consumer got, and the messages that it refused.

Each user opens it with a connection of its own, in its own thread.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from wattrail.database_address import DatabaseAddress
from wattrail.store.engines import OwnConnection
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["MAX_REFUSED", "RefusedMessage", "ReportPeriod", "StoredMessages"]

MAX_REFUSED: Final = 1000
"""Refused messages that are kept for each consumer, a few megabytes at most; beyond that the oldest go."""

ReportPeriod = Literal["daily", "monthly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMessage:
    """A message that a consumer refused, when, and why."""

    consumer: str
    message_id: str
    at: datetime
    subject: str
    text: str
    reason: str


class StoredMessages(OwnConnection):
    """The state of messages in a database that ``open_store`` has migrated. Raises StoreError."""

    def __init__(self, path: DatabaseAddress) -> None:
        super().__init__(path, "the messages")

    def token(self, consumer: str) -> str:
        """Random text in the ids of all messages to a consumer, made at the first call."""
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO message_consumer (consumer, token) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (consumer, secrets.token_hex(6)),
            )
            row = cursor.execute("SELECT token FROM message_consumer WHERE consumer = ?", (consumer,))
            return str(row.fetchone()[0])

    def last_report(self, consumer: str, period: ReportPeriod) -> date | None:
        """The first day of the last period whose report the consumer got; None for a new one."""
        with self._cursor() as cursor:
            found = cursor.execute(
                f"SELECT {_column(period)} FROM message_consumer WHERE consumer = ?", (consumer,)
            ).fetchone()
        return None if found is None or found[0] is None else date.fromisoformat(found[0])

    def mark_report(self, consumer: str, period: ReportPeriod, first_day: date) -> None:
        """The consumer has every report up to the period that begins on that day. Call ``token`` before."""
        with self._cursor() as cursor:
            cursor.execute(
                f"UPDATE message_consumer SET {_column(period)} = ? WHERE consumer = ?",
                (first_day.isoformat(), consumer),
            )

    def keep_refused(self, refused: RefusedMessage) -> None:
        """Keep a message that was refused; the same message a second time changes nothing."""
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO refused_message (consumer, message_id, at, subject, text, reason) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    refused.consumer, refused.message_id, microseconds(refused.at), refused.subject, refused.text,
                    refused.reason,
                ),
            )  # fmt: skip
            cursor.execute(
                "DELETE FROM refused_message WHERE consumer = :consumer AND id <= "
                "(SELECT id FROM refused_message WHERE consumer = :consumer ORDER BY id DESC LIMIT 1 OFFSET :kept)",
                {"consumer": refused.consumer, "kept": MAX_REFUSED},
            )

    def refused(self, consumer: str | None = None, *, limit: int = MAX_REFUSED) -> tuple[RefusedMessage, ...]:
        """Messages that were refused, newest first: of one consumer, or of all."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT consumer, message_id, at, subject, text, reason FROM refused_message "
                "WHERE consumer = COALESCE(?, consumer) ORDER BY id DESC LIMIT ?",
                (consumer, limit),
            ).fetchall()
        return tuple(
            RefusedMessage(
                consumer=str(name), message_id=str(number), at=from_microseconds(at), subject=str(subject),
                text=str(text), reason=str(reason),
            )
            for name, number, at, subject, text, reason in rows
        )  # fmt: skip


def _column(period: ReportPeriod) -> str:
    return "daily" if period == "daily" else "monthly"
