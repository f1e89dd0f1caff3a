"""Logging of the service: foreign text is made safe, passwords are hidden, repeated lines are counted."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from typing import Final

from wattrail.sanitize import hide_credentials, printable, printable_lines

__all__ = ["CollapseRepeats", "SafeFormatter", "set_up_logging"]

WINDOW_S: Final = 60.0
"""How long a line that was written stands for those that are like it."""

MAX_ALIKE: Final = 200
"""Lines of one kind in a window, whatever they name: a thousand meters may be lost at once, and a stranger may vary
what he sends."""

_MAX_KNOWN: Final = 2000
_MAX_LINE: Final = 4000


def set_up_logging(level: int = logging.WARNING) -> None:
    """Log to stderr, for the service and for the process of its page."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(CollapseRepeats())
    logging.basicConfig(level=level, handlers=[handler])


class SafeFormatter(logging.Formatter):
    """One record, one line, whatever a peer put into it; a traceback keeps its lines."""

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
    """Lets a line through once in a while, and says then how often it was left out."""

    def __init__(self, *, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self._window_s = window_s
        self._seen: dict[tuple[object, ...], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written; one that is may end in how many were not."""
        now = time.monotonic()
        kind = (record.name, record.levelno, str(record.msg))
        held = [
            self._count((*kind, record.getMessage()), now, most=1),
            self._count(kind, now, most=MAX_ALIKE),
        ]
        if None in held:
            return False
        if left_out := max(number or 0 for number in held):
            record.msg, record.args = f"{record.getMessage()} (repeated {left_out:,} times)", None
        return True

    def _count(self, key: tuple[object, ...], now: float, *, most: int) -> int | None:
        """How many were held back before this one, None if this one is held back too."""
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= _MAX_KNOWN:
                self._seen.pop(next(iter(self._seen)))
            seen = self._seen[key] = _Seen(now)
        held = 0
        if now - seen.since >= self._window_s:
            held = seen.held
            self._seen[key] = seen = _Seen(now)
        if seen.lines >= most:
            seen.held += 1
            return None
        seen.lines += 1
        return held
