"""Where a database is: a file of this machine, or a schema of a PostgreSQL server by its URL.

``postgresql://host:port/database?schema=wattrail``. No user and no password stand in it, so it may be shown, logged and
stored as it is: docs/store.md says where they are looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.errors import UrlError
from wattrail.urls import Option, choice, read_options, split

__all__ = ["DatabaseAddress", "PostgresAddress", "is_there", "parse_address"]

_SCHEMES: Final = ("postgresql", "postgres")
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_EXAMPLE: Final = "postgresql://host/database, or postgresql:///database for a server on this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """A schema of a database on a PostgreSQL server. What is empty or None is left to libpq and its environment.

    ``host`` may be the folder of a server's socket; ``login`` is a name in the secrets file.
    """

    host: str = ""
    port: int | None = None
    database: str = ""
    schema: str = "wattrail"
    user: str = ""
    login: str = ""
    service: str = ""
    sslmode: str = ""
    sslrootcert: str = ""

    def __str__(self) -> str:
        """The URL, in which nothing is secret."""
        is_folder = self.host.startswith("/")
        host = "" if is_folder else f"[{self.host}]" if ":" in self.host else self.host
        options = {
            "host": self.host if is_folder else "", "schema": "" if self.schema == "wattrail" else self.schema,
            **{name: getattr(self, name) for name in ("user", "login", "service", "sslmode", "sslrootcert")},
        }  # fmt: skip
        query = "&".join(f"{name}={value}" for name, value in options.items() if value)
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{host}{port}/{self.database}" + (f"?{query}" if query else "")


DatabaseAddress = Path | PostgresAddress


def _schema(text: str) -> str:
    if not _NAME.fullmatch(text) or text.startswith("pg_"):
        raise ValueError("must be a name of small letters, digits and underscores")
    return text


def _folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("must be the folder of a socket; the name of a host stands after the slashes")
    return text


_OPTIONS: Final = (
    Option("schema", _schema, "wattrail", "the schema that holds the tables; another for each gateway"),
    Option("host", _folder, "", "the folder of the server's socket, as /run/postgresql"),
    Option("user", str, "", "the role at the server; that of the login, else PGUSER, else the user of this process"),
    Option("login", str, "", "name of the login in the secrets file; the host if left out"),
    Option("service", str, "", "a service of pg_service.conf"),
    Option("sslmode", choice(*_SSL_MODES), "", "verify-full over a network"),
    Option("sslrootcert", str, "", "the certificate of the authority, or system"),
)


def parse_address(text: str) -> DatabaseAddress:
    """A path, or the URL of a database on a server. Raises UrlError for a URL that is neither complete nor known."""
    scheme, colon, _ = text.partition(":")
    if not colon or scheme.lower() not in _SCHEMES:
        if "://" in text:
            raise UrlError(f"{scheme!r} is not a kind of database that is known", hint=f"write a path, or {_EXAMPLE}")
        return Path(text)
    url = split(text)
    options = {name: str(value) for name, value in read_options(url, _OPTIONS).items()}
    database, host = url.path.removeprefix("/"), options.pop("host") or url.host
    if not (database or options["service"]) or "/" in database:
        raise UrlError(f"{str(url)!r} does not name one database", hint=f"write {_EXAMPLE}")
    return PostgresAddress(host=host, port=url.port, database=database, **options)


def is_there(address: DatabaseAddress) -> bool:
    """Whether a file is there. What a server holds is seen when it is opened."""
    return not isinstance(address, Path) or address.is_file()
