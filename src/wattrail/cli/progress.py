"""How far a piece of work is, on stderr: one line redrawn on a terminal, by rich.progress; few lines elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattrail.cli import output
from wattrail.cli.output import narration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

__all__ = ["WorkProgress", "open_display"]

_KIB: Final = 1024
_MAX_SECONDS: Final = 90
"""From there on the time left is shown in minutes."""

_STEP: Final = 10
"""Per cent between two lines of progress where there is no terminal."""

_MIN_BYTES: Final = 0x10000
"""Less than that is read or written too quickly for lines about it."""

_BAR_WIDTH: Final = 20
"""Columns of the bar: with the numbers beside it, it fits 80."""


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """``done`` of ``total`` bytes after so many seconds."""

    what: str
    done: int
    total: int
    seconds: float

    @property
    def percent(self) -> int:
        """Whole per cent done."""
        return 100 * self.done // max(1, self.total)

    def text(self) -> str:
        """One line: bytes done, the rate since the beginning, and the time left at that rate."""
        parts = [f"{self.what:<9} {self.percent:3} %  {self.done // _KIB:5} of {self.total // _KIB} KiB"]
        if self.seconds > 0 and self.done:
            rate = self.done / self.seconds
            left = (self.total - self.done) / rate
            parts.append(f"{rate / 1000:.0f} kB/s")
            if left:
                parts.append(f"{left:.0f} s left" if left < _MAX_SECONDS else f"{left / 60:.0f} min left")
        return "  ".join(parts)


class _PlainDisplay:
    """A line when the advice changes, and one for every tenth of the work; none for work that is over at once."""

    def __init__(self) -> None:
        self._printed = ("", 0)

    def advise(self, text: str) -> None:
        """What to do now, while the link is sought."""
        output.note(text)

    def show(self, work: WorkProgress) -> None:
        """How far the work is."""
        tenth = (work.what, work.percent // _STEP)
        if work.total > _MIN_BYTES and tenth != self._printed:
            self._printed = tenth
            output.note(work.text())

    def clear(self) -> None:
        """What was printed stays."""


class _TerminalDisplay:
    """One line at the bottom of a terminal; whatever else is printed goes above it."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.table import Column

        self._console = console
        wrapped = Column()  # advice is longer than a terminal is wide; a column of progress would cut it
        self._advice = self._line(TextColumn("{task.description}", style="yellow", markup=False, table_column=wrapped))
        self._work = self._line(BarColumn(_BAR_WIDTH), TextColumn("{task.description}", markup=False))
        self._shown: Progress | None = None

    def _line(self, *columns: ProgressColumn) -> Progress:
        from rich.progress import Progress

        line = Progress(*columns, console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        line.add_task("")
        return line

    def advise(self, text: str) -> None:
        """In place of what was there."""
        self._draw(self._advice, text, 0, 1)

    def show(self, work: WorkProgress) -> None:
        """A bar, and the numbers."""
        self._draw(self._work, work.text(), work.done, work.total)

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def _draw(self, line: Progress, text: str, done: int, total: int) -> None:
        line.update(line.task_ids[0], description=text, completed=done, total=total)
        if self._shown is not line:
            self.clear()  # a console shows one live display at a time
            self._shown = line
            line.start()
        line.refresh()


def open_display() -> _PlainDisplay | _TerminalDisplay:
    """The display that stderr can show: a redrawn line needs a terminal that moves its cursor."""
    if not sys.stderr.isatty():
        return _PlainDisplay()
    console = narration()
    return _PlainDisplay() if console.is_dumb_terminal else _TerminalDisplay(console)
