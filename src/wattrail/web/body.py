"""Reads the body of a request before the application does: bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Final

from wattrail.web import limits
from wattrail.web.asgi import App, Message, Receive, RequestScope, Send, headers_of
from wattrail.web.problems import ProblemDetails, RequestRefused, send_problem

__all__ = ["BoundedBody"]

_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})


class BoundedBody:
    """Passes requests on with their whole body, or refuses them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(scope, receive)
        except RequestRefused as refused:
            await send_problem(send, scope["path"], refused.problem)
            return
        await self._app(scope, _given(body, receive), send)


async def _read(scope: RequestScope, receive: Receive) -> bytes:
    headers = headers_of(scope)
    length = headers.get("content-length", "0").strip()
    has_body = bool(length.strip("0")) or "transfer-encoding" in headers
    if not has_body:
        return b""
    if scope["method"] in _WITHOUT_BODY:
        raise RequestRefused(ProblemDetails("too-large", "a request has no body here"))
    if not length.isdecimal() or int(length) > limits.MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            return await _whole(receive)
    except TimeoutError:
        raise RequestRefused(
            ProblemDetails("too-slow", f"the body was not whole after {limits.BODY_TIMEOUT_S:g} s")
        ) from None


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limits.MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _too_large() -> RequestRefused:
    return RequestRefused(ProblemDetails("too-large", f"a body has at most {limits.MAX_BODY_BYTES} bytes here"))


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
