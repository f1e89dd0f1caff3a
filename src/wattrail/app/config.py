"""Finds and reads ``wattrail.toml``; errors name file, line and field."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from wattrail.database_address import DatabaseAddress, parse_address
from wattrail.files import read_text
from wattrail.sanitize import printable
from wattrail.toml_schema import FieldProblem, field_problems, model_errors, needs_pydantic, read_model

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.errors import ConfigError

__all__ = [
    "DATABASE_NAME",
    "FILE_NAME",
    "config_errors",
    "config_problems",
    "data_dir",
    "database_of",
    "demo_database",
    "find_config",
    "load_config",
    "parse_config",
    "user_config_dir",
]

FILE_NAME: Final = "wattrail.toml"
DATABASE_NAME: Final = "wattrail.sqlite"

_TOML_HINT: Final = "text stands in quotes, numbers do not, and every [[meter]] begins a new one"


def user_config_dir() -> Path:
    """The folder for this user's configuration on this system."""
    from platformdirs import user_config_path

    return user_config_path("wattrail", appauthor=False)


def data_dir() -> Path:
    """The folder for this user's database on this system."""
    from platformdirs import user_data_path

    return user_data_path("wattrail", appauthor=False)


def database_of(config: Config | None) -> DatabaseAddress:
    """The database of real meters: the one that is configured, else this user's."""
    if config and config.store.url:
        return parse_address(config.store.url)
    return Path(config.store.path) if config and config.store.path else data_dir() / DATABASE_NAME


def demo_database() -> Path:
    """The database of the demo twin, used where no meter is configured: simulated and real energy are never mixed."""
    return data_dir() / "simulated.sqlite"


def find_config() -> Path | None:
    """The file in the working directory, else the user's own, else None."""
    here, own = Path(FILE_NAME), user_config_dir() / FILE_NAME
    # A link to nowhere counts too: it is a file that cannot be read, and not a missing configuration.
    if os.path.lexists(here):
        return here
    return own if _may_be_there(own) else None


def _may_be_there(path: Path) -> bool:
    """Also where its folder cannot be searched: no twin runs in the place of meters because of a wrong mode."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def load_config(given: Path | None = None) -> Config | None:
    """The configuration in the given file, or in the one that is found; None if there is none.

    Raises FileError, ConfigError, MissingExtra.
    """
    path = given or find_config()
    if path is None:
        return None
    return parse_config(read_text(path), printable(str(path)))


def parse_config(text: str, name: str) -> Config:
    """The configuration in a TOML text; ``name`` is the file's in errors. Raises ConfigError, MissingExtra."""
    with needs_pydantic(f"reading {name}", extra="run"):
        from wattrail.app.schema import Config

        return read_model(
            Config, text, name, toml_hint=_TOML_HINT, more_hint=f"wattrail config check {quote(name)} names every error"
        )


def config_errors(text: str, name: str) -> tuple[ConfigError, ...]:
    """Every error of a TOML text, first line first; none where ``parse_config`` takes it. Raises MissingExtra."""
    with needs_pydantic(f"reading {name}", extra="run"):
        from wattrail.app.schema import Config

        return model_errors(Config, text, name, toml_hint=_TOML_HINT)


def config_problems(text: str, name: str) -> tuple[FieldProblem, ...]:
    """The same by field. Raises ConfigError where the text is not TOML, MissingExtra."""
    with needs_pydantic(f"reading {name}", extra="run"):
        from wattrail.app.schema import Config

        return field_problems(Config, text, name, toml_hint=_TOML_HINT)
