"""What the firmware has written so far, for tests that wait for a line of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.sanitize import printable
from wattrail.twin.cbu.log_lines import LogLines
from wattrail.twin.cbu.machine import Cbu

__all__ = ["DeviceLog"]

_MAX_LINES: Final = 100_000
"""A firmware that restarts for ever must not fill the memory."""


class DeviceLog:
    """Lines of UART2 that ended, foreign signs as escapes. ``listen`` hears each, with the device time in seconds."""

    def __init__(self, machine: Cbu) -> None:
        self._listeners: list[Callable[[float, str], None]] = []
        self.lines: list[str] = []
        self.left_out = 0
        machine.uart("uart2").listen(LogLines(lambda: machine.seconds, self._take).receive)

    def listen(self, call: Callable[[float, str], None]) -> None:
        """Be called with seconds since power-on and the line."""
        self._listeners.append(call)

    def find(self, text: str, first: int = 0) -> int:
        """The number of the first line, from ``first`` on, that has the text; -1 if none has."""
        return next((number for number, line in enumerate(self.lines[first:], first) if text in line), -1)

    def _take(self, seconds: float, text: str) -> None:
        line = printable(text)
        if len(self.lines) < _MAX_LINES:
            self.lines.append(line)
        else:
            self.left_out += 1
        for call in self._listeners:
            call(seconds, line)
