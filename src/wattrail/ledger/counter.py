"""What a step of the 24-bit energy counter means: counted, wrapped, restarted, or not to be known.

A restart looks like a wrap: from 2636 to 3 is 16 774 583 counts forward, three megawatt-hours out of nothing. No single
sign tells them apart. MODE at its reset value may be somebody else's setting; a counter that fell may be a late frame;
time may not be known. So a restart takes two of three signs:

    the counter fell   MODE at its reset value   forward is more than time allows
          x                      x                                                   restart
          x                                                     x                    restart
                                 x                              x                    restart
          x                                                                          wrap
                                 x                                                   counted on, noted

How many counts can have passed: the power register has 23 bits and a sign, so no chip counts faster than
2**23 / 419430.4, twenty counts a second. Where no monotonic clock spans the two looks, time is no evidence at all; then
a fall is either a wrap or a restart, and the smaller of the two energies is booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wattrail.ledger.entries import CF_UNIT_US, Kind

__all__ = ["COUNTER_RANGE", "MAX_UNTIMED_COUNTS", "Step", "judge", "most_counts", "signed_difference"]

COUNTER_RANGE: Final = 1 << 24
_FASTEST_WATT: Final = 1 << 23
_SLACK: Final = 2
"""Counts allowed beyond the fastest: one that was nearly full before, one for the clock's own error."""

MAX_STALE_COUNTS: Final = 22
"""A frame that comes late shows a counter of up to a second ago: twenty counts, and the slack."""

MAX_UNTIMED_COUNTS: Final = COUNTER_RANGE // 2 - 1
"""Beyond half the range a step whose time nobody knows is as likely backwards; chips were seen to wake at 0x800000."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the counter moved, why, and the reason in words where there is one to give.

    ``count`` is where counting goes on: the counter as seen, or the one before where what was seen is an older one.
    """

    kind: Kind
    counts: int
    count: int
    note: str = ""


def most_counts(elapsed_us: int) -> int:
    """The largest number of counts a chip can make in that time."""
    return elapsed_us * _FASTEST_WATT // CF_UNIT_US + _SLACK


def signed_difference(before: int, now: int) -> int:
    """Counts from one look to the next where export counts downwards."""
    half = COUNTER_RANGE // 2
    return (now - before + half) % COUNTER_RANGE - half


def judge(before: int, now: int, elapsed_us: int | None, *, mode_reset: bool) -> Step:
    """What happened between two looks at a counter that only goes up.

    ``elapsed_us`` is None where no monotonic clock spans the two; ``mode_reset`` says that MODE was found at its reset
    value.
    """
    possible = MAX_UNTIMED_COUNTS if elapsed_us is None else most_counts(elapsed_us)
    forward = (now - before) % COUNTER_RANGE
    fell, too_far = now < before, forward > possible
    if not mode_reset and -MAX_STALE_COUNTS <= signed_difference(before, now) < 0:
        return Step(Kind.COUNTED, 0, before, f"the counter showed {now} after {before}: an older value, not booked")
    if fell + mode_reset + too_far >= 2:
        return _restarted(before, now, possible, mode_reset=mode_reset)
    moved = f"the counter went from {before} to {now}"
    if too_far:
        return Step(Kind.GAP, 0, now, f"{moved}, more than the {possible} counts {_allowed(elapsed_us)}")
    if fell and elapsed_us is None:
        readings = f"it wrapped ({forward} counts) or began again ({now})"
        return Step(
            Kind.RESTART, now, now, f"{moved}, and no clock says in what time: {readings}; the smaller is booked"
        )
    if mode_reset:
        readings = "somebody set MODE, or the chip restarted"
        note = f"MODE was at its reset value, and {moved}: {readings}; the smaller, {forward} counts, is booked"
        return Step(Kind.COUNTED, forward, now, note)
    return Step(Kind.COUNTED, forward, now, "the counter wrapped" if fell else "")


def _restarted(before: int, now: int, possible: int, *, mode_reset: bool) -> Step:
    sign = "the chip restarted" if mode_reset else f"the counter fell from {before} to {now}"
    if now > possible:
        if not mode_reset:
            return Step(Kind.GAP, 0, now, f"{sign}, and {now} is more than the {possible} counts that time allows")
        return Step(Kind.RESTART, 0, now, f"{sign}; its counter shows {now}, which proves nothing")
    if mode_reset:
        return Step(Kind.RESTART, now, now, f"{sign}; its counter began again and shows {now}")
    return Step(Kind.RESTART, now, now, f"{sign}: it began again")


def _allowed(elapsed_us: int | None) -> str:
    return "that time allows" if elapsed_us is not None else "that can be told apart when no clock spans them"
