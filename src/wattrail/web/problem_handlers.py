"""Every error of the application becomes a problem; the records of problems in the description of the interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from wattrail.errors import WattrailError
from wattrail.sanitize import printable
from wattrail.web.problems import PROBLEM_TYPE, PROBLEMS, ProblemDetails, RequestRefused

__all__ = ["InvalidValueJson", "ProblemJson", "add_problem_handlers"]

_BY_STATUS: Final = {kind.status: slug for slug, kind in reversed(list(PROBLEMS.items()))}
_OBJECTS: Final = frozenset({"model_attributes_type", "model_type", "dict_type", "dict_attributes_type"})
_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "list_type": "must be a list: [value, …]",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not JSON",
}
_WHOLE_BODY: Final = ("body",)


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
        names = {name.decode(): value.decode() for name, value in problem.headers}
        return Response(problem.body(), problem.status, headers=names, media_type=PROBLEM_TYPE)
    return PlainTextResponse(f"{printable(problem.detail)}\n", problem.status)


def _invalid_value(error: Mapping[str, Any]) -> InvalidValueJson:
    """One error of pydantic, without the value itself, which may be a password."""
    where = ".".join(str(part) for part in error["loc"])
    return InvalidValueJson(where=printable(where, limit=100), message=_complaint(error))


def _complaint(error: Mapping[str, Any]) -> str:
    """What is wrong, without the terms of the library that found it."""
    kind, place = error["type"], tuple(error["loc"])
    if kind in _OBJECTS:
        # A text, or JSON that is announced as something else, is of the wrong shape just the same.
        sent = ", sent as application/json" if place == _WHOLE_BODY else ""
        return f'must be a JSON object: {{"name": value, …}}{sent}'
    if kind in _PLAIN:
        return _PLAIN[kind]
    words = str(error["msg"]).replace("Input should", "must")
    return printable(words[:1].lower() + words[1:])
