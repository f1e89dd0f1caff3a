"""Checks every request before the application sees it.

A browser sends requests of any page to 127.0.0.1. Two checks keep foreign pages out without a password. The Host header
must be an address or local name of this machine, which refuses a foreign name that points here (DNS rebinding). An
Origin header must name our own page. One request changes something: POST acknowledges an alarm, and is taken from this
machine only. Other methods than GET and HEAD are refused, and so are bodies.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any, Final

__all__ = ["SECURITY_HEADERS", "Guard"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
_Headers = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Final[_Headers] = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),  # for browsers that do not know frame-ancestors
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Headers of every answer: scripts come only from our own files, and no other page may frame or embed ours."""

_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
_ACKNOWLEDGE: Final = re.compile(r"/api/v1/alarms/[0-9]{1,18}/acknowledge")
"""The only path that takes POST."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?P<authority>[^/?#@\s]+)", re.IGNORECASE)


class Guard:
    """Refuses bad requests, and adds the security headers to every answer."""

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send, api=scope["path"].startswith("/api"))
        refusal = _refusal(scope)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _head_only(send))
        else:
            await self._app(scope, receive, send)


def _refusal(scope: _Scope) -> tuple[int, str] | None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get("host", ""), headers.get("origin")
    if (found := _AUTHORITY.fullmatch(host)) is None or not _is_address(found["v6"]):
        return 400, "the Host header is not the name or address of a host"
    if not _is_ours(found["v6"] or found["name"]):
        return 403, "this address is not served here; use http://127.0.0.1 or this machine's own name"
    if origin is not None and origin != "null":
        sender = _ORIGIN.fullmatch(origin)
        if sender is None or _AUTHORITY.fullmatch(sender["authority"]) is None:
            return 400, "the Origin header is not an origin"
        if sender["authority"].lower() != host.lower():
            return 403, "requests of other pages are refused"
    elif origin == "null":
        return 403, "requests of other pages are refused"
    if scope["method"] == "POST" and _ACKNOWLEDGE.fullmatch(scope["path"]):
        if not _is_loopback((scope.get("client") or ("",))[0]):
            return 403, "only this machine may acknowledge an alarm: use 'wattrail alarm acknowledge' on it"
    elif scope["method"] not in {"GET", "HEAD"}:
        return 405, "only GET and HEAD are allowed: nothing can be changed here"
    if headers.get("content-length", "0").strip("0") or "transfer-encoding" in headers:
        return 413, "a request has no body here"
    return None


def _is_address(v6: str | None) -> bool:
    try:
        return v6 is None or bool(ip_address(v6))
    except ValueError:
        return False


def _is_loopback(client: str) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # a socket for both versions shows 127.0.0.1 as ::ffff:127.0.0.1
    return bool((mapped or address).is_loopback)


def _is_ours(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name.lower() in {"localhost", own, f"{own}.local"}
    return True


def _with_headers(send: _Send, *, api: bool) -> _Send:
    caching = (b"cache-control", b"no-store" if api else b"no-cache")

    async def send_with_headers(message: _Message) -> None:
        if message["type"] == "http.response.start":
            own = [*SECURITY_HEADERS, caching]
            names = {name for name, _ in own}
            kept = [header for header in message.get("headers", []) if header[0].lower() not in names]
            message = {**message, "headers": [*kept, *own]}
        await send(message)

    return send_with_headers


def _head_only(send: _Send) -> _Send:
    """Send only the head of the answer to GET, also where GET would stream without an end."""
    begun = False

    async def send_head(message: _Message) -> None:
        nonlocal begun
        if message["type"] == "http.response.start":
            begun = True
            await send(message)
            await send({"type": "http.response.body", "body": b""})
        elif not begun:
            await send(message)

    return send_head


async def _refuse(scope: _Scope, send: _Send, status: int, why: str) -> None:
    if scope["path"].startswith("/api"):
        kind, body = b"application/json", json.dumps({"detail": why}).encode()
    else:
        kind, body = b"text/plain; charset=utf-8", f"{why}\n".encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    if status in {400, 405, 413}:
        headers.append((b"connection", b"close"))  # the rest of the request is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
