"""The base of every table of a TOML file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A table: types are taken as written, without conversion, and unknown fields are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
