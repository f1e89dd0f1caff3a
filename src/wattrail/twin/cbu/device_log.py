"""The firmware's log as lines: whole, short, not too many; and all of it so far, for tests that wait for a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.sanitize import printable
from wattrail.twin.cbu.machine import Cbu

__all__ = ["DeviceLog", "LogLines"]

MAX_LINE: Final = 400
"""Bytes of a line; the rest of it is left out."""
MAX_LINES_PER_SECOND: Final = 500
"""Of device time; what a firmware in a loop says beyond that is counted."""

_MAX_LINES: Final = 100_000
"""A firmware that restarts for ever must not fill the memory."""


class LogLines:
    """Takes bytes, gives lines with the device time in seconds at which each began."""

    def __init__(self, seconds: Callable[[], float], line: Callable[[float, str], None]) -> None:
        self._seconds = seconds
        self._line = line
        self._text = bytearray()
        self._began = 0.0
        self._second, self._lines, self._left_out = -1, 0, 0

    def receive(self, data: bytes) -> None:
        """More of the log."""
        for byte in data:
            if byte == 0x0A:
                self.finish()
            # Lines end by CR LF; a lone LF ends one too.
            elif byte != 0x0D:
                if not self._text:
                    self._began = self._seconds()
                if len(self._text) < MAX_LINE:
                    self._text.append(byte)

    def finish(self) -> None:
        """The line ends here, if there is one."""
        if not self._text:
            return
        text, self._text = self._text.decode("utf-8", "replace"), bytearray()
        second = int(self._began)
        if second != self._second:
            if self._left_out:
                self._line(self._began, f"({self._left_out} lines left out)")
            self._second, self._lines, self._left_out = second, 0, 0
        self._lines += 1
        if self._lines <= MAX_LINES_PER_SECOND:
            self._line(self._began, text)
        else:
            self._left_out += 1


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
