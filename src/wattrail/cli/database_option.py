"""``--database``: a file, or the URL of a database on a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.errors import UrlError

__all__ = ["DatabaseOption"]


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
