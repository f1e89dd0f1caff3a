"""Checks where a request comes from before anything else sees it.

A browser sends requests of any page to 127.0.0.1. Three checks keep foreign pages out. The Host header must be an
address, a local name of this machine, or a name of the configuration, which refuses a foreign name that points here
(DNS rebinding). An Origin header must name our own page. A request that changes something must not come from another
site by what the browser says of it, and with a cookie the browser has to say so.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from wattrail.web.asgi import App, Headers, Message, Receive, RequestScope, Send, headers_of
from wattrail.web.limits import MAX_HEAD_BYTES
from wattrail.web.peer import Peer, peer_of, proxy_networks
from wattrail.web.problems import ProblemDetails, send_problem

__all__ = ["SECURITY_HEADERS", "Guard"]

SECURITY_HEADERS: Final[Headers] = [
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
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()"),
]
"""Headers of every answer: scripts come only from our own files, and no other page may frame or embed ours."""

_STAY_WITH_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?P<authority>[^/?#@\s]+)", re.IGNORECASE)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})


class Guard:
    """Refuses requests from other sites, and adds the security headers to every answer."""

    def __init__(self, app: App, *, names: Sequence[str] = (), trusted_proxies: Sequence[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._trusted = proxy_networks(trusted_proxies)

    async def __call__(self, scope: RequestScope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = peer_of(scope, self._trusted)
        scope["state"] = {**scope.get("state", {}), "peer": peer}
        send = _with_headers(send, api=scope["path"].startswith("/api"), is_secure=peer.is_secure)
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _head_only(send)
        refusal = _bad_head(scope) or _refusal(scope["method"], headers_of(scope), peer, self._names)
        if refusal is not None:
            await send_problem(send, scope["path"], refusal)
        else:
            await self._app(scope, receive, send)


def _bad_head(scope: RequestScope) -> ProblemDetails | None:
    """What h11 lets pass: a long head that arrives at once, and two ways to say how long the body is.

    Of the two it takes the coding, as RFC 9112 says; a proxy that takes the other one would see another next request.
    """
    size = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    size += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if size > MAX_HEAD_BYTES:
        return ProblemDetails("bad-request", f"the head has {size} bytes", f"send {MAX_HEAD_BYTES} at most")
    if {"content-length", "transfer-encoding"} <= headers_of(scope).keys():
        return ProblemDetails("bad-request", "the length of the body is given twice", "leave out Content-Length")
    return None


def _refusal(method: str, headers: Mapping[str, str], peer: Peer, names: frozenset[str]) -> ProblemDetails | None:
    origin = headers.get("origin")
    if (found := _AUTHORITY.fullmatch(peer.host)) is None or not _is_address(found["v6"]):
        return ProblemDetails("bad-request", "the Host header is not the name or address of a host")
    if not _is_ours(found["v6"] or found["name"], names):
        return ProblemDetails(
            "foreign-request", "this name is not served here",
            "use an address or this machine's own name, or add the name: [site] names = [...] in wattrail.toml",
        )  # fmt: skip
    if origin is not None and origin != "null":
        sender = _ORIGIN.fullmatch(origin)
        if sender is None or _AUTHORITY.fullmatch(sender["authority"]) is None:
            return ProblemDetails("bad-request", "the Origin header is not an origin")
        if sender["authority"].lower() != peer.host.lower():
            return ProblemDetails("foreign-request", "requests of other pages are refused")
    elif origin == "null":
        return ProblemDetails("foreign-request", "requests of other pages are refused")
    # SameSite keeps the cookie from other sites, but this machine needs none: any page could post a form to it.
    if method not in _SAFE and not _is_of_this_site(headers):
        return ProblemDetails("foreign-request", "only this server's own page changes anything here")
    return None


def _is_of_this_site(headers: Mapping[str, str]) -> bool:
    """Whether a change may be meant; every browser of today says where it comes from, a program does not."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN_SITES
    return "origin" in headers or "cookie" not in headers or "authorization" in headers


def _is_address(v6: str | None) -> bool:
    try:
        return v6 is None or bool(ip_address(v6))
    except ValueError:
        return False


def _is_ours(name: str, names: frozenset[str]) -> bool:
    try:
        ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name.lower() in {"localhost", own, f"{own}.local", *names}
    return True


def _with_headers(send: Send, *, api: bool, is_secure: bool) -> Send:
    caching = (b"cache-control", b"no-store" if api else b"no-cache")
    own = [*SECURITY_HEADERS, caching, *([_STAY_WITH_TLS] if is_secure else [])]
    names = {name for name, _ in own}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            policy = [header for header in given if header[0].lower() == b"content-security-policy"]
            kept = [header for header in given if header[0].lower() not in names]
            message = {**message, "headers": [*kept, *(policy or own[:1]), *own[1:]]}
        await send(message)

    return send_with_headers


def _head_only(send: Send) -> Send:
    """Send only the head of the answer to GET, also where GET would stream without an end."""
    begun = False

    async def send_head(message: Message) -> None:
        nonlocal begun
        if message["type"] == "http.response.start":
            begun = True
            await send(message)
            await send({"type": "http.response.body", "body": b""})
        elif not begun:
            await send(message)

    return send_head
