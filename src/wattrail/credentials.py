"""Users and passwords of meters, brokers and servers: from the environment, a secrets file, or the system's store.

They never stand in a URL. A source has a login name, ``login=NAME`` in its URL and the host if left out, and that name
is looked up in this order:

    environment   WATTRAIL_LOGIN_<NAME>=user:password, the name in capitals, every other character than A-Z0-9 as _
    secrets file  TOML, a table for each name with ``user`` and ``password``; nobody else may read it (mode 0600)
    keyring       service "wattrail", the name as user; the password, or user:password
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wattrail.errors import ConfigError, FileError, MissingExtra
from wattrail.files import parse_toml, read_text
from wattrail.sanitize import printable, secret_forms
from wattrail.whole_file import whole_file

__all__ = ["Credentials", "Secrets", "default_secrets_file", "keep_in_file", "keep_in_keyring"]

_FILE_VARIABLE: Final = "WATTRAIL_SECRETS"
_PREFIX: Final = "WATTRAIL_LOGIN_"
_KEYRING_SERVICE: Final = "wattrail"
_READABLE_BY_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password; no text that is made of it shows the password."""

    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.user}:***"

    @property
    def forms(self) -> tuple[str, ...]:
        """What must be shown and stored nowhere: the password in every form that a peer may give back."""
        return secret_forms(self.user, self.password)


def default_secrets_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that ``WATTRAIL_SECRETS`` names, else secrets.toml in the user's configuration folder."""
    if named := environment.get(_FILE_VARIABLE):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("wattrail", appauthor=False) / "secrets.toml"


class Secrets:
    """Looks logins up by name. The file is read at the first look, and again only by another ``Secrets``."""

    def __init__(
        self,
        *,
        file: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        uses_keyring: bool = True,
    ) -> None:
        self._file = default_secrets_file(environment) if file is None else file
        self._environment = environment
        self._uses_keyring = uses_keyring
        self._tables: Mapping[str, object] | None = None

    @classmethod
    def none(cls) -> Secrets:
        """Knows no login, and looks nowhere."""
        nothing = cls(file=Path(os.devnull), environment={}, uses_keyring=False)
        nothing._tables = {}
        return nothing

    def find(self, name: str, *, default_user: str = "") -> Credentials | None:
        """The login of that name, or None. ``default_user`` stands in where only a password is stored.

        Raises ConfigError for a secrets file that others may read, or whose content does not fit.
        """
        return (
            self._from_environment(name, default_user)
            or self._from_file(name, default_user)
            or (self._from_keyring(name, default_user) if self._uses_keyring else None)
        )

    def required(self, name: str) -> Credentials:
        """The login of that name. Raises ConfigError where none is stored, and as ``find``."""
        if (found := self.find(name)) is None:
            raise ConfigError(
                f"no login {name!r} is stored", hint="store it as docs/sources.md, credentials, describes"
            )
        return found

    def _from_environment(self, name: str, default_user: str) -> Credentials | None:
        text = self._environment.get(_PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper()))
        return None if text is None else _pair(text, default_user)

    def _from_file(self, name: str, default_user: str) -> Credentials | None:
        if self._tables is None:
            self._tables = self._read()
        table = self._tables.get(name)
        if table is None:
            return None
        user = table.get("user", default_user) if isinstance(table, Mapping) else None
        password = table.get("password") if isinstance(table, Mapping) else None
        if not isinstance(user, str) or not isinstance(password, str):
            raise ConfigError(
                f"{self._file}: [{printable(name)}] needs password, and user, as text",
                hint=f'write [{printable(name)}], user = "…" and password = "…" on three lines',
            )
        return Credentials(user, password)

    def _read(self) -> Mapping[str, object]:
        try:
            mode = self._file.stat().st_mode
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise FileError(f"{self._file} cannot be read: {error.strerror}") from error
        if os.name == "posix" and mode & _READABLE_BY_OTHERS:
            raise ConfigError(
                f"{self._file} has mode {stat.S_IMODE(mode):04o}: others may read its passwords; expected 0600",
                hint=f"type: chmod 600 {self._file}",
            )
        try:
            return parse_toml(read_text(self._file), str(self._file))
        except ConfigError:
            # Not chained: the parser quotes what it stumbled over, which may be a password.
            raise ConfigError(f"{self._file} is not TOML", hint="docs/sources.md has an example") from None

    def _from_keyring(self, name: str, default_user: str) -> Credentials | None:
        try:
            import keyring
            import keyring.errors
        except ImportError:
            return None
        try:
            text = keyring.get_password(_KEYRING_SERVICE, name)
        except keyring.errors.KeyringError:  # none on this machine, or locked: as if it were empty
            return None
        return None if text is None else _pair(text, default_user)


def keep_in_file(name: str, login: Credentials, file: Path | None = None) -> Path:
    """Add a login to the secrets file, which is made for its owner alone (mode 0600) where there is none.

    Gives its path. Raises ConfigError for a name that is taken and for what ``Secrets`` refuses, FileError.
    """
    path = default_secrets_file() if file is None else file
    secrets = Secrets(file=path, environment={}, uses_keyring=False)
    tables = secrets._read()
    if name in tables:
        raise ConfigError(
            f"{path}: [{printable(name)}] is there already", hint="take another name, or remove its lines from the file"
        )
    before = read_text(path) if path.exists() else ""
    lines = [
        f"[{json.dumps(name)}]",
        f"user = {json.dumps(login.user)}",
        f"password = {json.dumps(login.password)}",
        "",
    ]
    text = "\n".join([*([before.rstrip("\n"), ""] if before.strip() else []), *lines])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, replace=True, mode=0o600) as out:
            out.write(text.encode("utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    return path


def keep_in_keyring(name: str, login: Credentials) -> None:
    """Put a login into the system's password store.

    Raises ConfigError for a name that is taken, FileError where the store refuses, MissingExtra.
    """
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise MissingExtra("the system's password store", library="keyring", extra="keyring") from error
    try:
        if keyring.get_password(_KEYRING_SERVICE, name) is not None:
            raise ConfigError(f"keyring: {printable(name)} is there already", hint="take another name")
        keyring.set_password(_KEYRING_SERVICE, name, f"{login.user}:{login.password}")
    except keyring.errors.KeyringError as error:
        raise FileError(f"keyring: the login cannot be kept: {type(error).__name__}") from None


def _pair(text: str, default_user: str) -> Credentials:
    user, colon, password = text.partition(":")
    return Credentials(user, password) if colon else Credentials(default_user, user)
