"""The base of every table of a TOML file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

__all__ = ["FILE", "METER", "WRITE_ONLY", "Section", "form_hint", "one_of"]


def form_hint(**more: Any) -> FieldInfo:  # noqa: ANN401 any JSON
    """More about a field in its JSON schema, for the form of the page; nothing is checked by it."""
    found: FieldInfo = Field(json_schema_extra=more)
    return found


def one_of(names: Iterable[str]) -> FieldInfo:
    """The values among which a form lets choose."""
    return form_hint(enum=[str(name) for name in names])


FILE: Final = form_hint(format="file")
"""The field is the path of a file."""

METER: Final = form_hint(format="meter")
"""The field names a meter."""

WRITE_ONLY: Final = form_hint(writeOnly=True)
"""The value may be a secret: it is written, and never shown."""


class Section(BaseModel):
    """A table: types are taken as written, without conversion, and unknown fields are errors.

    The text below a field says what it is for; its form on the page shows it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)
