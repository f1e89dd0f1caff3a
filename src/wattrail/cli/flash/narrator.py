"""What a flasher does, told while it does it: on stderr, redrawn in one line on a terminal, in few lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Protocol

from wattrail.cli import output
from wattrail.cli.console import narration
from wattrail.cli.flash.course import Course
from wattrail.clock import Clock
from wattrail.flasher import (
    BackedUp,
    Coaching,
    FlashEvent,
    Identified,
    Linked,
    Listener,
    Lost,
    Note,
    Progress,
    RateChanged,
    Repeated,
    Resumed,
    Target,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Narrator", "chip_words"]

_STEP: Final = 10
"""Per cent between two lines of progress where there is no terminal."""

_SMALL: Final = 0x10000
"""Bytes that are read or written too quickly for lines about it."""

_BAR: Final = 20
"""Columns of the bar: with the numbers beside it, it fits 80."""


class Stage(Protocol):
    """Where advice and progress are shown."""

    def advise(self, words: str) -> None:
        """What to do now, while the link is sought."""
        ...

    def show(self, course: Course) -> None:
        """How far the work is."""
        ...

    def clear(self) -> None:
        """Neither is needed any more."""
        ...


class Lines:
    """A line when the advice changes, and one for every tenth of the work."""

    def __init__(self) -> None:
        self._told = ("", 0)

    def advise(self, words: str) -> None:
        """One line."""
        output.note(words)

    def show(self, course: Course) -> None:
        """One line, if the next tenth is reached; none for what is over at once."""
        if course.progress.total <= _SMALL:
            return
        tenth = (course.progress.what, course.percent // _STEP)
        if tenth != self._told:
            self._told = tenth
            output.note(course.words())

    def clear(self) -> None:
        """What was said stays."""


class Redrawn:
    """One line at the bottom of a terminal; whatever else is said goes above it."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

    def advise(self, words: str) -> None:
        """In place of what stood there."""
        from rich.text import Text

        self._draw(Text(words, style="yellow"))

    def show(self, course: Course) -> None:
        """A bar, and the numbers."""
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table

        line = Table.grid("", Column(no_wrap=True), padding=(0, 1))
        line.add_row(ProgressBar(total=100, completed=course.percent, width=_BAR), course.words())
        self._draw(line)

    def clear(self) -> None:
        """Wipe the line."""
        self._live.stop()

    def _draw(self, line: object) -> None:
        self._live.start()
        self._live.update(line, refresh=True)  # type: ignore[arg-type]  # rich draws many kinds of object


class Narrator:
    """Listens to one flasher. ``identified``: the board is known; ``wrote``: writing has come to its first result."""

    def __init__(self, clock: Clock, also: Listener | None = None) -> None:
        self._clock = clock
        self._also = also
        self._stage = _stage()
        self._what, self._done = "", 0
        self._began = self._last = clock.monotonic()
        self.identified = False
        self.wrote = False

    def __call__(self, event: FlashEvent) -> None:
        """Tell one event."""
        if self._also is not None:
            self._also(event)
        now = self._clock.monotonic()
        match event:
            case Coaching(words):
                self._stage.advise(words)
            case Progress(what):
                if what != self._what or event.done < self._done:
                    self._what, self._began = what, self._last
                self._done = event.done
                self.wrote = self.wrote or what == "writing"
                self._stage.show(Course(event, self._began, now))
                if event.done >= event.total:
                    self._stage.clear()  # results may follow on the same terminal
            case Repeated():
                pass  # hundreds on a bad line; the report has their number
            case _:
                self.identified = self.identified or isinstance(event, Identified)
                self._what = ""
                self._stage.clear()
                output.note(_words(event))
        self._last = now

    def end(self) -> None:
        """Wipe what is redrawn."""
        self._stage.clear()


def chip_words(target: Target) -> str:
    """Chip and flash in a few words."""
    chip = target.chip.value if target.chip else "a chip that is not recognised"
    part = target.part.name if target.part and target.part.name != "unnamed" else "flash"
    return f"{chip}, {part} of {target.size // 1024} KiB"


def _words(event: FlashEvent) -> str:
    match event:
        case Linked(baud, seconds):
            return f"linked at {baud} baud after {seconds:.1f} s"
        case Identified(target):
            return f"{chip_words(target)}; board {target.board}"
        case RateChanged(baud, why):
            return f"{baud} baud: {why}"
        case Lost(_, words):
            return f"link lost: {words}"
        case BackedUp(path):
            return f"the flash as it is now is kept in {path}"
        case Resumed(since, image, backup):
            kept = f"; how the flash was before is kept in {backup}" if backup else ""
            return f"a write of {image!r}, begun {since}, did not end: this one goes on from there{kept}"
        case Note(words):
            return words
        case _:  # pragma: no cover - the others are told elsewhere
            return ""


def _stage() -> Stage:
    if not sys.stderr.isatty():
        return Lines()
    console = narration()
    return Lines() if console.is_dumb_terminal else Redrawn(console)
