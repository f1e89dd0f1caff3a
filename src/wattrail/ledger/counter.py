"""What a step of the 24-bit energy counter means: counted, wrapped, restarted, or not to be known.

A restart looks like a wrap: from 2636 to 3 is 16 774 583 counts forward, three megawatt-hours out of nothing. They
are told apart by evidence: whether the chip lost its settings, and how many counts can have passed at all. The power
register has 23 bits and a sign, so no chip counts faster than 2**23 / 419430.4, twenty counts a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from wattrail.ledger.entries import CF_UNIT_US, Kind

__all__ = ["COUNTER_RANGE", "Step", "judge", "most_counts", "signed_difference"]

COUNTER_RANGE = 1 << 24
_FASTEST_WATT = 1 << 23
_SLACK = 2
"""Counts allowed beyond the fastest: one that was nearly full before, one for the clock's own error."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the counter moved, why, and the reason in words where there is one to give."""

    kind: Kind
    counts: int
    note: str = ""


def most_counts(elapsed_us: int) -> int:
    """The largest number of counts a chip can make in that time."""
    return elapsed_us * _FASTEST_WATT // CF_UNIT_US + _SLACK


def signed_difference(before: int, now: int) -> int:
    """Counts from one look to the next where export counts downwards."""
    half = COUNTER_RANGE // 2
    return (now - before + half) % COUNTER_RANGE - half


def judge(before: int, now: int, elapsed_us: int, *, restarted: bool) -> Step:
    """What happened between two looks at a counter that only goes up."""
    possible = most_counts(elapsed_us)
    if restarted:
        if now <= possible:
            return Step(Kind.RESTART, now, f"the chip restarted; its counter began again and shows {now}")
        return Step(Kind.RESTART, 0, f"the chip restarted; its counter shows {now}, which proves nothing")
    forward = (now - before) % COUNTER_RANGE
    if forward <= possible:
        return Step(Kind.COUNTED, forward, "the counter wrapped" if now < before else "")
    if now <= possible:
        return Step(Kind.RESTART, now, f"the counter fell from {before} to {now}: it began again")
    return Step(
        Kind.GAP, 0, f"the counter went from {before} to {now}, more than the {possible} counts that time allows"
    )
