"""Options that many verbs have, each with the one sentence of its help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, Token

from wattrail.app.config import FILE_NAME, database_of, demo_database, load_config
from wattrail.clock import zone_of
from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.errors import UrlError

if TYPE_CHECKING:
    from wattrail.app.schema import Config

__all__ = [
    "BooksOptions",
    "ConfigOption",
    "DatabaseOption",
    "FoundConfigOption",
    "FromOption",
    "Json",
    "ToOption",
    "running_database",
]


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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BooksOptions:
    """Which database a verb is about, and the configuration that says so where nothing was typed."""

    database: DatabaseOption = None
    config: ConfigOption = None

    def zone(self) -> tzinfo:
        """The local time of the site. Raises ConfigError."""
        written = load_config(self.config)
        return zone_of(written.site.timezone if written else None)

    def running(self) -> DatabaseAddress:
        """The database that ``wattrail run`` takes with the same options. Raises ConfigError."""
        return self.database or running_database(load_config(self.config))


def running_database(config: Config | None) -> DatabaseAddress:
    """The database that a gateway runs on: that of the configured meters, else that of the demo twin."""
    return database_of(config) if config is not None and config.meter else demo_database()
