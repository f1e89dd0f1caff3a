"""The ledger's own time: the wall clock, as long as it agrees with the monotonic one.

One glance at a wall clock decides nothing. A clock that jumps is followed only once it has kept its new time for
``CONFIRM_US`` of monotonic time; until then the ledger's time goes on by the monotonic clock. A clock that is a year
ahead for a minute leaves no trace in any entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["CLOCK_SLACK", "CONFIRM_US", "MAX_PLAIN_PAUSE", "MAX_WAIT_US", "Arrival", "Timeline"]

CLOCK_SLACK: Final = timedelta(seconds=5)
"""By how much wall clock and monotonic clock may differ before it counts as a clock that was set."""

CONFIRM_US: Final = 300_000_000
"""How long a clock that jumped must keep its time before entries follow it: five minutes. A time server that is found
at start answers well within that, and a wrong time that is put right at once does not last as long."""

MAX_WAIT_US: Final = 3 * CONFIRM_US
"""How long entries wait for a clock after a start, at most: what is not in an entry yet, a power cut may take."""

MAX_PLAIN_PAUSE: Final = timedelta(days=1)
"""A pause up to this long is believed at first sight; a longer one is as likely a clock that is ahead."""


@dataclass(slots=True)
class Timeline:
    """``now`` is the ledger's time; ``offset`` how far the wall clock is from it, None while the two agree."""

    now: datetime
    offset: timedelta | None = None
    _kept_us: int = 0

    def advance(self, wall: datetime, elapsed_us: int) -> bool:
        """Let time pass; returns whether a jump of the wall clock has become certain (then ``follow`` it)."""
        expected = self.now + timedelta(0, 0, elapsed_us)
        offset = wall - expected
        if -CLOCK_SLACK <= offset <= CLOCK_SLACK:
            # Never backwards: intervals are half-open and follow each
            # other, so each begins where the one before has ended.
            if wall > self.now:
                self.now = wall
            self.offset, self._kept_us = None, 0
            return False
        kept = self.offset is not None and abs(offset - self.offset) <= CLOCK_SLACK
        self.now, self.offset = expected, offset
        # A clock that is set twice begins again: neither of its times has been kept.
        self._kept_us = self._kept_us + elapsed_us if kept else 0
        return self._kept_us >= CONFIRM_US

    def follow(self, wall: datetime) -> None:
        """From now on the wall clock's time is the ledger's."""
        self.now, self.offset, self._kept_us = wall, None, 0


@dataclass(slots=True)
class Arrival:
    """The wall clock after a pause that no monotonic clock spans: nothing is dated by it until it has kept its time.

    ``since_us`` is the time since the first reading; ``is_sure`` says that it has kept its time for ``CONFIRM_US``, and
    ``is_late`` that it is not going to.
    """

    now: datetime
    since_us: int = 0
    _kept_us: int = 0

    def advance(self, wall: datetime, elapsed_us: int) -> None:
        """Let time pass. A clock that is set meanwhile is followed: no entry rests on it yet."""
        off = wall - self.now - timedelta(microseconds=elapsed_us)
        self._kept_us = self._kept_us + elapsed_us if abs(off) <= CLOCK_SLACK else 0
        self.now, self.since_us = wall, self.since_us + elapsed_us

    @property
    def is_sure(self) -> bool:
        """Whether it has kept its time for long enough."""
        return self._kept_us >= CONFIRM_US

    @property
    def is_late(self) -> bool:
        """Whether entries wait no longer."""
        return self.since_us >= MAX_WAIT_US

    @property
    def first(self) -> datetime:
        """When the first reading was, by the clock as it stands now."""
        return self.now - timedelta(microseconds=self.since_us)
