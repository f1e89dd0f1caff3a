"""The clock of every verb."""

from __future__ import annotations

from wattrail.clock import Clock, SystemClock

__all__ = ["CLOCK"]

CLOCK: Clock = SystemClock()
"""What verbs wait by. A story puts a manual clock here, and waits for nothing."""
