"""What is known of this machine and of the logins on it: it is removed even where it looks like any other word."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Final

from wattrail.app.doctor import Surroundings
from wattrail.errors import ConfigError, FileError
from wattrail.files import parse_toml, read_text
from wattrail.redaction import EVERYBODY, Private, PrivateKind

__all__ = ["known_values"]

_LOGIN: Final = "WATTRAIL_LOGIN_"
_LOCAL: Final = frozenset({"localhost", "localhost.localdomain"})
_USER_VARIABLES: Final = ("USER", "LOGNAME", "SUDO_USER", "USERNAME")


def known_values(around: Surroundings, environment: Mapping[str, str] = os.environ) -> Iterator[Private]:
    """Names of host and users, hardware addresses, identities of the machine, every login that wattrail would use."""
    for host in {socket.gethostname(), socket.getfqdn(), socket.gethostname().partition(".")[0]} - _LOCAL:
        yield Private(PrivateKind.HOST, host)
    for user in {*_users(), *(environment.get(name, "") for name in _USER_VARIABLES), Path.home().name} - EVERYBODY:
        yield Private(PrivateKind.USER, user)
    for file in sorted(around.sys.glob("class/net/*/address")):
        with suppress(OSError):
            address = file.read_text().strip()
            if address.strip("0:"):
                yield Private(PrivateKind.HARDWARE, address)
    for name in ("machine-id", "hostname"):
        with suppress(OSError):
            kind = PrivateKind.HOST if name == "hostname" else PrivateKind.SERIAL
            yield Private(kind, (around.etc / name).read_text().strip())
    yield from _logins(around.secrets, environment)


def _users() -> Iterator[str]:
    """The one who runs this. A system without a database of users has none."""
    with suppress(ImportError, KeyError):
        user = import_module("pwd").getpwuid(os.geteuid())
        yield user.pw_name
        yield user.pw_gecos.partition(",")[0]


def _logins(file: Path, environment: Mapping[str, str]) -> Iterator[Private]:
    for name, text in environment.items():
        if name.startswith(_LOGIN):
            user, colon, password = text.partition(":")
            yield from _login(user if colon else "", password if colon else user)
    try:
        tables = parse_toml(read_text(file), str(file)) if file.exists() else {}
    except (ConfigError, FileError, OSError):
        return  # it cannot be used either; the doctor says so
    for host, table in tables.items():
        yield Private(PrivateKind.HOST, host)
        if isinstance(table, Mapping):
            yield from _login(str(table.get("user", "")), str(table.get("password", "")))


def _login(user: str, password: str) -> Iterator[Private]:
    if user not in EVERYBODY:
        yield Private(PrivateKind.USER, user)
    yield Private(PrivateKind.KEY, password)
