"""Logging of the service: foreign text is escaped, passwords are hidden, repeated lines are counted.

Lines are text or JSON objects. The journal of systemd has the time of each line already.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

from wattrail.clock import Clock, SystemClock
from wattrail.gateway.recent_log import RecentLog
from wattrail.redaction import Redactor
from wattrail.sanitize import hide_credentials, printable, printable_lines

__all__ = ["CollapseRepeats", "JsonFormatter", "SafeFormatter", "formatter_of", "is_journal", "set_up_logging"]

WINDOW_S: Final = 60.0
"""Seconds after a line in which equal lines are only counted."""

MAX_ALIKE: Final = 200
"""Lines of one format string in a window: a thousand meters may be lost together, and a stranger may vary requests."""

_MAX_KNOWN: Final = 2000
_MAX_LINE: Final = 4000


_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Levels as syslog numbers them, which journald reads from the beginning of a line: sd-daemon(3)."""


def set_up_logging(level: int = logging.WARNING, format_: str = "text", *, redacts: bool = False) -> None:
    """Log to stderr, for the service and for the process of its page; called again, it replaces what was set up.

    ``format_`` is ``text``, whose lines have no time where the journal adds its own, or ``json``. ``redacts``: labels
    stand in place of addresses, names and keys, for a log that others read.
    """
    handler = _ServiceHandler(sys.stderr)
    handler.setFormatter(formatter_of(format_, in_journal=is_journal(sys.stderr), redacts=redacts))
    handler.addFilter(CollapseRepeats())
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _ServiceHandler)]:
        root.removeHandler(earlier)
    if all(isinstance(one, RecentLog) for one in root.handlers):  # where a program has its own handlers, those stay
        root.addHandler(handler)
        root.setLevel(level)


class _ServiceHandler(logging.StreamHandler[TextIO]):
    """Ours, which the next call replaces."""


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream goes to systemd's journal: JOURNAL_STREAM has its device and inode, see systemd.exec(5)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def formatter_of(format_: str, *, in_journal: bool, redacts: bool = False) -> logging.Formatter:
    """How a record is written, as ``text`` or ``json``, in the journal or elsewhere."""
    redactor = Redactor() if redacts else None
    if format_ == "json":
        return JsonFormatter(redactor=redactor)
    if in_journal:
        return SafeFormatter("<%(priority)d>%(message)s", redactor=redactor)
    return SafeFormatter("%(asctime)s %(levelname)s %(message)s", redactor=redactor)


class SafeFormatter(logging.Formatter):
    """Writes each record on one line, with foreign characters escaped; a traceback keeps its lines."""

    def __init__(self, pattern: str | None = None, *, redactor: Redactor | None = None) -> None:
        super().__init__(pattern)
        self._redactor = redactor

    def without_private(self, text: str) -> str:
        """A text without passwords and, where the log is for others, without anything private."""
        text = hide_credentials(text)
        return text if self._redactor is None else self._redactor.redact(text)

    def line_of(self, record: logging.LogRecord) -> str:
        """The message on one line, with how often it was left out."""
        left_out = getattr(record, "left_out", 0)
        repeated = f" (repeated {left_out:,} times)" if left_out else ""
        return printable(self.without_private(record.getMessage()), limit=_MAX_LINE) + repeated

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message on one line, in the pattern."""
        record.message = self.line_of(record)
        record.priority = _PRIORITIES.get(record.levelno, 5)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        """The traceback, with its lines and without escapes."""
        return printable_lines(self.without_private(super().formatException(ei)))  # type: ignore[arg-type]


class JsonFormatter(SafeFormatter):
    """Writes each record as one JSON object on a line: ``time`` in UTC, ``level``, ``logger``, ``message``.

    ``exception`` is there where a traceback belongs to it. Keys are added in later versions, and never renamed.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.line_of(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


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
        # ``logging`` locks a handler only after its filters: a broker that goes away is logged by many threads at once.
        self._lock = threading.Lock()
        self._lines: dict[tuple[object, ...], _Seen] = {}
        self._kinds: dict[tuple[object, ...], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written; ``left_out`` of a written one says how many before it were not."""
        if record.levelno <= logging.DEBUG:
            return True  # debugging shows every frame
        text, kind = record.getMessage(), (record.name, record.levelno, str(record.msg))
        with self._lock:
            return self._is_written(record, text, kind)

    def _is_written(self, record: logging.LogRecord, text: str, kind: tuple[object, ...]) -> bool:
        now = self._clock.monotonic()
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
        # Beside the text, not in it: the record goes on to other handlers, and RecentLog counts equal lines by itself.
        record.left_out = left_out
        return True


def _remember(known: dict[tuple[object, ...], _Seen], key: tuple[object, ...], seen: _Seen) -> _Seen:
    if key not in known and len(known) >= _MAX_KNOWN:
        known.pop(next(iter(known)))
    known[key] = seen
    return seen
