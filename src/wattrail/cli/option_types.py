"""Options that many verbs have, each with the one sentence of its help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from wattrail.app.config import FILE_NAME
from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.errors import UrlError

__all__ = ["ConfigOption", "DatabaseOption", "FoundConfigOption", "FromOption", "Json", "ToOption"]


def _address(_type: Any, tokens: Sequence[Token]) -> DatabaseAddress:  # noqa: ANN401 cyclopts gives the type
    try:
        return parse_address(tokens[0].value)
    except UrlError as error:
        raise ValueError(f"{error}; {error.hint}" if error.hint else str(error)) from error


DatabaseOption = Annotated[
    DatabaseAddress | None,
    Parameter(
        help="Database file, or postgresql:// URL; else that of the configuration.", converter=_address, n_tokens=1,
        accepts_keys=False, metavar="FILE|URL",
    ),
]  # fmt: skip

Json = Annotated[bool, Parameter(help="Print JSON instead of text.")]

ConfigOption = Annotated[Path | None, Parameter(help="Configuration file.")]

FoundConfigOption = Annotated[Path | None, Parameter(help=f"Configuration file; else {FILE_NAME} here, else your own.")]
"""For verbs about the configuration itself, which say where one is looked for."""

FromOption = Annotated[str | None, Parameter(name="--from", help="First day or time, local.")]

ToOption = Annotated[str | None, Parameter(help="Day or time at which to end, not included.")]
