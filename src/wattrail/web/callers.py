"""Who sends a request: this machine, a user with a session, or a program with a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Final, Literal, TypeVar

from fastapi.concurrency import run_in_threadpool

from wattrail.access import Scope, User
from wattrail.access.tokens import token_hash
from wattrail.clock import Clock
from wattrail.database_address import DatabaseAddress
from wattrail.store.access import AccessBook
from wattrail.web.asgi import RequestScope, headers_of
from wattrail.web.peer import Peer
from wattrail.web.problems import ProblemDetails, RequestRefused
from wattrail.web.reports import Reports
from wattrail.web.sessions import PageSessions, cookie_name

__all__ = ["Caller", "Callers", "cookie_of", "not_signed_in", "somebody_can_sign_in"]

_T = TypeVar("_T")
_MAX_COOKIES: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who it is and what it may. ``expires_at`` is when a session or a token ends by itself."""

    who: str
    kind: Literal["machine", "user", "token"]
    scope: Scope
    expires_at: datetime | None = None


_MACHINE: Final = Caller(who="this machine", kind="machine", scope=Scope.ADMIN)


class Callers:
    """Finds out who sends a request. Users and tokens are read from the database each time: a change holds at once."""

    def __init__(self, database: DatabaseAddress, sessions: PageSessions, reports: Reports, clock: Clock) -> None:
        self._database, self.sessions, self._reports, self._clock = database, sessions, reports, clock

    async def user(self, name: str) -> User | None:
        """A user of the database. Raises StoreError."""
        return await self._read(lambda book: book.user(name))

    async def has_users(self) -> bool:
        """Whether there is any user. Raises StoreError."""
        return bool(await self._read(lambda book: book.users()))

    async def of(self, scope: RequestScope) -> Caller | None:
        """The caller of a request; None for a stranger. Raises RequestRefused for a bad token, StoreError."""
        peer: Peer = scope["state"]["peer"]
        # A token that is given decides, also on this machine: a revoked one must not go on working there.
        if (given := headers_of(scope).get("authorization")) is not None:
            return await self._of_token(given)
        if (secret := cookie_of(scope)) is not None and (found := await self._of_session(secret)) is not None:
            return found
        # A program of this machine can read the database anyway; a password here would only stand in its scripts.
        return _MACHINE if peer.is_local else None

    async def _of_token(self, given: str) -> Caller:
        scheme, _, text = given.partition(" ")
        wanted = token_hash(text.strip()) if scheme.lower() == "bearer" else None
        if wanted is None:
            raise RequestRefused(not_signed_in("the header Authorization holds no token of wattrail"))
        token, now = await self._read(lambda book: book.token(wanted)), self._clock.now()
        if token is None:
            raise RequestRefused(not_signed_in("this token is not known here"))
        if not token.is_valid(now):
            raise RequestRefused(not_signed_in(f"the token {token.name!r} is {token.state(now)}"))
        self._reports.token_used(token, now)
        return Caller(who=f"token {token.name}", kind="token", scope=token.scope, expires_at=token.expires_at)

    async def _of_session(self, secret: str) -> Caller | None:
        session = self.sessions.find(secret)
        if session is None:
            return None
        # Passwords are changed in other processes. To read the row at each request costs a millisecond, and ends a
        # session of an earlier password at once.
        user = await self.user(session.user)
        if user is None or user.password_at != session.password_at:
            self.sessions.end(secret)
            return None
        return Caller(who=user.name, kind="user", scope=user.scope, expires_at=session.expires_at)

    async def _read(self, query: Callable[[AccessBook], _T]) -> _T:
        def read() -> _T:
            with AccessBook(self._database, read_only=True) as book:
                return query(book)

        return await run_in_threadpool(read)


def somebody_can_sign_in(database: DatabaseAddress) -> bool:
    """Whether there is a user, or a token that is valid now. Raises StoreError."""
    with AccessBook(database, read_only=True) as book:
        return book.is_open_to_anyone(datetime.now(UTC))


def not_signed_in(detail: str) -> ProblemDetails:
    """What a stranger is answered."""
    return ProblemDetails("not-signed-in", detail, headers=[(b"www-authenticate", b'Bearer realm="wattrail"')])


def cookie_of(scope: RequestScope) -> str | None:
    """The secret of a session's cookie, if one was sent."""
    peer: Peer = scope["state"]["peer"]
    text = headers_of(scope).get("cookie", "")
    if not text or len(text) > _MAX_COOKIES:
        return None
    try:
        found = SimpleCookie(text).get(cookie_name(is_secure=peer.is_secure))
    except CookieError:
        return None
    return found.value if found else None
