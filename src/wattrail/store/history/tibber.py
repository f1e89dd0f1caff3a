"""Tibber: the answer of its GraphQL interface as JSON, or a table with the same names as CSV.

``consumption`` and ``production`` have ``nodes``, each with ``from`` and ``to`` in ISO 8601 with an offset, the energy
under the list's own name, and its unit under that name with ``Unit``. Energy that the grid operator has not reported
yet is null.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wattrail.errors import FileError
from wattrail.files import parse_json, read_text
from wattrail.sanitize import printable
from wattrail.store.history.periods import MAX_BYTES, History, in_order, milliwatt_hours_of, periods_of, unit_factor

__all__ = ["read_consumption"]

_SIDES: Final = ("consumption", "production")

Node = Mapping[str, object]


def read_consumption(path: Path) -> History:
    """Hours or days of one home. Raises FileError, ConfigError for what is not JSON."""
    name = printable(str(path))
    text = read_text(path, limit=MAX_BYTES)
    nodes = _json_nodes(parse_json(text, name), name) if text.lstrip()[:1] in {"{", "["} else _csv_nodes(text, name)
    energies: dict[tuple[datetime, datetime], list[int | None]] = {}
    missing = 0
    for side, key, node in nodes:
        span = (_moment(node, "from", name), _moment(node, "to", name))
        where = f"{name}, {node.get('from')}"
        value = node.get(key)
        if value in {None, ""}:
            missing += 1
            continue
        factor = unit_factor(str(node.get(f"{key}Unit") or "kWh"), where)
        sides = energies.setdefault(span, [None, None])
        if sides[side] is not None:
            raise FileError(f"{where}: {key} is there twice", hint="ask for one home")
        sides[side] = milliwatt_hours_of(str(value), factor, where)
    if not energies:
        raise FileError(
            f"{name} has no node with consumption or production", hint="ask for nodes { from to consumption }"
        )
    left_out = (f"{missing} without energy, not reported yet",) if missing else ()
    return History(origin="tibber", periods=in_order(periods_of(energies.items()), name), left_out=left_out)


def _json_nodes(document: object, name: str) -> Iterator[tuple[int, str, Node]]:
    if isinstance(document, Sequence) and not isinstance(document, str) and all(_is_node(one) for one in document):
        document = {"consumption": {"nodes": document}}
    for side, key in enumerate(_SIDES):
        lists = list(_lists(document, key))
        if len(lists) > 1:
            raise FileError(f"{name} has the {key} of {len(lists)} homes", hint="ask for one: home(id: ...)")
        for node in lists[0] if lists else ():
            yield side, key, node


def _is_node(one: object) -> bool:
    return isinstance(one, dict) and {"from", "to"} <= one.keys()


def _lists(document: object, key: str) -> Iterator[list[Node]]:
    """The nodes under a name, wherever in the answer it stands."""
    if isinstance(document, dict):
        inner = document.get(key)
        nodes = inner.get("nodes") if isinstance(inner, dict) else None
        if isinstance(nodes, list):
            found = [node for node in nodes if _is_node(node)]
            if found:
                yield found
        for value in document.values():
            yield from _lists(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _lists(value, key)


def _csv_nodes(text: str, name: str) -> Iterator[tuple[int, str, Node]]:
    first = text.partition("\n")[0]
    rows = csv.DictReader(text.splitlines(), delimiter=";" if first.count(";") > first.count(",") else ",")
    fields = set(rows.fieldnames or ())
    if not {"from", "to"} <= fields or not fields & set(_SIDES):
        raise FileError(f"{name} has no columns from, to and consumption", hint="or give the JSON of the interface")
    for row in rows:
        for side, key in enumerate(_SIDES):
            if key in fields:
                yield side, key, row


def _moment(node: Node, key: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(node.get(key)))
    except ValueError as error:
        raise FileError(f"{name}: {key} is {printable(repr(node.get(key)))}, not a time") from error
    if moment.tzinfo is None:
        raise FileError(f"{name}: {key} {moment} has no offset", hint="write 2026-03-01T06:00:00+01:00")
    return moment.astimezone(UTC)
