"""Log lines of one command, on stderr: results on stdout stay whole, and a redrawn line stays below them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wattrail.cli import clock
from wattrail.clock import Clock
from wattrail.gateway.logs import SafeFormatter

__all__ = ["log_lines"]


@contextmanager
def log_lines(level: int, *, own_handler: bool) -> Iterator[None]:
    """Log from ``level`` on what this package does, within this block.

    ``own_handler``: the command sets up a handler itself, as the service does, whose lines bear the time of day.
    """
    logger = logging.getLogger("wattrail")
    before, handler = logger.level, _ToStderr(clock.CLOCK)
    logger.setLevel(level)
    if not own_handler:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _ToStderr(logging.Handler):
    """Writes to stderr as it is at the moment: a live view puts another one there, which writes above the view."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.setFormatter(_SinceStart(clock))

    def emit(self, record: logging.LogRecord) -> None:
        """One line. The command continues where stderr is closed."""
        # A log that cannot be shown must not end the command: ValueError is a stream that was closed.
        with suppress(OSError, ValueError):
            print(self.format(record), file=sys.stderr, flush=True)


class _SinceStart(SafeFormatter):
    """Seconds since the command began, the room of the package, and the message."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("%(since)8.3f %(room)s: %(message)s")
        self._clock = clock
        self._start = clock.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        record.since = getattr(record, "monotonic", self._clock.monotonic()) - self._start
        record.room = ".".join(record.name.split(".")[1:2])
        return super().format(record)
