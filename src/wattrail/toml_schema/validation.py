"""Validates a TOML text by a pydantic model, and turns pydantic's errors into ours."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from wattrail.errors import ConfigError, needs_library
from wattrail.files import parse_toml
from wattrail.sanitize import printable
from wattrail.toml_schema.lines import Step, error_position, line_of

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    _Model = TypeVar("_Model", bound=BaseModel)

__all__ = ["FieldProblem", "field_error", "field_problems", "model_errors", "needs_pydantic", "read_model"]

_MAX_SHOWN: Final = 80
"""Characters of a value or a key in a message."""

_Path = tuple[Step, ...]


def needs_pydantic(what: str, *, extra: str) -> AbstractContextManager[None]:
    """Around an import of models and their use. Raises MissingExtra where pydantic is missing, which ``what`` needs."""
    return needs_library(what, "pydantic", extra=extra, module="pydantic")


def read_model(
    model: type[_Model], text: str, name: str, *, parse_float: Callable[[str], object] = float, toml_hint: str = "",
    more_hint: str = "",
) -> _Model:  # fmt: skip
    """The model of a TOML text. ``name`` is the file's in errors. Raises ConfigError by file, line and field.

    ``more_hint`` says how to see the rest where there is more than one error: the message has the first alone.
    """
    from pydantic import ValidationError

    document = _parse(text, name, parse_float, toml_hint)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _explain(error, text, name, model, more_hint) from error


class FieldProblem(NamedTuple):
    """One error of a TOML text: the path and the line of its field, and what is wrong, without its place.

    ``subject`` is the field as a person writes it; empty where the message names it already.
    """

    path: _Path
    line: int
    message: str
    hint: str | None = None
    subject: str = ""


def model_errors(model: type[BaseModel], text: str, name: str, *, toml_hint: str = "") -> tuple[ConfigError, ...]:
    """Every error of a TOML text by its line, first line first; none where ``read_model`` gives a model."""
    try:
        problems = field_problems(model, text, name, toml_hint=toml_hint)
    except ConfigError as error:
        return (error,)  # behind an error of syntax nothing is known
    return tuple(_located(problem, name) for problem in problems)


def field_problems(model: type[BaseModel], text: str, name: str, *, toml_hint: str = "") -> tuple[FieldProblem, ...]:
    """Every error of a TOML text by its field. Raises ConfigError where it is not TOML."""
    from pydantic import ValidationError

    document = _parse(text, name, float, toml_hint)
    try:
        model.model_validate(document)
    except ValidationError as error:
        found = [_problem(one, text, model) for one in error.errors(include_url=False)]
        return tuple(sorted(found, key=lambda problem: problem.line))
    return ()


def field_error(path: _Path, complaint: str, *, got: object = None, hint: str | None = None) -> ValidationError:
    """An error of one field for a validator of a whole table to raise; ``path`` leads from there to the field."""
    from pydantic import ValidationError

    error = ConfigError(complaint, hint=hint)
    return ValidationError.from_exception_data(
        "table", [{"type": "value_error", "loc": path, "input": got, "ctx": {"error": error}}]
    )


def _parse(text: str, name: str, parse_float: Callable[[str], object], hint: str) -> dict[str, object]:
    try:
        return parse_toml(text, name, parse_float=parse_float)
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, tomllib.TOMLDecodeError):
            raise
        line, column = error_position(cause, text)
        what = printable(_lower(str(cause).partition(" (at ")[0]))
        raise ConfigError(f"{name}, line {line}, column {column}: {what}", hint=hint or None) from error


def _explain(error: ValidationError, text: str, name: str, root: type[BaseModel], more_hint: str) -> ConfigError:
    """The first error by file, line and field, and how many more there are."""
    errors = error.errors(include_url=False)
    first = _problem(_misspelled(errors) or errors[0], text, root)
    count = len(errors) - 1
    if not count:
        return _located(first, name)
    hint = "; ".join(filter(None, (first.hint, more_hint))) or None
    more = f" ({_more(count)} in this file)"
    return _located(first._replace(hint=hint), name, more)


def _more(count: int) -> str:
    # A sentence of its own, for the page in another language.
    return f"and {count} more error{'s' if count > 1 else ''}"


def _located(problem: FieldProblem, name: str, more: str = "") -> ConfigError:
    """A problem as an error by file, line and field."""
    subject = f" {problem.subject}:" if problem.subject else ""
    return ConfigError(f"{name}, line {problem.line}:{subject} {problem.message}{more}", hint=problem.hint)


def _problem(first: ErrorDetails, text: str, root: type[BaseModel]) -> FieldProblem:
    path: _Path = tuple(first["loc"])
    line, written = line_of(text, path), _written(path)
    if first["type"] == "extra_forbidden":
        known = _known_fields(root, path[:-1])
        field, table = _shown(path[-1]), _written(path[:-1]) or "the file"
        close = get_close_matches(str(path[-1])[:_MAX_SHOWN], known, n=1)
        hint = f"did you mean {close[0]}?" if close else None
        return FieldProblem(path, line, f"{table} has no field {field}; known: {', '.join(known)}", hint)
    if first["type"] == "list_type" and isinstance(first["input"], dict):
        hint = f"write [[{written}]], in double brackets"
        return FieldProblem(path, line, "one table, but there may be several", hint, written)
    cause = first.get("ctx", {}).get("error")
    return FieldProblem(path, line, _complaint(first), getattr(cause, "hint", None), written)


def _misspelled(errors: list[ErrorDetails]) -> ErrorDetails | None:
    """The unknown field beside a missing one: a misspelled name is both, and the unknown one is what is written."""
    if errors[0]["type"] != "missing":
        return None
    table = errors[0]["loc"][:-1]
    return next((one for one in errors if one["type"] == "extra_forbidden" and one["loc"][:-1] == table), None)


def _complaint(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "this field is missing"
    if detail["type"] == "model_type":
        return f"must be a table, got {_shown(detail['input'])}"
    if detail["type"] == "list_type":
        return f"must be a list, got {_shown(detail['input'])}"
    given = detail["input"]
    scalar = isinstance(given, str | int | float | bool)
    if detail["type"] == "value_error":
        text = printable(str(detail["ctx"]["error"]))
        return f"{text}, got {_shown(given)}" if scalar and text.startswith("must ") and ", got " not in text else text
    return _lower(detail["msg"].replace("Input should", "must")) + (f", got {_shown(given)}" if scalar else "")


def _written(path: _Path) -> str:
    """A path as a person writes it: ``meter[2].poll_s`` is in the second [[meter]]."""
    steps = (f"[{step + 1}]" if isinstance(step, int) else f".{printable(step, limit=_MAX_SHOWN)}" for step in path)
    return "".join(steps).removeprefix(".")


def _shown(value: object) -> str:
    """A value as Python writes it, cut to a length that can be read."""
    return printable(repr(value), limit=_MAX_SHOWN)


def _known_fields(model: type[BaseModel], path: _Path) -> list[str]:
    """The fields of the table at a path, as the file calls them."""
    for step in path:
        found = next((field for name, field in model.model_fields.items() if step in {name, field.alias}), None)
        model = (_model_in(found.annotation) if found else None) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model of a field: as it is, in a list, or beside None."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
