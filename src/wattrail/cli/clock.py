"""The clock of every verb, and readings at a steady pace by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count as endless

from wattrail.clock import Clock, Deadline, SystemClock
from wattrail.errors import LinkError
from wattrail.meter import Meter
from wattrail.units import Reading

__all__ = ["CLOCK", "read_once", "steady_readings"]

CLOCK: Clock = SystemClock()
"""What verbs wait by. A story puts a manual clock here, and waits for nothing."""


def read_once(meter: Meter) -> Reading:
    """A reading, which bears a capture's own time where one is replayed. Raises as ``Meter.read``."""
    reading = meter.read()
    return reading if meter.recorded_at is None else replace(reading, at=meter.recorded_at)


def steady_readings(meter: Meter, interval_s: float, count: int | None) -> Iterator[Reading | LinkError]:
    """``count`` readings, or no end of them if None, each due ``interval_s`` after the one before.

    Where a reading fails, its error stands in its place, and the next comes at its own time. Raises PortError, and
    whatever the very first reading raises.
    """
    due = Deadline.after(0.0, CLOCK)
    for turn in range(count) if count is not None else endless():
        CLOCK.sleep(due.remaining)
        due = Deadline(CLOCK, max(due.at + interval_s, CLOCK.monotonic()))
        try:
            yield read_once(meter)
        except LinkError as error:
            if turn == 0:
                raise
            yield error
