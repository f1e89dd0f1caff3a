"""What the tables of ``wattrail.toml`` may hold, as JSON Schema without references, for the forms of the page.

And what the page may not write although a person at the file may: paths elsewhere, and wires nobody has confirmed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from wattrail.app.schema import Config
from wattrail.toml_schema import FieldProblem
from wattrail.toml_schema.lines import Step, line_of
from wattrail.transport import is_wired
from wattrail.urls import FILE_SCHEMES, innermost

__all__ = ["page_problems", "settings_schema", "values_of_format"]

_DEFINITION: Final = "#/$defs/"
_BY_HAND: Final = "or edit the file by hand, and type: wattrail reload"
_WIRING: Final = (
    "say how the wires are kept off the mains: isolated (an isolator in the wires) or mains-off; see docs/safety.md"
)


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


def page_problems(before: str, after: str, config: Config, folder: Path) -> tuple[FieldProblem, ...]:
    """What of a new text is refused from the page. ``folder`` is that of the file, whose files may be named."""
    old, new = tomllib.loads(before), tomllib.loads(after)
    found = [*_paths_elsewhere(old, new, folder.resolve()), *_file_urls(old, new), *_unconfirmed(old, config)]
    return tuple(FieldProblem(path, line_of(after, path), text, hint) for path, text, hint in found)


_Found = Iterator[tuple[tuple[str | int, ...], str, str]]


def _paths_elsewhere(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> _Found:
    """The gateway may read more files than whoever uses the page, and quotes them in its errors."""
    known = {value for _, value in values_of_format(old, "file")}
    for path, value in values_of_format(new, "file"):
        # What the file names already was put there by a person with access to it, ADR 54.
        if value not in known and not Path(value).resolve().is_relative_to(folder):
            yield path, f"{value!r} is outside of {folder}", f"put the file there and give its whole path, {_BY_HAND}"


def _file_urls(old: Mapping[str, Any], new: Mapping[str, Any]) -> _Found:
    known = {url for _, url in _urls(old)}
    for index, url in _urls(new):
        if url in known:
            continue
        # A scenario may be the path of a file, so it is held to the same rule.
        parts = innermost(url)
        scenario = parts.query.get("scenario", "")
        if url.partition(":")[0].lower() in FILE_SCHEMES or "/" in scenario or "." in scenario:
            yield (
                ("meter", index, "url"),
                "reads or writes a file of the gateway's machine",
                f"take another, {_BY_HAND}",
            )


def _unconfirmed(old: Mapping[str, Any], config: Config) -> _Found:
    """A new meter on wires, where nothing says how they are kept off the mains."""
    known = {url for _, url in _urls(old)}
    for meter in config.meter:
        if meter.url not in known and config.safety.confirmed is None and is_wired(meter.url):
            yield ("safety", "confirmed"), f"{meter.url} may touch mains potential", _WIRING
            return


def _urls(document: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    meters = document.get("meter", [])
    for index, meter in enumerate(meters if isinstance(meters, list) else []):
        if isinstance(meter, dict) and isinstance(url := meter.get("url"), str):
            yield index, url
