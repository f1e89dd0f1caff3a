"""Reads the body of a request before the application does: bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Final

from wattrail.web import limits
from wattrail.web.asgi import App, Message, Receive, RequestScope, Send, headers_of
from wattrail.web.problems import ProblemDetails, RequestRefused, send_problem

__all__ = ["BoundedBody", "file_under_way"]

_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})


class BoundedBody:
    """Passes requests on with their whole body, or refuses them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._under_way: set[str] = set()

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if not limits.body_limit(path).is_single:
            await self._bounded(scope, receive, send)
        elif path in self._under_way:
            await self._turned_away(scope, receive, send)
        else:
            self._under_way.add(path)
            try:
                await self._bounded(scope, receive, send)
            finally:
                self._under_way.discard(path)

    @staticmethod
    async def _turned_away(scope: RequestScope, receive: Receive, send: Send) -> None:
        """Refuse a file after it was sent, and not kept: who is cut off while sending often does not see the answer."""
        problem = file_under_way()
        try:  # what is too large or too slow besides is refused for that
            await _read(scope, receive, keeps=False)
        except RequestRefused as refused:
            problem = refused.problem
        await send_problem(send, scope["path"], problem)

    async def _bounded(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(scope, receive)
        except RequestRefused as refused:
            await send_problem(send, scope["path"], refused.problem)
            return
        await self._app(scope, _given(body, receive), send)


def file_under_way() -> ProblemDetails:
    """The answer to whoever sends a large file while another one is looked at."""
    return ProblemDetails("unavailable", "another file is looked at just now", "send it again in a few seconds")


async def _read(scope: RequestScope, receive: Receive, *, keeps: bool = True) -> bytes:
    headers, limit = headers_of(scope), limits.body_limit(scope["path"])
    length = headers.get("content-length", "0").strip()
    has_body = bool(length.strip("0")) or "transfer-encoding" in headers
    if not has_body:
        return b""
    if scope["method"] in _WITHOUT_BODY:
        raise RequestRefused(ProblemDetails("too-large", "a request has no body here"))
    # A body in chunks says no length: it counts as 0 here, and is measured as it comes.
    if not length.isdecimal() or int(length) > limit.max_bytes:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(limit.timeout_s):
            return await _whole(receive, limit, keeps=keeps)
    except TimeoutError:
        raise RequestRefused(
            ProblemDetails("too-slow", f"the body was not whole after {limit.timeout_s:g} s")
        ) from None


async def _whole(receive: Receive, limit: limits.BodyLimit, *, keeps: bool) -> bytes:
    body, length = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        part = message.get("body", b"")
        length += len(part)
        if length > limit.max_bytes:
            raise _too_large(limit)
        if keeps:
            body += part
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: limits.BodyLimit) -> RequestRefused:
    return RequestRefused(ProblemDetails("too-large", f"a body has at most {limit.max_bytes} bytes here"))


def _given(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what comes: the end of the connection."""
    given = False

    async def receive_whole() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_whole
