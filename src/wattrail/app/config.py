"""Finds and reads ``wattrail.toml``; errors name file, line and field."""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattrail.app.toml_lines import Step, error_position, line_of
from wattrail.errors import ConfigError, MissingExtra
from wattrail.files import parse_toml, read_text
from wattrail.sanitize import printable

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from wattrail.app.schema import Config

__all__ = [
    "FILE_NAME",
    "data_dir",
    "database_of",
    "demo_database",
    "find_config",
    "load_config",
    "parse_config",
    "user_config_dir",
]

FILE_NAME: Final = "wattrail.toml"

Path_ = tuple[Step, ...]


def user_config_dir() -> Path:
    """The folder for this user's configuration on this system."""
    from platformdirs import user_config_path

    return user_config_path("wattrail", appauthor=False)


def data_dir() -> Path:
    """The folder for this user's database on this system."""
    from platformdirs import user_data_path

    return user_data_path("wattrail", appauthor=False)


def database_of(config: Config | None) -> Path:
    """The database of real meters: the one that is configured, else this user's."""
    return Path(config.store.path) if config and config.store.path else data_dir() / "wattrail.sqlite"


def demo_database() -> Path:
    """The database of the demo twin, used where no meter is configured: simulated and real energy are never mixed."""
    return data_dir() / "simulated.sqlite"


def find_config() -> Path | None:
    """The file in the working directory, else the user's own, else None."""
    places = (Path(FILE_NAME), user_config_dir() / FILE_NAME)
    return next((place for place in places if os.path.lexists(place)), None)


def load_config(given: Path | None = None) -> Config | None:
    """The configuration in the given file, or in the one that is found; None if there is none.

    Raises FileError, ConfigError, MissingExtra.
    """
    path = given or find_config()
    if path is None:
        return None
    return parse_config(read_text(path), printable(str(path)))


def parse_config(text: str, name: str) -> Config:
    """The configuration in a TOML text; ``name`` is what errors call the file. Raises ConfigError, MissingExtra."""
    try:
        from pydantic import ValidationError

        from wattrail.app.schema import Config
    except ModuleNotFoundError as error:
        if error.name != "pydantic":
            raise
        raise MissingExtra(f"reading {name}", library="pydantic", extra="run") from error
    document = _document(text, name)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise _explain(error, text, name, Config) from error
    _refuse_equal_names(config, text, name)
    return config


def _document(text: str, name: str) -> dict[str, object]:
    try:
        return parse_toml(text, name)
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, tomllib.TOMLDecodeError):
            raise
        line, column = error_position(cause, text)
        what = printable(_lower(str(cause).partition(" (at ")[0]))
        raise ConfigError(f"{name}, line {line}, column {column}: {what}", hint=_TOML_HINT) from error


_MAX_SHOWN: Final = 80
"""Characters of a value or a key in a message."""

_TOML_HINT: Final = "text stands in quotes, numbers do not, and every [[meter]] begins a new one"


def _explain(error: ValidationError, text: str, name: str, root: type[BaseModel]) -> ConfigError:
    """The first thing that is wrong, by file, line and field, and how many more there are."""
    first, *others = error.errors(include_url=False)
    path: Path_ = tuple(first["loc"])
    known = _known_fields(root, path[:-1])
    more = f" (and {len(others)} more)" if others else ""
    where = f"{name}, line {line_of(text, path)}"
    if first["type"] == "extra_forbidden":
        field, table = _shown(path[-1]), _written(path[:-1]) or "the file"
        close = get_close_matches(str(path[-1])[:_MAX_SHOWN], known, n=1)
        return ConfigError(
            f"{where}: {table} has no field {field}; known: {', '.join(known)}{more}",
            hint=f"did you mean {close[0]}?" if close else None,
        )
    cause = first.get("ctx", {}).get("error")
    subject = f" {_written(path)}:" if path else ""
    return ConfigError(f"{where}:{subject} {_complaint(first)}{more}", hint=getattr(cause, "hint", None))


def _refuse_equal_names(config: Config, text: str, name: str) -> None:
    seen: set[str] = set()
    for index, meter_name in enumerate(meter.name for meter in config.meter):
        if meter_name in seen:
            line = line_of(text, ("meter", index, "name"))
            raise ConfigError(
                f"{name}, line {line}: a second meter is named {meter_name!r}",
                hint="give every meter a name of its own: what it measured is kept under that name",
            )
        seen.add(meter_name)


def _complaint(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "this field is missing"
    if detail["type"] == "value_error":
        return printable(str(detail["ctx"]["error"]))
    given = detail["input"]
    shown = f", got {_shown(given)}" if isinstance(given, str | int | float | bool) else ""
    return _lower(detail["msg"].replace("Input should", "must")) + shown


def _written(path: Path_) -> str:
    """A path as a person writes it: ``meter[2].poll_s`` is in the second [[meter]]."""
    steps = (f"[{step + 1}]" if isinstance(step, int) else f".{printable(step, limit=_MAX_SHOWN)}" for step in path)
    return "".join(steps).removeprefix(".")


def _shown(value: object) -> str:
    """A value as Python writes it, cut to a length that can be read."""
    return printable(repr(value), limit=_MAX_SHOWN)


def _known_fields(model: type[BaseModel], path: Path_) -> list[str]:
    """The fields of the table at a path."""
    for step in path:
        if isinstance(step, str) and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model a field holds: as it is, in a list, or beside None."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
