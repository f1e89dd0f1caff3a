"""Logging of the service: foreign text is escaped, passwords are hidden, repeated lines are counted."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Final

from wattrail.clock import Clock, SystemClock
from wattrail.sanitize import hide_credentials, printable, printable_lines

__all__ = ["CollapseRepeats", "SafeFormatter", "set_up_logging"]

WINDOW_S: Final = 60.0
"""Seconds after a line in which equal lines are only counted."""

MAX_ALIKE: Final = 200
"""Lines of one format string in a window: a thousand meters may be lost together, and a stranger may vary requests."""

_MAX_KNOWN: Final = 2000
_MAX_LINE: Final = 4000


def set_up_logging(level: int = logging.WARNING) -> None:
    """Log to stderr, for the service and for the process of its page."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(CollapseRepeats())
    logging.basicConfig(level=level, handlers=[handler])


class SafeFormatter(logging.Formatter):
    """Writes each record on one line, with foreign characters escaped; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message on one line."""
        record.message = printable(hide_credentials(record.message), limit=_MAX_LINE)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        """The traceback, with its lines and without escapes."""
        return printable_lines(hide_credentials(super().formatException(ei)))  # type: ignore[arg-type]


@dataclass(slots=True)
class _Seen:
    since: float
    lines: int = 0
    held: int = 0


class CollapseRepeats(logging.Filter):
    """Passes a repeated line once in each window, with the number of repeats."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._lines: dict[tuple[object, ...], _Seen] = {}
        self._kinds: dict[tuple[object, ...], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written; a written one may end with the number of records left out."""
        if record.levelno <= logging.DEBUG:
            return True  # debugging shows every frame
        now, text = self._clock.monotonic(), record.getMessage()
        kind = (record.name, record.levelno, str(record.msg))
        line = self._lines.get((*kind, text))
        if line is not None and now - line.since < WINDOW_S:
            line.held += 1
            return False
        alike = self._kinds.get(kind)
        left_out = line.held if line is not None else 0
        if alike is None or now - alike.since >= WINDOW_S:
            left_out = max(left_out, alike.held if alike is not None else 0)
            alike = _remember(self._kinds, kind, _Seen(now))
        elif alike.lines >= MAX_ALIKE:
            alike.held += 1
            return False
        alike.lines += 1
        _remember(self._lines, (*kind, text), _Seen(now))
        if left_out:
            record.msg, record.args = f"{text} (repeated {left_out:,} times)", None
        return True


def _remember(known: dict[tuple[object, ...], _Seen], key: tuple[object, ...], seen: _Seen) -> _Seen:
    if key not in known and len(known) >= _MAX_KNOWN:
        known.pop(next(iter(known)))
    known[key] = seen
    return seen
