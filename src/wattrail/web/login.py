"""Signing in and out: ``/api/v1/session``."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from wattrail.access import Scope, User
from wattrail.access.passwords import MAX_PASSWORD, hash_password, is_outdated, matches, unknown_hash
from wattrail.access.throttle import LoginThrottle
from wattrail.clock import Clock
from wattrail.sanitize import printable
from wattrail.web.callers import Caller, Callers, cookie_of, not_signed_in
from wattrail.web.openapi import may_fail
from wattrail.web.peer import Peer
from wattrail.web.permissions import caller_of, needs, public
from wattrail.web.problems import ProblemDetails, RequestRefused
from wattrail.web.reports import Reports
from wattrail.web.sessions import SESSION_LASTS, cookie_name

__all__ = ["login_router"]

_MAX_WAITING: Final = 8
"""Logins that wait for their turn: a hash takes 64 MiB and a core, so one is computed at a time."""


class LoginJson(BaseModel):
    """A user's name and password."""

    user: Annotated[str, Field(min_length=1, max_length=64, examples=["anna"])]
    password: Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD, examples=["correct horse battery"])]


class SessionJson(BaseModel):
    """Who sends these requests, and what that one may: ``scopes`` are all that ``scope`` includes.

    ``kind`` is ``machine`` for the gateway's own machine, which needs no login; there ``expires_at`` is null.
    """

    who: str
    kind: Literal["machine", "user", "token"]
    scope: Scope
    scopes: list[Scope]
    expires_at: datetime | None


class Login:
    """Checks passwords, one at a time, and no faster than the throttle allows."""

    def __init__(self, callers: Callers, reports: Reports, clock: Clock) -> None:
        self._identities, self._reports, self._clock = callers, reports, clock
        self._throttle = LoginThrottle()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def check(self, login: LoginJson, peer: Peer) -> User:
        """The user, if the password is right. Raises RequestRefused, StoreError."""
        if self._waiting >= _MAX_WAITING:
            raise RequestRefused(_later("too many people sign in at this moment", 2))
        self._waiting += 1
        try:
            async with self._turn:
                return await self._check(login, peer)
        finally:
            self._waiting -= 1

    async def _check(self, login: LoginJson, peer: Peer) -> User:
        now = self._clock.monotonic()
        if (wait := self._throttle.wait_s(login.user, peer.address, now)) > 0:
            raise RequestRefused(_later("too many wrong passwords", int(wait) + 1))
        # For a user that does not exist a hash is computed too: the time must not tell which names there are.
        user, nobody = await self._identities.user(login.user), await run_in_threadpool(unknown_hash)
        is_right = await run_in_threadpool(matches, login.password, user.password_hash if user else nobody)
        if user is None or not is_right:
            self._throttle.fail(login.user, peer.address, now)
            name = printable(login.user, limit=64) if user else "somebody unknown"  # a password may be typed as a name
            self._reports.failed(name, peer.address, "login", "", "refused")
            raise RequestRefused(await self._refusal())
        self._throttle.succeed(login.user, peer.address)
        self._reports.done(user.name, peer.address, "login")
        if is_outdated(user.password_hash):
            self._reports.hash_replaced(user, await run_in_threadpool(hash_password, login.password))
        return user

    async def _refusal(self) -> ProblemDetails:
        if await self._identities.has_users():
            return not_signed_in("the user or the password is wrong")
        none_yet = not_signed_in("there is no user yet; make one where the gateway runs: wattrail user add NAME")
        return none_yet._replace(more={"waits_for_user": True})


def login_router(callers: Callers, reports: Reports, clock: Clock) -> APIRouter:
    """The routes of sessions."""
    router = APIRouter(prefix="/api/v1", tags=["session"])
    login = Login(callers, reports, clock)

    @router.post("/session", responses=may_fail(401, 429))
    @public
    async def sign_in(login_json: LoginJson, request: Request, response: Response) -> SessionJson:
        """Sign in with a user's name and password; the answer sets the cookie of a session.

        After five wrong passwords there is a wait that doubles, for the user and for the address.
        """
        peer: Peer = request.state.peer
        user = await login.check(login_json, peer)
        secret, session = callers.sessions.open(user)
        response.set_cookie(
            cookie_name(is_secure=peer.is_secure), secret, max_age=int(SESSION_LASTS.total_seconds()), path="/",
            secure=peer.is_secure, httponly=True, samesite="strict",
        )  # fmt: skip
        return _session_json(Caller(who=user.name, kind="user", scope=user.scope, expires_at=session.expires_at))

    @router.get("/session")
    @needs(Scope.READ)
    async def who_am_i(request: Request) -> SessionJson:
        """Who sends these requests, and what that one may."""
        return _session_json(caller_of(request))

    @router.delete("/session", status_code=204)
    @needs(Scope.READ)
    async def sign_out(request: Request, response: Response) -> None:
        """Sign out: the session ends, and its cookie is removed."""
        peer: Peer = request.state.peer
        if (secret := cookie_of(request.scope)) is not None:
            callers.sessions.end(secret)
        response.delete_cookie(
            cookie_name(is_secure=peer.is_secure), path="/", secure=peer.is_secure, httponly=True, samesite="strict"
        )

    return router


def _session_json(caller: Caller) -> SessionJson:
    return SessionJson(
        who=caller.who, kind=caller.kind, scope=caller.scope, scopes=list(caller.scope.included),
        expires_at=caller.expires_at,
    )  # fmt: skip


def _later(detail: str, seconds: int) -> ProblemDetails:
    return ProblemDetails(
        "too-many-attempts", f"{detail}: try again in {seconds} s",
        headers=[(b"retry-after", str(seconds).encode())], more={"retry_after_s": seconds},
    )  # fmt: skip
