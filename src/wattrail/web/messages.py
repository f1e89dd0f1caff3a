"""Messages between the gateway and the process of the page: one JSON object a line, over an inherited socket.

JSON and not pickle, because the process of the page talks to strangers: its messages must not become code here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from wattrail.gateway import MeterView

__all__ = ["MAX_LINE", "decode_line", "encode_line", "view_from_message", "view_message"]

_VIEW: Final = TypeAdapter(MeterView)

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of one line; the longest, fifty meters with long errors, is far shorter."""


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
    """A meter's view as plain values; pydantic takes every field, also those added later."""
    message: dict[str, object] = _VIEW.dump_python(view, mode="json")
    return message


def view_from_message(message: Mapping[str, Any]) -> MeterView:
    """The view in a message. Raises ValueError for anything else."""
    return _VIEW.validate_python(message)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be part of a message")
