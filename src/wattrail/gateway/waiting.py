"""Bookings that the store cannot take now: they wait in memory, bounded, and nothing of the ledger is lost.

Writing is tried again every RETRY_S. Meanwhile meters are read and booked as ever. What is full drops readings between
entries, every second one, so that the course of the power keeps its shape; readings that caused an entry, with the
values of the register, and those after the last entry are never dropped. Where even these are too many, the account is
given up: the meter's own counter then has the energy, and the time is booked as a gap.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.ledger import Entry, Observation
from wattrail.units import Reading

__all__ = [
    "MAX_WAITING",
    "MIN_WAITING",
    "WRITE_WITHIN_S",
    "Booking",
    "StoreAvailability",
    "UnstoredReadings",
    "WaitingBookings",
]

Booking = tuple[int, Reading, Observation, tuple[Entry, ...]]
"""The id of a meter, a reading, what the ledger saw in it, and the entries that it caused."""

MAX_WAITING: Final = 20_000
"""Bookings of all meters that may wait: of one meter five hours at 1 s, and then two weeks of entries."""

MIN_WAITING: Final = 60
"""Of each meter, however many there are: an hour of entries."""

RETRY_S: Final = 2.0
"""Each attempt may take WRITE_WITHIN_S, in which the thread that books does nothing else."""
WRITE_WITHIN_S: Final = 0.5
"""How long a booking waits for another program that writes, before it waits in memory and the meter is read again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstoredReadings:
    """Readings of a meter that wait to be stored since ``since``; ``dropped`` between entries there was no room for."""

    count: int
    dropped: int
    since: datetime
    error: str
    hint: str | None


class StoreAvailability:
    """Whether the store takes what is booked, for all meters of a gateway: who tries again, and when. Thread-safe.

    That it does not is logged once, and so is the end of that, however many meters wait.
    """

    def __init__(self, clock: Clock | None = None, *, meters: int = 1) -> None:
        self.share(meters)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._error: StoreUnavailable | None = None
        self._since: tuple[datetime, float] | None = None
        self._next_s = 0.0

    def share(self, meters: int) -> None:
        """So many meters share the room from now on."""
        self.max_waiting = max(MIN_WAITING, MAX_WAITING // max(meters, 1))
        """Bookings of each meter that may wait."""

    @property
    def is_written(self) -> bool:
        """Whether the last that was booked could be stored."""
        return self._error is None

    def may_try(self) -> bool:
        """Whether to write now: always, but while it does not every RETRY_S, by whoever comes first."""
        with self._lock:
            now_s = self._clock.monotonic()
            if self._error is not None and now_s < self._next_s:
                return False
            self._next_s = now_s + RETRY_S
            return True

    def begin(self, error: StoreUnavailable) -> None:
        """Writing failed."""
        with self._lock:
            is_first, self._error = self._error is None, error
            self._next_s = self._clock.monotonic() + RETRY_S
            if is_first:
                self._since = self._clock.now(), self._clock.monotonic()
        if is_first:
            logger.warning(
                "readings are not stored, and wait in memory: %s%s", error, f"; {error.hint}" if error.hint else ""
            )

    def end(self) -> None:
        """Writing succeeded."""
        with self._lock:
            if self._error is None or self._since is None:
                return
            lasted_s = self._clock.monotonic() - self._since[1]
            self._error = self._since = None
        logger.warning("readings are stored again after %.0f s; what waited is stored with them", lasted_s)

    def unstored(self, count: int, dropped: int) -> UnstoredReadings | None:
        """What a meter has waiting; None where nothing waits, or nothing is wrong."""
        with self._lock:
            if not count or self._error is None or self._since is None:
                return None
            return UnstoredReadings(
                count=count, dropped=dropped, since=self._since[0], error=str(self._error), hint=self._error.hint
            )


class WaitingBookings:
    """The bookings of one meter that are yet to be stored, oldest first."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self.limit = limit
        self._bookings: list[Booking] = []
        self.dropped = 0
        """Readings that were dropped since all were stored."""

    def __len__(self) -> int:
        return len(self._bookings)

    def all(self) -> tuple[Booking, ...]:
        """Every booking."""
        return tuple(self._bookings)

    def entries(self) -> tuple[Entry, ...]:
        """The entries among them."""
        return tuple(entry for *_, entries in self._bookings for entry in entries)

    def add(self, booking: Booking) -> None:
        """Take one more. Raises StoreError where entries alone are more than may wait."""
        self._bookings.append(booking)
        if len(self._bookings) > self.limit:
            self._thin_out()

    def stored(self, bookings: Sequence[Booking]) -> None:
        """The oldest ones are stored."""
        del self._bookings[: len(bookings)]
        if not self._bookings:
            self.dropped = 0

    def _thin_out(self) -> None:
        with_entries = [place for place, (*_, entries) in enumerate(self._bookings) if entries]
        if len(with_entries) > self.limit:
            raise StoreError(
                f"{len(with_entries)} entries wait to be stored, and no more fit",
                hint="free the disk, or end what holds the database; the meter's own counter keeps the energy",
            )
        last = with_entries[-1] if with_entries else 0
        kept: list[Booking] = []
        is_dropped = False
        for place, booking in enumerate(self._bookings):
            if place < last and not booking[-1]:  # a later entry accounts for it
                is_dropped = not is_dropped
                if is_dropped:
                    self.dropped += 1
                    continue
            kept.append(booking)
        self._bookings = kept
