"""Time as an argument: a system clock, a manual one, deadlines, and the zone in which a day begins.

Durations come from ``monotonic`` and never from ``now``: the wall clock steps (NTP, DST, a person), the monotonic one
does not.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo

__all__ = ["MACHINE_ZONE", "Clock", "Deadline", "MachineZone", "ManualClock", "SystemClock", "zone_of"]

_BOOT_TIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that also runs while the machine sleeps."""


class Clock(Protocol):
    """The clock that the shells take as an argument."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps back."""
        ...

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since the machine started, including time asleep where the system has such a clock.

        After a night asleep, a laptop must not take the energy of the night for that of one second.
        """
        return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)

    def now(self) -> datetime:
        """The machine's wall clock in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        time.sleep(max(0.0, seconds))  # what is left of a deadline may be below 0, which raises


class ManualClock:
    """A clock that moves only by ``advance``, ``step`` and ``sleep``. Safe to share between threads."""

    def __init__(self, start: datetime = datetime(2026, 6, 21, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start must be aware (UTC), got the naive {start.isoformat()}")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._step = timedelta()
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed

    def now(self) -> datetime:
        """Start, plus what was advanced, plus the steps of the wall clock."""
        return self._start + timedelta(seconds=self._elapsed) + self._step

    def sleep(self, seconds: float) -> None:
        """Advance at once instead of blocking."""
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Move the wall clock and the monotonic clock forward. Raises ValueError for a negative time."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} s; to move the wall clock use step()")
        with self._lock:  # several meters sleep on one clock, each in its thread
            self._elapsed += seconds

    def step(self, seconds: float) -> None:
        """Step the wall clock alone, as NTP or a person does."""
        self._step += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a clock by which something must have happened."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        """The moment that many seconds from now."""
        return cls(clock, clock.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, 0.0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the moment has come."""
        return self.clock.monotonic() >= self.at


# Not tzlocal: it refuses a POSIX zone (TZ=CET-1CEST,M3.5.0,M10.5.0/3) and takes UTC where OpenWrt keeps one in /etc/TZ.
# Days would begin at the wrong hour on just the small machines that stand beside a meter (ADR 29).
class MachineZone(tzinfo):
    """The time zone of this machine, as the C library knows it: by name, POSIX rule or file."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Distance from UTC at a local time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Not told apart from the zone's own offset."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """The zone's short name at a local time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """Local time of a moment; of an hour that comes twice, the right one."""
        shown = moment.replace(tzinfo=UTC).astimezone()
        offset, wall = shown.utcoffset(), shown.replace(tzinfo=self, fold=0)
        return wall if wall.utcoffset() == offset else wall.replace(fold=1)


MACHINE_ZONE: Final = MachineZone()


def zone_of(name: str | None) -> tzinfo:
    """The zone of that name; that of this machine for None. Raises ZoneInfoNotFoundError, ValueError."""
    return ZoneInfo(name) if name else MACHINE_ZONE
