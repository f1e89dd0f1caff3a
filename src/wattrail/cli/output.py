"""What a command prints: messages on stderr, so that stdout carries results alone, and both safe for a terminal.

Messages name a page as ``docs/safety.md``, which is right in a checkout's folder alone: ``located`` names it by where
it is, beside the checkout or inside the installed package.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import wattrail
from wattrail.sanitize import hide_credentials, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = [
    "error",
    "hint",
    "located",
    "manual_folder",
    "narration",
    "note",
    "results",
    "safe_stdout",
    "with_options",
]


_RED, _PLAIN = "\033[1;31m", "\033[0m"


def note(text: str) -> None:
    """A line of text, or several; escapes in it do nothing, and passwords do not show."""
    _write(located(hide_credentials(printable_lines(text))))


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def error(text: str) -> None:
    """What went wrong; 'error:' is red on a terminal."""
    _write(f"{_red('error:')} {hide_credentials(printable_lines(with_options(text)))}")


def hint(text: str) -> None:
    """The next thing to try, with the options of the command line."""
    note(f"hint: {with_options(text)}")


def _red(word: str) -> str:
    # https://no-color.org: set to anything, it asks for plain text.
    colourful = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return f"{_RED}{word}{_PLAIN}" if colourful else word


_PAGE: Final = re.compile(r"(?<![\w/.-])docs/(?P<page>[a-z0-9/-]+\.md)")


@cache
def manual_folder() -> Path | None:
    """The folder of the manual; None where it was not installed."""
    package = Path(wattrail.__file__).resolve().parent
    places = (package / "docs", package.parent.parent / "docs")
    return next((place for place in places if (place / "safety.md").is_file()), None)


def located(text: str) -> str:
    """A message with every page of the manual named by where it is; a page that is nowhere keeps its name."""
    found = manual_folder()
    if found is None or "docs/" not in text:
        return text
    return _PAGE.sub(lambda page: str(found / page["page"]) if (found / page["page"]).is_file() else page[0], text)


_OPTIONS: Final = {
    "address": "--address",
    "database": "--database",
    "export_id": "--export-id",
    "front_end": "--front-end",
    "host": "--host",
    "import_id": "--import-id",
    "load": "--load",
    "max_baud": "--baud",
    "name": "--name",
    "start": "--start",
    "turns": "--turns",
}
"""Keywords that messages of the library name, and the option that gives each."""

# In a URL the same words are options of the port: they follow ? or &.
_KEYWORD: Final = re.compile(rf"(?<![\w?&/.-])({'|'.join(_OPTIONS)})=")
_CONVERT: Final = re.compile(r"image convert, to=(\w+)")


# The library tells a command from its keyword by a comma, which the command line would take for a word.
_COMMAND: Final = re.compile(r"(?P<command>wattrail(?: [a-z-]+)+),(?: with)? (?P<option>--[a-z-]+ [^\s,]+),?")


def with_options(text: str) -> str:
    """A message of the library, which names its own keywords (``max_baud=115200``), in options (``--baud 115200``)."""
    text = _CONVERT.sub(r"image convert FILE OUT --to \1", text)
    text = _KEYWORD.sub(lambda found: f"{_OPTIONS[found[1]]} ", text)
    return _COMMAND.sub(r"\g<command> \g<option>", text)


# ---- a safe stdout


class _SafeStream(io.TextIOBase):
    """A text stream that writes into another."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner

    def write(self, text: str) -> int:
        self.inner.write(hide_credentials(printable_lines(text)))
        return len(text)

    def flush(self) -> None:
        self.inner.flush()

    def isatty(self) -> bool:
        return self.inner.isatty()

    def fileno(self) -> int:
        return self.inner.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 buffer, encoding and all else the stream has
        return getattr(self.inner, name)

    def close(self) -> None:
        """The stream is not ours to close."""


@contextmanager
def safe_stdout() -> Iterator[None]:
    """Make everything printed in this block safe."""
    inner = sys.stdout
    sys.stdout = cast("TextIO", _SafeStream(inner))
    try:
        yield
    finally:
        sys.stdout = inner


def _raw_stdout() -> TextIO:
    """The stream itself, past the protection."""
    return sys.stdout.inner if isinstance(sys.stdout, _SafeStream) else sys.stdout


# ---- tables and live views, by rich


_PAGE_WIDTH = 132


def results() -> Console:
    """Where results are printed. Styles are rich's; escapes within a text are made visible."""
    stdout = _raw_stdout()
    return _safe_console()(file=stdout, width=None if stdout.isatty() else _PAGE_WIDTH, highlight=False, markup=False)


def narration() -> Console:
    """Where a terminal is shown what goes on; the same about escapes."""
    return _safe_console()(file=sys.stderr, highlight=False, markup=False)


def _safe_console() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else hide_credentials(printable_lines(text)), style, control)

    return SafeConsole
