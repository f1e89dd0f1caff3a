"""Messages on stderr, so that stdout carries results alone."""

from __future__ import annotations

import os
import sys

from wattrail.cli.manual import located
from wattrail.sanitize import hide_credentials, printable_lines

__all__ = ["error", "hint", "note"]

_RED, _PLAIN = "\033[1;31m", "\033[0m"


def note(text: str) -> None:
    """A line of text, or several; escapes in it do nothing, and passwords do not show."""
    _write(located(hide_credentials(printable_lines(text))))


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def error(text: str) -> None:
    """What went wrong; 'error:' is red on a terminal."""
    _write(f"{_red('error:')} {hide_credentials(printable_lines(text))}")


def hint(text: str) -> None:
    """The next thing to try."""
    note(f"hint: {text}")


def _red(word: str) -> str:
    colourful = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return f"{_RED}{word}{_PLAIN}" if colourful else word
