"""The clock of every verb, and readings at a steady pace by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count as endless
from typing import Protocol

from wattrail.clock import Clock, Deadline, SystemClock
from wattrail.errors import LinkError, PortError
from wattrail.meter import Meter
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Reading

__all__ = ["CLOCK", "ReadableMeter", "read_once", "steady_readings"]

CLOCK: Clock = SystemClock()
"""What verbs wait by. A story puts a manual clock here, and waits for nothing."""


class ReadableMeter(Protocol):
    """A chip on a wire or a device on a network."""

    @property
    def recorded_at(self) -> datetime | None:
        """When what was read last was recorded, where a capture does not say it in its readings."""
        ...

    def read(self) -> Reading:
        """The next reading."""
        ...


def read_once(meter: ReadableMeter) -> Reading:
    """A reading, which bears a capture's own time where one is replayed. Raises as ``Meter.read``."""
    reading = meter.read()
    return reading if meter.recorded_at is None else replace(reading, at=meter.recorded_at)


def steady_readings(
    meter: ReadableMeter, interval_s: float, count: int | None
) -> Iterator[Reading | LinkError | PortError]:
    """``count`` readings, or no end of them if None, each due ``interval_s`` after the one before.

    Where a reading fails, its error stands in its place, and the next comes at its own time. Raises whatever the very
    first reading raises, and PortError of a wire: a network comes back by itself.
    """
    transient = LinkError if isinstance(meter, Meter) else (LinkError, PortError)
    due = Deadline.after(0.0, CLOCK)
    for turn in range(count) if count is not None else endless():
        CLOCK.sleep(due.remaining)
        due = Deadline(CLOCK, max(due.at + interval_s, CLOCK.monotonic()))
        try:
            yield read_once(meter)
        except CaptureEnded:
            raise
        except transient as error:
            if turn == 0:
                raise
            yield error
