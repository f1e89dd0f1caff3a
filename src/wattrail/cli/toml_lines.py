"""Where in a TOML file something stands; ``tomllib`` gives values and forgets their lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["error_position", "line_of"]

Step = str | int
"""A key of a table, or the index of an entry in an array."""


def line_of(text: str, path: Sequence[Step]) -> int:
    """The line, from 1, on which the value at ``path`` begins, or the nearest table around it; 1 for none.

    The file is read again, one line more each time: the value stands where it first appears. An array over many
    lines is no TOML until its last one, and so begins after the line that was whole before it.
    """
    for depth in range(len(path), 0, -1):
        for line, document in _growing(text):
            if _holds(document, path[:depth]):
                return line
    return 1


def error_position(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, int]:
    """Line and column, from 1, of what is no TOML; the parser tells them in its message alone."""
    if found := re.search(r"\(at line (\d+), column (\d+)\)", str(error)):
        return int(found[1]), int(found[2])
    lines = text.splitlines() or [""]
    return len(lines), len(lines[-1]) + 1


def _growing(text: str) -> Iterator[tuple[int, object]]:
    """Every beginning of the file that is whole, with the line on which its last statement begins."""
    lines = text.splitlines()
    begins = 1
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        yield begins, document
        begins = count + 1


def _holds(document: object, path: Sequence[Step]) -> bool:
    for step in path:
        inside = _entries(document)
        if step not in inside:
            return False
        document = inside[step]
    return True


def _entries(document: object) -> Mapping[Step, object]:
    """The entries of a table by key, of an array by index; nothing else has any."""
    if isinstance(document, list):
        return dict(enumerate(document))
    return document if isinstance(document, dict) else {}
