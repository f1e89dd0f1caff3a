"""Finds the line of a value in a TOML file; ``tomllib`` gives values without their lines.

One pass splits the text into statements, whose ends follow from strings, comments and brackets, and notes the line of
every table and key. Reading the text once matters: a pass for each line took a minute for a file of megabytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["Step", "TomlStatement", "error_position", "line_of", "statements"]

Step = str | int
"""A key of a table, or the index of an entry in an array."""

_Path = tuple[Step, ...]

_TOKEN: Final = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*"""+'  # as many quotes as end it: two may belong to the text
    r"|'''(?:(?!''').)*'''+"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[{]|[\]}]|\n",
    re.DOTALL,
)
_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_KEYS: Final = re.compile(_KEY)
_HEAD: Final = re.compile(rf"\s*(?P<brackets>\[\[?)?\s*(?P<keys>{_KEY}(?:\s*\.\s*{_KEY})*)")


def line_of(text: str, path: Sequence[Step]) -> int:
    """The line, from 1, on which the value at ``path`` begins, or the nearest table around it; 1 for none.

    ``text`` is a whole TOML document. A part of a value (an array, an inline table) gets the line of its statement.
    """
    lines = _lines(text)
    return next((lines[found] for depth in range(len(path), 0, -1) if (found := tuple(path[:depth])) in lines), 1)


def error_position(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, int]:
    """Line and column, from 1, of a syntax error; the parser has them in its message only."""
    if found := re.search(r"\(at line (\d+), column (\d+)\)", str(error)):
        return int(found[1]), int(found[2])
    lines = text.splitlines() or [""]
    return len(lines), len(lines[-1]) + 1


class TomlStatement(NamedTuple):
    """A header or a value of a document: what it names, and its first and last line from 1."""

    path: _Path
    first: int
    last: int


def statements(text: str) -> Iterator[TomlStatement]:
    """Every statement of a TOML document, with the indices of arrays of tables; comments and empty lines are none."""
    counts: dict[_Path, int] = {}
    table: _Path = ()
    for line, statement in _statements(text):
        head = _HEAD.match(statement)
        if head is None:
            continue
        keys = [_plain(key) for key in _KEYS.findall(head["keys"])]
        if head["brackets"]:
            table = _table(keys, counts, is_array=head["brackets"] == "[[")
        path = table if head["brackets"] else (*table, *keys)
        yield TomlStatement(path, line, line + statement.count("\n"))


def _lines(text: str) -> dict[_Path, int]:
    """The line on which every table and key first appears."""
    lines: dict[_Path, int] = {}
    for path, line, _ in statements(text):
        for depth in range(len(path), 0, -1):
            if path[:depth] in lines:
                break  # so are all tables around it
            lines[path[:depth]] = line
    return lines


def _table(keys: Sequence[str], counts: dict[_Path, int], *, is_array: bool) -> _Path:
    """The path of a ``[table]`` or ``[[table]]``: a key of an array of tables means its last entry so far."""
    path: _Path = ()
    for number, key in enumerate(keys, start=1):
        path = (*path, key)
        if is_array and number == len(keys):
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Every statement with the line on which it begins. Empty lines and comments are none."""
    line, begins, start, depth = 1, 1, 0, 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in {"[", "{"}:
            depth += 1
        elif word in {"]", "}"}:
            depth -= 1
        elif word == "\n" and depth <= 0:
            yield begins, text[start : token.start()]
            start, begins = token.end(), line + 1
        line += word.count("\n")
    yield begins, text[start:]


def _plain(key: str) -> str:
    """A key without its quotes."""
    if key[0] not in {'"', "'"}:
        return key
    return str(tomllib.loads(f"key = {key}")["key"])
