"""What the page may ask the gateway to do, by name; ``web.gateway_calls`` carries the calls.

The page's process has no writable database and reads no configuration: it is the one that talks to strangers. What it
may have written down is here; larger actions have modules of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from wattrail.access import AuditRecord, Scope, Token, User
from wattrail.access.passwords import check_password, hash_password
from wattrail.access.records import check_access_name
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.app.accuracy_actions import AccuracyActions
from wattrail.app.calibration_actions import CalibrationActions, Recalibrate
from wattrail.app.gateway_health import GatewayHealth
from wattrail.app.settings_actions import settings_actions
from wattrail.errors import ConfigError, LedgerError
from wattrail.gateway import Feed
from wattrail.ledger import EnergyDirection, Entry, LedgerSlice, Statement, StatementKind, kept_before
from wattrail.sanitize import printable
from wattrail.store import Store
from wattrail.store.access import AccessBook
from wattrail.web.gateway_calls import Action
from wattrail.web.problems import ProblemDetails, RequestRefused

if TYPE_CHECKING:
    from wattrail.app.settings import Settings

__all__ = ["ledger_actions", "page_actions"]

_hashing: Final = threading.Lock()
"""A hash takes 64 MiB and a core, so one is computed at a time."""


class _KeptBefore(Exception):
    """The statement is kept already."""


def page_actions(
    store: Store, feed: Feed, health: GatewayHealth, recalibrate: Recalibrate, *, settings: Settings | None = None
) -> Mapping[str, Action]:
    """The table of actions; each is called in a thread of its own, with the arguments that the page gave.

    ``recalibrate`` scales meters by what is kept now; see ``Gateway``.
    """
    return {
        **_access_actions(store),
        **settings_actions(settings),
        **health.actions(),
        **ledger_actions(store, feed.now),
        **CalibrationActions(store, feed, recalibrate).actions(),
        **AccuracyActions(feed).actions(),
    }


# ---- users and tokens


def _access_actions(store: Store) -> Mapping[str, Action]:
    """Users and tokens: what ``wattrail user`` and ``wattrail token`` do."""

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
        # Only its hash is kept: the token is shown this once.
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


# ---- manual entries


def ledger_actions(store: Store, now: Callable[[], datetime]) -> Mapping[str, Action]:
    """Manual entries of a meter's ledger, each with the number that its preview named."""
    return {"ledger.state": lambda arguments: _state(store, now(), arguments)}


def _state(store: Store, at: datetime, arguments: Mapping[str, Any]) -> dict[str, object]:
    """Keep a manual entry under its number. The same statement under the same number is kept once."""
    name, number, statement = arguments["meter"], arguments["number"], _statement(arguments)
    row = store.meter(name)
    if row is None:
        raise RequestRefused(ProblemDetails("not-found", f"nothing is stored of a meter {printable(name, limit=64)!r}"))

    def make(ledger_slice: LedgerSlice) -> Entry:
        following = len(ledger_slice.stated) + 1
        if number == following:
            return statement.entry(ledger_slice, at)
        if kept_before(statement, ledger_slice, number) is not None:
            raise _KeptBefore
        raise RequestRefused(_overtaken(ledger_slice, number, following))

    try:
        entry = store.state(row.id, make)
    except _KeptBefore:
        return {"number": number, "is_new": False}
    except LedgerError as error:
        raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error
    return {"number": entry.sequence, "is_new": True}


def _overtaken(ledger_slice: LedgerSlice, number: int, following: int) -> ProblemDetails:
    if number > following:
        return ProblemDetails("conflict", f"the next manual entry is {following}, not {number}")
    other = ledger_slice.stated[number - 1]
    return ProblemDetails(
        "conflict", f"manual entry {number} is another one, which {other.who} stated meanwhile: {other.note}",
        "look at the preview again: the registers have changed",
    )  # fmt: skip


def _statement(arguments: Mapping[str, Any]) -> Statement:
    direction = arguments.get("direction")
    return Statement(
        kind=StatementKind(arguments["kind"]), who=arguments["who"], reason=arguments["reason"],
        import_mwh=arguments["import_mwh"], export_mwh=arguments["export_mwh"], about=arguments["about"],
        direction=EnergyDirection(direction) if direction else None,
    )  # fmt: skip
