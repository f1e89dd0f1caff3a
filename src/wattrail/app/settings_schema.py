"""What the tables of ``wattrail.toml`` may hold, as JSON Schema without references, for the forms of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from wattrail.app.schema import Config
from wattrail.toml_schema.lines import Step

__all__ = ["settings_schema", "values_of_format"]

_DEFINITION: Final = "#/$defs/"


@cache
def settings_schema() -> dict[str, Any]:
    """The schema of the whole file; every field has its ``description``, ``default`` and bounds in one place."""
    whole = Config.model_json_schema()
    return _resolved({name: one for name, one in whole.items() if name != "$defs"}, whole["$defs"])


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A node with everything in it. What may also be nothing is a field that can be left out."""
    found = dict(node)
    if name := found.pop("$ref", "").removeprefix(_DEFINITION):
        # the text of a model is for its reader in the code; that of a field is for the form
        found = {key: one for key, one in definitions[name].items() if key != "description"} | found
    if alternatives := found.pop("anyOf", None):
        (one,) = (one for one in alternatives if one.get("type") != "null")
        found = {**one, **found}
        return _resolved(found, definitions)
    if "properties" in found:
        found["properties"] = {name: _resolved(one, definitions) for name, one in found["properties"].items()}
    if "items" in found:
        found["items"] = _resolved(found["items"], definitions)
    return found


def values_of_format(
    value: Any,  # noqa: ANN401 values of TOML
    name: str,
    schema: Mapping[str, Any] | None = None,
    path: tuple[Step, ...] = (),
) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Every text whose field has that ``format`` in the schema, with the path that leads to it."""
    schema = settings_schema() if schema is None else schema
    if isinstance(value, dict):
        for key, one in value.items():
            yield from values_of_format(one, name, schema.get("properties", {}).get(key, {}), (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from values_of_format(one, name, schema.get("items", {}), (*path, index))
    elif isinstance(value, str) and schema.get("format") == name:
        yield path, value
