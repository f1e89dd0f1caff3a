"""Users and tokens from the page, as actions of ``page_actions``: what ``wattrail user`` and ``wattrail token`` do."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from wattrail.access import AuditRecord, Scope, Token, User
from wattrail.access.passwords import check_password, hash_password
from wattrail.access.records import check_access_name
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.errors import ConfigError
from wattrail.store import Store
from wattrail.store.access import AccessBook

if TYPE_CHECKING:
    from wattrail.web.gateway_calls import Action

__all__ = ["access_actions"]

_hashing: Final = threading.Lock()
"""A hash takes 64 MiB and a core, so one is computed at a time."""


def access_actions(store: Store) -> dict[str, Action]:
    """The actions by name."""

    def add_user(given: Mapping[str, Any]) -> object:
        name, scope = _name(given), Scope(given["scope"])
        hashed, record = _hash(given["password"], name), _record(given, "user add", f"{name}, scope {scope}")
        with AccessBook(store.path) as book:
            user = User(name=name, scope=scope, password_hash=hashed, created_at=record.at, password_at=record.at)
            book.add_user(user, record)
        return {"name": name}

    def change_password(given: Mapping[str, Any]) -> object:
        hashed = _hash(given["password"], given["name"])
        with AccessBook(store.path) as book:
            book.set_password(given["name"], hashed, _record(given, "user passwd", given["name"]))
        return {"name": given["name"]}

    def remove_user(given: Mapping[str, Any]) -> object:
        with AccessBook(store.path) as book:
            book.remove_user(given["name"], _record(given, "user remove", given["name"]))
        return {"name": given["name"]}

    def add_token(given: Mapping[str, Any]) -> object:
        name, scope, days = _name(given), Scope(given["scope"]), int(given["days"])
        secret, record = new_token(), _record(given, "token create", f"{name}, scope {scope}, {days} days")
        token = Token(
            name=name, prefix=token_prefix(secret), scope=scope, created_at=record.at,
            expires_at=record.at + timedelta(days=days),
        )  # fmt: skip
        hashed = token_hash(secret)
        assert hashed is not None
        with AccessBook(store.path) as book:
            book.add_token(token, hashed, record)
        return {"name": name, "prefix": token.prefix, "token": secret}

    def revoke_token(given: Mapping[str, Any]) -> object:
        with AccessBook(store.path) as book:
            book.revoke_token(given["name"], _record(given, "token revoke", given["name"]))
        return {"name": given["name"]}

    return {
        "user.add": add_user, "user.passwd": change_password, "user.remove": remove_user, "token.create": add_token,
        "token.revoke": revoke_token,
    }  # fmt: skip


def _name(given: Mapping[str, Any]) -> str:
    try:
        return check_access_name(given["name"])
    except ValueError as error:
        raise ConfigError(str(error), hint="choose another name") from error


def _hash(password: str, user: str) -> str:
    try:
        checked = check_password(password, user=user)
    except ValueError as error:
        raise ConfigError(str(error), hint="choose another password") from error
    with _hashing:
        return hash_password(checked)


def _record(given: Mapping[str, Any], action: str, subject: str) -> AuditRecord:
    return AuditRecord(at=datetime.now(UTC), who=given["who"], origin=given["origin"], action=action, subject=subject)
