"""The one place that decides whether a request may do what it asks for.

Each route declares the scope that it needs, beside its path. A route that declares none needs ``admin``, and a path
without a route is answered here: nothing is reached that was not looked up in this table. Every request that changes
something is written to the audit log, with its result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match

from wattrail.access import Scope
from wattrail.errors import WattrailError
from wattrail.web.asgi import App, Message, Receive, RequestScope, Send
from wattrail.web.callers import Caller, Callers, not_signed_in
from wattrail.web.page_shell import PAGES
from wattrail.web.peer import Peer
from wattrail.web.problems import ProblemDetails, RequestRefused, send_problem
from wattrail.web.query_names import refuse_unknown_names
from wattrail.web.reports import Reports

__all__ = ["Permissions", "caller_of", "declared_scope", "is_declared", "is_public", "needs", "public", "recheck"]

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., object])
_DECLARED: Final = "wattrail_scope"
_SAFE: Final = frozenset({"GET", "HEAD"})


def needs(scope: Scope) -> Callable[[_Endpoint], _Endpoint]:
    """Declare the scope of a route: the decorator below that of its path."""

    def declare(endpoint: _Endpoint) -> _Endpoint:
        endpoint.__dict__[_DECLARED] = scope
        return endpoint

    return declare


def public(endpoint: _Endpoint) -> _Endpoint:
    """Declare that a route is for everybody, also for strangers."""
    endpoint.__dict__[_DECLARED] = None
    return endpoint


def declared_scope(route: APIRoute) -> Scope:
    """What a route needs; ``admin`` where it declares nothing. Not for public routes."""
    return route.endpoint.__dict__.get(_DECLARED) or Scope.ADMIN


def is_public(route: APIRoute) -> bool:
    """Whether strangers may ask for it."""
    return route.endpoint.__dict__.get(_DECLARED, Scope.ADMIN) is None


def is_declared(route: APIRoute) -> bool:
    """Whether a route says what it needs."""
    return _DECLARED in route.endpoint.__dict__


def caller_of(request: Request) -> Caller:
    """Who sends a request, as it was decided. For routes that are not public."""
    caller: Caller = request.state.caller
    return caller


async def recheck(request: Request) -> bool:
    """Whether the sender may still do what it asked for: an answer without an end asks now and then."""
    check: Callable[[], Awaitable[bool]] = request.state.is_still_allowed
    return await check()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request asks for. ``allowed`` are the methods of a path that has not the one that was sent."""

    route: APIRoute | None
    allowed: tuple[str, ...] = ()


class Permissions:
    """Passes on what is permitted."""

    def __init__(self, app: App, routes: Sequence[BaseRoute], callers: Callers, reports: Reports) -> None:
        self._app, self._identities, self._reports = app, callers, reports
        self._routes = tuple(route for route in routes if isinstance(route, APIRoute))

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A layer of ASGI and not a dependency of FastAPI, which reads and parses the body first: that of a stranger is
        # not read at all.
        wanted, caller = self._lookup(scope), None
        try:
            caller = await self._identify(scope, wanted)
            self._require(scope, wanted, caller)
            _require_known_names(scope, wanted)
        except RequestRefused as refused:
            await self._refuse(scope, send, caller, refused.problem)
            return
        except WattrailError as error:
            await send_problem(send, scope["path"], ProblemDetails("unavailable", str(error), error.hint))
            return

        async def is_still_allowed() -> bool:
            try:
                self._require(scope, wanted, await self._identify(scope, wanted))
            except (RequestRefused, WattrailError):
                return False
            return True

        scope["state"].update(caller=caller, is_still_allowed=is_still_allowed)
        if scope["method"] not in _SAFE and wanted.route is not None and not is_public(wanted.route):
            send = self._audited(scope, caller, send)
        await self._app(scope, receive, send)

    def _lookup(self, scope: RequestScope) -> _Wanted:
        allowed: set[str] = set()
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return _Wanted(route)
            if match is Match.PARTIAL:
                allowed |= set(route.methods or ())
        return _Wanted(None, tuple(sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))))

    async def _identify(self, scope: RequestScope, wanted: _Wanted) -> Caller | None:
        try:
            return await self._identities.of(scope)
        except (RequestRefused, WattrailError):
            if wanted.route is not None and is_public(wanted.route):
                return None
            raise

    def _require(self, scope: RequestScope, wanted: _Wanted, caller: Caller | None) -> None:
        route = wanted.route
        if route is not None and is_public(route):
            return
        # First, so that strangers get one answer for what is there and what is not.
        if caller is None:
            raise RequestRefused(not_signed_in("this needs a user or a token: only this machine itself needs neither"))
        if route is None:
            raise RequestRefused(_no_route(scope, wanted.allowed))
        needed = declared_scope(route)
        if not caller.scope.includes(needed):
            raise RequestRefused(
                ProblemDetails(
                    "scope-too-small",
                    f"this needs the scope {needed}, and {caller.who} has {caller.scope}",
                    more={"needed_scope": needed},
                )
            )

    async def _refuse(self, scope: RequestScope, send: Send, caller: Caller | None, problem: ProblemDetails) -> None:
        path, peer = scope["path"], scope["state"]["peer"]
        if problem.status in {401, 403} and (scope["method"] not in _SAFE or _has_credentials(scope)):
            who = caller.who if caller else ""
            self._reports.failed(
                who, peer.address, f"{scope['method']} {path}", "", f"{problem.status} {problem.detail}"
            )
        if problem.status == 401 and _is_page(scope):
            await _send_login(send, path)
        elif problem.status == 404 and _is_page(scope):
            await _send_missing_page(send)
        else:
            await send_problem(send, path, problem)

    def _audited(self, scope: RequestScope, caller: Caller | None, send: Send) -> Send:
        peer: Peer = scope["state"]["peer"]

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                who = caller.who if caller else ""
                self._reports.done(who, peer.address, f"{scope['method']} {scope['path']}", "", str(message["status"]))
            await send(message)

        return send_audited


def _require_known_names(scope: RequestScope, wanted: _Wanted) -> None:
    if wanted.route is not None and (problem := refuse_unknown_names(wanted.route, scope.get("query_string") or b"")):
        raise RequestRefused(problem)


def _no_route(scope: RequestScope, allowed: tuple[str, ...]) -> ProblemDetails:
    if not allowed:
        return ProblemDetails("not-found", f"there is no {scope['path']}")
    return ProblemDetails(
        "method-not-allowed", f"{scope['path']} takes {' and '.join(allowed)}, got {scope['method']}",
        headers=[(b"allow", ", ".join(allowed).encode())],
    )  # fmt: skip


def _has_credentials(scope: RequestScope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


def _is_page(scope: RequestScope) -> bool:
    """Whether a person opened it in a browser: a person gets a page, a program a problem."""
    return scope["method"] == "GET" and not scope["path"].startswith(("/api", "/metrics", "/assets"))


async def _send_missing_page(send: Send) -> None:
    """Say that nothing is there, and lead back."""
    page = PAGES["missing"]
    head = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(page)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": head})
    await send({"type": "http.response.body", "body": page})


async def _send_login(send: Send, path: str) -> None:
    """Send a person to the page for signing in, and back afterwards."""
    target = f"/login?next={quote(path, safe='/')}".encode()
    await send(
        {"type": "http.response.start", "status": 303, "headers": [(b"location", target), (b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})
