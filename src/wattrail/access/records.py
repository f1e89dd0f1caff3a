"""Users, tokens and the audit log as values. Secrets are in none of them but as hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from wattrail.access.scope import Scope

__all__ = ["ACCESS_NAME", "AUDIT_KEPT", "GATEWAY_STARTED", "AuditRecord", "Token", "User", "check_access_name"]

AUDIT_KEPT: Final = timedelta(days=400)
"""How long the audit log keeps a record: a year, and time to ask about it."""

GATEWAY_STARTED: Final = "gateway started"
"""The action under which the audit log has a start of the gateway."""

ACCESS_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
"""What can be the name of a user or a token."""


def check_access_name(name: str) -> str:
    """The name of a user or a token, unchanged. Raises ValueError."""
    if not ACCESS_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a name: use letters, digits, dot, dash, underscore and @, at most 64, "
            "beginning with a letter or a digit"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who can sign in. ``password_hash`` is Argon2id; a new ``password_at`` ends every session before it."""

    name: str
    scope: Scope
    password_hash: str
    created_at: datetime
    password_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A program's key. ``prefix`` tells it apart; ``used_at`` is exact to the hour."""

    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything at that moment."""
        return self.revoked_at is None and now < self.expires_at

    def state(self, now: datetime) -> str:
        """``valid``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Who did what, from where, when, and with which result."""

    at: datetime
    who: str
    origin: str
    action: str
    subject: str = ""
    result: str = "done"
    id: int = 0
