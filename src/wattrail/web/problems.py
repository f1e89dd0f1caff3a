"""Errors as problem details (RFC 9457): every answer below /api with a status of 400 or more is one of these.

The gateway's own process refuses calls of the page with them, so this module needs no library of the page.
``problem_handlers`` makes them of what goes wrong in the application. Source: rfc9457/members.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from wattrail.sanitize import printable
from wattrail.web.asgi import Headers, Send

__all__ = [
    "PROBLEMS",
    "PROBLEM_TYPE",
    "ProblemDetails",
    "RequestRefused",
    "send_problem",
]

PROBLEM_TYPE: Final = "application/problem+json"
_TYPES: Final = "/api/v1/problems/"


class ProblemKind(NamedTuple):
    """A kind of problem: its status, its name for people, and what to do about it where nothing better is known."""

    status: int
    title: str
    hint: str


PROBLEMS: Final[Mapping[str, ProblemKind]] = {
    "bad-request": ProblemKind(400, "The request is malformed", "send the Host header of this server, and no other"),
    "not-signed-in": ProblemKind(
        401, "Sign in first", "sign in at /login, or send a token in the header 'Authorization: Bearer TOKEN'"
    ),
    "foreign-request": ProblemKind(
        403, "The request comes from another page", "open the page under an address or a name that is served here"
    ),
    "scope-too-small": ProblemKind(403, "The scope is too small", "use a user or a token of the scope that is named"),
    "not-found": ProblemKind(404, "There is nothing here", "/api/v1/openapi.json lists every path"),
    "method-not-allowed": ProblemKind(405, "The method is not allowed here", "the header Allow lists those that are"),
    "conflict": ProblemKind(409, "Somebody else changed it meanwhile", "load it again, compare, and send it once more"),
    "too-slow": ProblemKind(408, "The body took too long", "send the body at once, after the headers"),
    "too-large": ProblemKind(413, "The body is too large", "send a smaller body, and none with GET"),
    "invalid": ProblemKind(422, "A value is not accepted", "'errors' names each value and what is wrong with it"),
    "too-many-attempts": ProblemKind(429, "Too many attempts", "wait as long as the header Retry-After says"),
    "failed": ProblemKind(500, "The page failed", "the log of the gateway has the details: please report it"),
    "unavailable": ProblemKind(503, "Not available now", "try again later"),
}
"""Every kind by the last part of its type, which is a path where the kind is explained."""


class ProblemDetails(NamedTuple):
    """One problem, ready to be sent. ``more`` are members beside the usual five."""

    kind: str
    detail: str
    hint: str | None = None
    headers: Headers = []  # noqa: RUF012  never changed
    more: Mapping[str, object] = {}

    @property
    def status(self) -> int:
        """The status of its answer."""
        return PROBLEMS[self.kind].status

    def body(self) -> bytes:
        """Its JSON."""
        kind = PROBLEMS[self.kind]
        members = {
            "type": f"{_TYPES}{self.kind}", "title": kind.title, "status": kind.status,
            "detail": printable(self.detail, limit=2000), "hint": self.hint or kind.hint, **self.more,
        }  # fmt: skip
        return json.dumps(members).encode()


class RequestRefused(Exception):
    """Raised where a request ends in a problem."""

    def __init__(self, problem: ProblemDetails) -> None:
        super().__init__(problem.detail)
        self.problem = problem


async def send_problem(send: Send, path: str, problem: ProblemDetails) -> None:
    """Answer with a problem: JSON below /api, a line of text for what a person opens."""
    if path.startswith("/api"):
        kind, body = PROBLEM_TYPE.encode(), problem.body()
    else:
        kind, body = b"text/plain; charset=utf-8", f"{printable(problem.detail)}\n".encode()
    head = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *problem.headers]
    if problem.status in {400, 408, 413}:
        head.append((b"connection", b"close"))  # the rest of the request is not read
    await send({"type": "http.response.start", "status": problem.status, "headers": head})
    await send({"type": "http.response.body", "body": body})
