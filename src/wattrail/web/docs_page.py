"""The description of the interface, and the page that explains it: Swagger UI out of an installed package.

Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute

from wattrail.access import Scope
from wattrail.errors import MissingExtra
from wattrail.web.openapi import describe, in_version_3_0
from wattrail.web.pages import ASSETS
from wattrail.web.permissions import needs, public
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["docs_router"]

_KINDS: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""The two files of the package that the page loads."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""As everywhere, and images inside the style file."""


def docs_router(app: FastAPI, described: Sequence[BaseRoute]) -> APIRouter:
    """The routes of the description of others, and of the page that explains it."""
    router = APIRouter(include_in_schema=False)

    @cache
    def document() -> dict[str, Any]:
        return describe(app, described)

    @router.get("/api/v1/openapi.json")
    @needs(Scope.READ)
    async def openapi() -> Response:
        """The description of this interface."""
        return JSONResponse(document())

    @router.get("/api/v1/docs/openapi.json")
    @needs(Scope.READ)
    async def openapi_3_0() -> Response:
        """The same for the page that explains it."""
        return JSONResponse(in_version_3_0(document()))

    @router.get("/api/v1/docs")
    @needs(Scope.READ)
    async def docs() -> Response:
        _folder()
        return Response(ASSETS["docs.html"], media_type="text/html", headers={"content-security-policy": _POLICY})

    @router.get("/api/v1/docs/{name}")  # after openapi.json, which it would take for one of its files
    @public
    async def file(name: str) -> Response:
        if name not in _KINDS:
            raise RequestRefused(ProblemDetails("not-found", "there is no such file"))
        return Response(_content(name), media_type=_KINDS[name], headers={"cache-control": "max-age=86400"})

    return router


@cache
def _content(name: str) -> bytes:
    return (_folder() / name).read_bytes()


@cache
def _folder() -> Path:
    """Where the package has its files: found without running it. Raises MissingExtra."""
    spec = find_spec("swagger_ui_bundle")
    places = [] if spec is None or spec.origin is None else sorted(Path(spec.origin).parent.glob("vendor/swagger-ui-*"))
    if not places:
        raise MissingExtra("the page that explains the interface", library="swagger-ui-bundle", extra="run")
    return places[-1]
