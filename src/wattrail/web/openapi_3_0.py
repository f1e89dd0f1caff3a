"""The description in the terms of OpenAPI 3.0, for readers that do not know 3.1: the bundled Swagger UI is one.

3.1 takes its schemas from JSON Schema; 3.0 writes null, constants, examples and tuples in its own way.
Source: openapi-3.0/schema-object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["in_version_3_0"]

VERSION: Final = "3.0.3"
_NULL: Final = {"type": "null"}


def in_version_3_0(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same description; the one that was given stays as it is."""
    return {**_object(document), "openapi": VERSION}


def _object(found: Mapping[str, Any]) -> dict[str, Any]:
    """One object of the description: what 3.0 says in another way is replaced, at every depth."""
    made: dict[str, Any] = {name: _value(value) for name, value in found.items()}
    if isinstance(choices := made.get("anyOf"), list) and _NULL in choices:
        rest = [choice for choice in choices if choice != _NULL]
        del made["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            made |= rest[0]
        else:  # beside a reference 3.0 ignores everything
            made["anyOf"] = rest
        made["nullable"] = True
    if "const" in made and "type" in made:
        made["enum"] = [made.pop("const")]
    if isinstance(examples := made.get("examples"), list) and examples:
        made["example"] = made.pop("examples")[0]
    if isinstance(parts := made.pop("prefixItems", None), list):
        made["items"] = parts[0] if all(part == parts[0] for part in parts) else {}
    for limit, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(value := made.get(limit), int | float) and not isinstance(value, bool):
            made[bound], made[limit] = value, True
    return made


def _value(value: object) -> object:
    if isinstance(value, Mapping):
        return _object(value)
    return [_value(part) for part in value] if isinstance(value, list) else value
