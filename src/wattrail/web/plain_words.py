"""What is wrong with a value of a request, said without the terms of the library that found it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattrail.sanitize import printable

__all__ = ["complaint"]

_OBJECTS: Final = frozenset({"model_attributes_type", "model_type", "dict_type", "dict_attributes_type"})
_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "list_type": "must be a list: [value, …]",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not JSON",
}
_WHOLE_BODY: Final = ("body",)


def complaint(error: Mapping[str, Any]) -> str:
    """The words for one error of pydantic, without the value itself, which may be a password."""
    kind, place = error["type"], tuple(error["loc"])
    if kind in _OBJECTS:
        # A text, or JSON that is announced as something else, is of the wrong shape just the same.
        sent = ", sent as application/json" if place == _WHOLE_BODY else ""
        return f'must be a JSON object: {{"name": value, …}}{sent}'
    if kind in _PLAIN:
        return _PLAIN[kind]
    words = str(error["msg"]).replace("Input should", "must")
    return printable(words[:1].lower() + words[1:])
