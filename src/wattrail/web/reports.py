"""What the page's process asks the gateway to write down: it has no writable database itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from wattrail.access import AuditRecord, Token, User
from wattrail.clock import Clock
from wattrail.database_address import DatabaseAddress
from wattrail.sanitize import printable
from wattrail.store.access import AccessBook

__all__ = ["Reports", "apply_report"]

_MAX_FAILURES: Final = 60
"""Failures of strangers that are written down in a minute; the others are counted. What succeeds is always written."""

_WINDOW_S: Final = 60.0
_USED_EVERY: Final = timedelta(hours=1)
_MAX_TEXT: Final = 200
_MAX_HASH: Final = 200
_TEXTS: Final = ("who", "origin", "action", "subject", "result")


class Reports:
    """Sends messages to the gateway by ``send``, which takes the fields of one."""

    def __init__(self, send: Callable[..., object], clock: Clock) -> None:
        self._send, self._clock = send, clock
        self._used: dict[str, datetime] = {}
        self._window = -_WINDOW_S
        self._failures = 0

    def done(self, who: str, origin: str, action: str, subject: str = "", result: str = "done") -> None:
        """Something was done."""
        self._record(who, origin, action, subject, result)

    def failed(self, who: str, origin: str, action: str, subject: str, result: str) -> None:
        """Something was refused."""
        now = self._clock.monotonic()
        if now - self._window >= _WINDOW_S:
            if (left_out := self._failures - _MAX_FAILURES) > 0:
                self._record("", "", "failures left out", "", f"{left_out} more within a minute")
            self._window, self._failures = now, 0
        self._failures += 1
        if self._failures <= _MAX_FAILURES:
            self._record(who, origin, action, subject, result)

    def hash_replaced(self, user: User, new: str) -> None:
        """A password has a hash under newer parameters."""
        self._send(rehash={"name": user.name, "old": user.password_hash, "new": new})

    def token_used(self, token: Token, at: datetime) -> None:
        """A token was used; reported once an hour."""
        last = self._used.get(token.prefix, token.used_at)
        if last is None or at - last >= _USED_EVERY:
            self._used[token.prefix] = at
            self._send(used={"prefix": token.prefix, "at": at.isoformat()})

    def _record(self, who: str, origin: str, action: str, subject: str, result: str) -> None:
        texts = zip(_TEXTS, (who, origin, action, subject, result), strict=True)
        short = {name: printable(text, limit=_MAX_TEXT) for name, text in texts}
        self._send(audit={**short, "at": self._clock.now().isoformat()})


def apply_report(message: Mapping[str, Any], database: DatabaseAddress) -> None:
    """Write down what the page reports, in the gateway's process.

    Reports are few, so each opens the database for itself. Raises ValueError for what cannot be meant, StoreError.
    """
    if not {"audit", "rehash", "used"} & message.keys():
        return
    with AccessBook(database) as book:
        _apply(message, book)


def _apply(message: Mapping[str, Any], writer: AccessBook) -> None:
    try:
        if (audit := message.get("audit")) is not None:
            who, origin, action, subject, result = (str(audit[name]) for name in _TEXTS)
            writer.record(
                AuditRecord(
                    at=_moment(audit["at"]), who=who, origin=origin, action=action, subject=subject, result=result
                )
            )
        if (rehash := message.get("rehash")) is not None:
            name, old, new = (str(rehash[key]) for key in ("name", "old", "new"))
            if not new.startswith("$argon2id$") or len(new) > _MAX_HASH:
                raise ValueError("this is not a hash of a password")
            writer.replace_hash(name, old, new)
        if (used := message.get("used")) is not None:
            writer.mark_used(str(used["prefix"]), _moment(used["at"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a report without {error}") from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
