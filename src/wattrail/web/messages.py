"""What the gateway and the process of the page tell each other: JSON, a line each, over a socket that both inherit.

JSON and not pickle, because the process of the page talks to strangers: whatever it sends must not become code here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from wattrail.gateway import MeterView, State
from wattrail.ledger import Totals
from wattrail.units import Reading

__all__ = ["MAX_LINE", "decode_line", "encode_line", "view_from_message", "view_message"]

_READING: Final = tuple(field.name for field in fields(Reading))

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of one line; the longest we send, fifty meters with errors of the longest kind, are far below."""


def encode_line(**fields: object) -> bytes:
    """One message as a line."""
    return json.dumps(fields, separators=(",", ":"), default=_plain).encode() + b"\n"


def decode_line(line: bytes) -> Mapping[str, Any]:
    """The fields of a message. Raises ValueError for anything else."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"a message is an object, got {type(found).__name__}")
    return found


def view_message(view: MeterView) -> dict[str, object]:
    """A meter's view as plain values."""
    return {
        "name": view.name, "url": view.url, "simulated": view.simulated, "poll_s": view.poll_s,
        "state": view.state.value, "error": view.error, "hint": view.hint, "retry_at": view.retry_at,
        "reading": None if view.reading is None else {name: getattr(view.reading, name) for name in _READING},
        "today": _totals(view.today), "total": _totals(view.total),
    }  # fmt: skip


def view_from_message(message: Mapping[str, Any]) -> MeterView:
    """The view again."""
    reading = message["reading"]
    return MeterView(
        name=message["name"], url=message["url"], simulated=message["simulated"], poll_s=message["poll_s"],
        state=State(message["state"]), error=message["error"], hint=message["hint"],
        retry_at=_moment(message["retry_at"]),
        reading=None if reading is None else Reading(**{**reading, "at": datetime.fromisoformat(reading["at"])}),
        today=_from_totals(message["today"]), total=_from_totals(message["total"]),
    )  # fmt: skip


def _totals(totals: Totals | None) -> tuple[int, int, int] | None:
    return None if totals is None else (totals.import_mwh, totals.export_mwh, totals.undirected_mwh)


def _from_totals(values: Iterable[int] | None) -> Totals | None:
    return None if values is None else Totals(*values)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no part of a message")
