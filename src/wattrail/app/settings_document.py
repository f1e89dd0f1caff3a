"""Changes of the text of ``wattrail.toml``: comments, order and quoting stay as a person wrote them. Pure.

A value is changed by tomlkit within its table. Whole tables come and go by lines, between the comments around them: a
comment above the next table is not a part of the one that goes. Whatever way, the new text must say exactly what was
asked for and nothing else, or it is refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from wattrail.errors import ConfigError
from wattrail.toml_schema.lines import TomlStatement, statements

__all__ = ["ARRAYS", "SettingsChange", "apply_changes", "change_text"]

ARRAYS: Final = frozenset({"meter", "virtual", "alarm", "publish.webhook"})
"""Tables of which there may be several."""

_Table = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """A table, ``site`` or ``publish.mqtt``, that becomes ``value``; without a value it is removed.

    Of an array of tables ``item`` says which, from 0; with a value and without an item another one is added.
    """

    table: str
    item: int | None = None
    value: Mapping[str, object] | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the table."""
        return tuple(self.table.split("."))


def apply_changes(document: Mapping[str, Any], changes: Sequence[SettingsChange]) -> _Table:
    """The tables after the changes. Raises ConfigError for an item that is not there."""
    after: _Table = deepcopy(dict(document))
    for change in changes:
        _apply(after, change)
    return after


def _apply(document: _Table, change: SettingsChange) -> None:
    *outer, key = change.path
    for step in outer:
        document = document.setdefault(step, {})
    value = None if change.value is None else _without_none(change.value)
    if change.table not in ARRAYS:
        document.pop(key, None)
        if value is not None:
            document[key] = value
        return
    items = document.setdefault(key, [])
    if change.item is None and value is not None:
        items.append(value)
    elif change.item is None or not 0 <= change.item < len(items):
        raise ConfigError(f"there is no [[{change.table}]] number {change.item}", hint="load the settings again")
    elif value is None:
        del items[change.item]
    else:
        items[change.item] = value


def _without_none(value: Mapping[str, object]) -> _Table:
    """A table as TOML can say it: nothing, and lists and tables without anything, are left out."""
    found = {name: _without_none(one) if isinstance(one, Mapping) else one for name, one in value.items()}
    return {name: one for name, one in found.items() if one is not None and one != [] and one != {}}


def change_text(text: str, changes: Sequence[SettingsChange]) -> str:
    """The text after the changes. Raises ConfigError where it cannot be changed without saying anything else."""
    for change in changes:
        try:
            wanted = _plain(apply_changes(tomllib.loads(text), [change]))
        except (AttributeError, TypeError) as error:
            raise ConfigError(f"{change.table} is not a table of this file", hint="change the text itself") from error
        text = next((one for one in _attempts(text, change) if _plain(_loaded(one)) == wanted), "")
        if not text and wanted:
            raise ConfigError(
                f"[{change.table}] cannot be changed without touching the rest of the file",
                hint="its tables are written in an unusual way: change the text itself",
            )
    return text


def _attempts(text: str, change: SettingsChange) -> Iterator[str]:
    """Ways to carry out a change, the most careful first."""
    if change.value is None:
        yield _without_lines(text, change)
    elif _is_there(text, change):
        yield _with_values(text, change, _without_none(change.value))
    else:
        yield _with_table(text, change, _without_none(change.value))


def _is_there(text: str, change: SettingsChange) -> bool:
    found: Any = tomllib.loads(text)
    for step in change.path:
        found = found.get(step) if isinstance(found, dict) else None
    return found is not None and (change.table not in ARRAYS or change.item is not None)


def _loaded(text: str) -> _Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {"": "not TOML"}


def _plain(value: Any) -> Any:  # noqa: ANN401 values of TOML
    """Without tables that say nothing: ``[publish]`` alone is the same as no line. Of a number the kind counts."""
    if isinstance(value, dict):
        return {name: one for name, found in value.items() if (one := _plain(found)) not in ({}, [])}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return type(value).__name__, value


# ---- values within a table, by tomlkit


def _with_values(text: str, change: SettingsChange, value: _Table) -> str:
    try:
        document = tomlkit.parse(text)
        found: Any = document
        for step in change.path:
            found = found[step]
        _update(found if change.item is None else found[change.item], value)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ConfigError(f"[{change.table}] cannot be changed: {error}", hint="change the text itself") from error


def _update(table: Any, value: _Table) -> None:  # noqa: ANN401 a table of tomlkit
    """Let a table say what is wanted; what it says already is not touched, whatever its spelling."""
    for name in [name for name in table if name not in value]:
        del table[name]
    for name, wanted in value.items():
        if name not in table:
            table[name] = _inline(wanted)
        elif isinstance(wanted, dict) and hasattr(table[name], "items"):
            _update(table[name], wanted)
        elif _plain(_unwrapped(table[name])) != _plain(wanted):
            table[name] = _inline(wanted)


def _unwrapped(item: Any) -> Any:  # noqa: ANN401 any item
    """The value of an item of tomlkit as ``tomllib`` gives it."""
    return item.unwrap() if hasattr(item, "unwrap") else item


def _inline(value: object) -> object:
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update(value)
    return table


# ---- whole tables, by lines


def _table_text(change: SettingsChange, value: _Table, end: str) -> list[str]:
    head = f"[[{change.table}]]" if change.table in ARRAYS else f"[{change.table}]"
    body = tomlkit.document()
    for name, one in value.items():
        body[name] = _inline(one)
    return [f"{line}{end}" for line in (head, *tomlkit.dumps(body).rstrip("\n").split("\n")) if line]


def _with_table(text: str, change: SettingsChange, value: _Table) -> str:
    """Below the last of its kind, before the comments that follow it; else at the end."""
    # Split at \n alone, each line keeps its \r, and a new one gets it too: a file of Windows stays one.
    lines, path, end = text.rstrip("\r\n").split("\n"), change.path, "\r" if "\r\n" in text else ""
    alike = [one.last for one in statements(text) if one.path[: len(path)] == path]
    added = _table_text(change, value, end)
    if change.table in ARRAYS and alike:
        lines[max(alike) : max(alike)] = [end, *added]
    else:
        lines = [*lines, end, *added] if any(lines) else added
    return "\n".join(lines) + "\n"


def _without_lines(text: str, change: SettingsChange) -> str:
    """Without the statements of a table, and without the comments between them."""
    # By lines, since tomlkit takes a comment above the next table for a part of the one that goes.
    path = change.path if change.item is None else (*change.path, change.item)
    lines, every = text.split("\n"), list(statements(text))
    found = [one for one in every if one.path[: len(path)] == path]
    for first, last in reversed(list(_runs(found, [one.first for one in every]))):
        del lines[first - 1 : last]
        while 1 < first < len(lines) and not lines[first - 1].strip() and not lines[first - 2].strip():
            del lines[first - 1]
    return "\n".join(lines)


def _runs(found: Sequence[TomlStatement], firsts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Statements that follow each other, as first and last line."""
    begin = end = 0
    for one in found:
        if end and not any(end < first < one.first for first in firsts):
            end = one.last
            continue
        if end:
            yield begin, end
        begin, end = one.first, one.last
    if end:
        yield begin, end
