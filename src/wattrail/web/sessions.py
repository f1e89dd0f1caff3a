"""PageSessions of people who signed in: kept in memory, known by the hash of a cookie, bounded in number and time."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from wattrail.access import User
from wattrail.clock import Clock

__all__ = ["SESSION_LASTS", "PageSession", "PageSessions", "cookie_name"]

SESSION_LASTS: Final = timedelta(days=7)
"""From signing in, whatever happens."""

IDLE_S: Final = 12 * 3600.0
"""From the last request."""

_MAX_SESSIONS: Final = 1000
_MAX_OF_A_USER: Final = 20


def cookie_name(*, is_secure: bool) -> str:
    """The name of the cookie; under TLS a browser then takes it from this host alone, and only with Secure."""
    return "__Host-wattrail" if is_secure else "wattrail"


@dataclass(slots=True)
class PageSession:
    """One browser that signed in. ``password_at`` is that of the user then: another one ends the session."""

    user: str
    password_at: datetime
    expires_at: datetime
    ends_at: float
    used_at: float


class PageSessions:
    """All sessions. In the event loop of the page's process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # In memory: this process has no writable database, and what one would save is a login after an update.
        self._sessions: OrderedDict[bytes, PageSession] = OrderedDict()

    def open(self, user: User) -> tuple[str, PageSession]:
        """A new session, and the secret of its cookie."""
        now, secret = self._clock.monotonic(), secrets.token_urlsafe(32)
        session = PageSession(
            user.name, user.password_at, self._clock.now() + SESSION_LASTS, now + SESSION_LASTS.total_seconds(), now
        )
        of_user = [key for key, one in self._sessions.items() if one.user == user.name]
        for key in of_user[: len(of_user) + 1 - _MAX_OF_A_USER]:
            del self._sessions[key]
        while len(self._sessions) >= _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        self._sessions[_key(secret)] = session
        return secret, session

    def find(self, secret: str) -> PageSession | None:
        """The session of a cookie, which now is used; None for one that has ended or never was."""
        key, now = _key(secret), self._clock.monotonic()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now >= session.ends_at or now - session.used_at >= IDLE_S:
            del self._sessions[key]
            return None
        session.used_at = now
        return session

    def end(self, secret: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_key(secret), None)


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
