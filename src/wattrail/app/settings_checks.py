"""What the page may not write although a person at the file may: paths elsewhere, and wires nobody has confirmed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wattrail.app.settings_schema import values_of_format
from wattrail.toml_schema import FieldProblem
from wattrail.toml_schema.lines import line_of
from wattrail.transport import is_wired
from wattrail.urls import FILE_SCHEMES, innermost

if TYPE_CHECKING:
    from wattrail.app.schema import Config

__all__ = ["page_problems"]

_BY_HAND: Final = "or edit the file by hand, and type: wattrail reload"
_WIRING: Final = (
    "say how the wires are kept off the mains: isolated (an isolator in the wires) or mains-off; see docs/safety.md"
)


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
        if value not in known and not Path(value).resolve().is_relative_to(folder):
            yield path, f"{value!r} is outside of {folder}", f"put the file there and give its whole path, {_BY_HAND}"


def _file_urls(old: Mapping[str, Any], new: Mapping[str, Any]) -> _Found:
    known = {url for _, url in _urls(old)}
    for index, url in _urls(new):
        if url in known:
            continue
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
