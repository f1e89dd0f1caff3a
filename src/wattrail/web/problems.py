"""Errors as problem details (RFC 9457): every answer below /api with a status of 400 or more is one of these.

Source: rfc9457/members.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from wattrail.errors import WattrailError
from wattrail.sanitize import printable
from wattrail.web.asgi import Headers, Send
from wattrail.web.plain_words import complaint

__all__ = [
    "PROBLEMS",
    "PROBLEM_TYPE",
    "ProblemDetails",
    "ProblemJson",
    "RequestRefused",
    "add_problem_handlers",
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

_BY_STATUS: Final = {kind.status: slug for slug, kind in reversed(list(PROBLEMS.items()))}


class InvalidValueJson(BaseModel):
    """One value that is not accepted: where it stands in the request, and what is wrong."""

    where: str
    message: str
    line: int | None = None
    hint: str | None = None


class ProblemJson(BaseModel):
    """A problem (RFC 9457). ``type`` is a path that explains the kind; ``hint`` says what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    hint: str
    errors: list[InvalidValueJson] | None = None
    needed_scope: str | None = None
    retry_after_s: int | None = None


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

    def response(self) -> Response:
        """Its answer."""
        names = {name.decode(): value.decode() for name, value in self.headers}
        return Response(self.body(), self.status, headers=names, media_type=PROBLEM_TYPE)


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


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    @app.exception_handler(RequestRefused)
    async def refused(request: Request, error: RequestRefused) -> Response:
        return _answer(request, error.problem)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.status_code, "failed" if error.status_code >= 500 else "bad-request")
        return _answer(request, ProblemDetails(kind, str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [_invalid_value(one) for one in error.errors()]
        detail = "; ".join(f"{one.where}: {one.message}" for one in errors)
        return _answer(
            request,
            ProblemDetails("invalid", detail, more={"errors": [one.model_dump(exclude_none=True) for one in errors]}),
        )

    @app.exception_handler(WattrailError)
    async def unavailable(request: Request, error: WattrailError) -> Response:
        return _answer(request, ProblemDetails("unavailable", str(error), error.hint))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:  # uvicorn logs it with its trace
        return _answer(request, ProblemDetails("failed", f"{type(error).__name__} while answering"))


def _answer(request: Request, problem: ProblemDetails) -> Response:
    if request.url.path.startswith("/api"):
        return problem.response()
    return PlainTextResponse(f"{printable(problem.detail)}\n", problem.status)


def _invalid_value(error: Mapping[str, Any]) -> InvalidValueJson:
    """One error of pydantic, without the value itself, which may be a password."""
    where = ".".join(str(part) for part in error["loc"])
    return InvalidValueJson(where=printable(where, limit=100), message=complaint(error))
