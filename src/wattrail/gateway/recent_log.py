"""The newest lines of the log in memory, bounded and without passwords: what the health page shows."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from wattrail.sanitize import hide_credentials, printable

__all__ = ["MAX_LINES", "LogLine", "RecentLog"]

MAX_LINES: Final = 300
_MAX_CHARACTERS: Final = 1000
"""Of one line; all together stay below half a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line as the log has it: when it was last written, and how often."""

    at: datetime
    level: str
    logger: str
    message: str
    count: int = 1


class RecentLog(logging.Handler):
    """Keeps warnings and errors. A line that repeats is kept once, so a flood of one line hides no other."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: OrderedDict[tuple[str, str, str], LogLine] = OrderedDict()
        self._reading = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line. Raises nothing."""
        try:
            message = printable(hide_credentials(record.getMessage()), limit=_MAX_CHARACTERS)
            if record.exc_info and record.exc_info[0] is not None:
                message += f" ({record.exc_info[0].__name__})"
            self._keep(LogLine(
                at=datetime.fromtimestamp(record.created, UTC), level=record.levelname.lower(), logger=record.name,
                message=message,
            ))  # fmt: skip
        except Exception:  # noqa: BLE001 a log that fails must not take with it what it logs
            self.handleError(record)

    def lines(self) -> tuple[LogLine, ...]:
        """Newest first."""
        with self._reading:
            return tuple(reversed(self._lines.values()))

    def _keep(self, line: LogLine) -> None:
        key = (line.level, line.logger, line.message)
        with self._reading:
            before = self._lines.pop(key, None)
            self._lines[key] = line if before is None else replace(line, count=before.count + 1)
            while len(self._lines) > MAX_LINES:
                self._lines.popitem(last=False)
