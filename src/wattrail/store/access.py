"""Users, tokens and the audit log in the database.

The gateway and the commands write; the process of the page reads. Each change is one transaction with its audit record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from wattrail.access import AuditRecord, Scope, Token, User
from wattrail.access.records import AUDIT_KEPT
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store.database import Cursor
from wattrail.store.engines import OwnConnection
from wattrail.store.rows import from_microseconds, microseconds

__all__ = ["AccessBook"]

MAX_AUDIT_ROWS: Final = 200_000
"""Records that are kept whatever their age: about 30 MB."""

_MAX_TEXT: Final = 200
_USED_EVERY: Final = timedelta(hours=1)
_USER: Final = "SELECT name, scope, password_hash, created_at, password_at FROM page_user"
_TOKEN: Final = "SELECT name, prefix, scope, created_at, expires_at, revoked_at, used_at FROM page_token"


class AccessBook(OwnConnection):
    """The accesses of a database that ``open_store`` has migrated. Raises StoreError."""

    def __init__(self, path: DatabaseAddress, *, read_only: bool = False) -> None:
        super().__init__(path, "the users and tokens", read_only=read_only)

    def users(self) -> tuple[User, ...]:
        """Every user, by name."""
        with self._cursor() as cursor:
            return tuple(map(_user, cursor.execute(f"{_USER} ORDER BY name")))

    def user(self, name: str) -> User | None:
        """One user."""
        with self._cursor() as cursor:
            row = cursor.execute(f"{_USER} WHERE name = ?", (name,)).fetchone()
        return None if row is None else _user(row)

    def tokens(self) -> tuple[Token, ...]:
        """Every token, also revoked and expired ones, the newest first."""
        with self._cursor() as cursor:
            return tuple(map(_token, cursor.execute(f"{_TOKEN} ORDER BY created_at DESC, prefix")))

    def token(self, token_hash: bytes) -> Token | None:
        """The token with that hash, whether it is still valid or not."""
        with self._cursor() as cursor:
            row = cursor.execute(f"{_TOKEN} WHERE hash = ?", (token_hash,)).fetchone()
        return None if row is None else _token(row)

    def is_open_to_anyone(self, now: datetime) -> bool:
        """Whether there is a user, or a token that is valid now."""
        return bool(self.users()) or any(token.is_valid(now) for token in self.tokens())

    def add_user(self, user: User, audit: AuditRecord) -> None:
        """A new user. Raises StoreError where the name is taken."""
        with self._transaction() as cursor:
            if cursor.execute("SELECT 1 FROM page_user WHERE name = ?", (user.name,)).fetchone():
                raise StoreError(f"there is a user {user.name!r} already", hint=f"wattrail user passwd {user.name}")
            cursor.execute(
                "INSERT INTO page_user (name, scope, password_hash, created_at, password_at) VALUES (?, ?, ?, ?, ?)",
                (user.name, user.scope, user.password_hash, *map(microseconds, (user.created_at, user.password_at))),
            )
            _record(cursor, audit)

    def set_password(self, name: str, password_hash: str, audit: AuditRecord) -> None:
        """Another password, from the moment of the record; it ends every session. Raises StoreError."""
        with self._transaction() as cursor:
            # Later in any case: a session is good for one moment of the password, and the clock may have been set back.
            cursor.execute(
                "UPDATE page_user SET password_hash = ?, password_at = MAX(password_at + 1, ?) WHERE name = ?",
                (password_hash, microseconds(audit.at), name),
            )
            self._require_change(cursor, f"user {name!r}")
            _record(cursor, audit)

    def replace_hash(self, name: str, old: str, new: str) -> None:
        """The same password under newer parameters; does nothing where the hash is no longer ``old``."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE page_user SET password_hash = ? WHERE name = ? AND password_hash = ?", (new, name, old)
            )

    def remove_user(self, name: str, audit: AuditRecord) -> None:
        """Remove a user, which ends every session of theirs. Raises StoreError where there is none."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM page_user WHERE name = ?", (name,))
            self._require_change(cursor, f"user {name!r}")
            _record(cursor, audit)

    def add_token(self, token: Token, token_hash: bytes, audit: AuditRecord) -> None:
        """A new token. Raises StoreError where a token that is not revoked has the name."""
        with self._transaction() as cursor:
            if cursor.execute(
                "SELECT 1 FROM page_token WHERE name = ? AND revoked_at IS NULL", (token.name,)
            ).fetchone():
                raise StoreError(
                    f"there is a token {token.name!r} already",
                    hint=f"give this one another name, or revoke that one first: wattrail token revoke {token.name}",
                )
            cursor.execute(
                "INSERT INTO page_token (prefix, name, hash, scope, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    token.prefix, token.name, token_hash, token.scope, microseconds(token.created_at),
                    microseconds(token.expires_at),
                ),
            )  # fmt: skip
            _record(cursor, audit)

    def revoke_token(self, name: str, audit: AuditRecord) -> None:
        """Revoke a token by its name or prefix, at the moment of the record. Raises StoreError where there is none."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE page_token SET revoked_at = ? WHERE revoked_at IS NULL AND ? IN (name, prefix)",
                (microseconds(audit.at), name),
            )
            self._require_change(cursor, f"token {name!r} that is not revoked")
            _record(cursor, audit)

    def mark_used(self, prefix: str, at: datetime) -> None:
        """A token was used; stored once an hour."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE page_token SET used_at = ? WHERE prefix = ? AND COALESCE(used_at, 0) <= ?",
                (microseconds(at), prefix, microseconds(at - _USED_EVERY)),
            )

    def record(self, audit: AuditRecord) -> None:
        """Add a record to the audit log, and remove those that are too old or too many."""
        with self._transaction() as cursor:
            _record(cursor, audit)

    def audit(self, limit: int, *, before: int | None = None, action: str | None = None) -> tuple[AuditRecord, ...]:
        """The newest records, newest first: all, or those with an id below ``before``, or of one action."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT id, at, who, origin, action, subject, result FROM audit "
                "WHERE id < COALESCE(?, id + 1) AND action = COALESCE(?, action) ORDER BY id DESC LIMIT ?",
                (before, action, limit),
            ).fetchall()
        return tuple(
            AuditRecord(
                id=int(number), at=from_microseconds(at), who=str(who), origin=str(origin), action=str(action),
                subject=str(subject), result=str(result),
            )
            for number, at, who, origin, action, subject, result in rows
        )  # fmt: skip

    def _require_change(self, cursor: Cursor, what: str) -> None:
        if cursor.rowcount < 1:
            raise StoreError(f"there is no {what} in {self._path}", hint="wattrail user list and token list show all")


def _record(cursor: Cursor, audit: AuditRecord) -> None:
    row = cursor.execute(
        "INSERT INTO audit (at, who, origin, action, subject, result) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            microseconds(audit.at),
            *(text[:_MAX_TEXT] for text in (audit.who, audit.origin, audit.action, audit.subject, audit.result)),
        ),
    ).fetchone()
    cursor.execute("DELETE FROM audit WHERE at < ?", (microseconds(audit.at - AUDIT_KEPT),))
    cursor.execute("DELETE FROM audit WHERE id <= ?", (int(row[0]) - MAX_AUDIT_ROWS,))


def _user(row: tuple[Any, ...]) -> User:
    name, scope, password_hash, created_at, password_at = row
    return User(
        name=str(name), scope=Scope(scope), password_hash=str(password_hash), created_at=from_microseconds(created_at),
        password_at=from_microseconds(password_at),
    )  # fmt: skip


def _token(row: tuple[Any, ...]) -> Token:
    name, prefix, scope, created_at, expires_at, revoked_at, used_at = row
    return Token(
        name=str(name), prefix=str(prefix), scope=Scope(scope), created_at=from_microseconds(created_at),
        expires_at=from_microseconds(expires_at), revoked_at=_moment(revoked_at), used_at=_moment(used_at),
    )  # fmt: skip


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)
