"""The description of the interface: what FastAPI finds out by itself, and what holds for every route.

Each route says in its decorator which errors it has of its own (``responses=may_fail(404)``). Those that any request
may meet, the scope that is needed and how to sign in are added here, so that no route can forget them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from wattrail.web.permissions import declared_scope, is_public
from wattrail.web.problem_handlers import ProblemJson
from wattrail.web.problems import PROBLEM_TYPE, PROBLEMS
from wattrail.web.sessions import cookie_name

__all__ = ["describe", "in_version_3_0", "may_fail"]

_ABOUT: Final = """\
Everything that the pages of wattrail show, and what they change. Energy is in watt-hours, power in watts (negative is
export), times are UTC. Everything says whether it is `simulated`.

From the gateway's own machine nothing is needed. From elsewhere send a token, `Authorization: Bearer TOKEN`, made by
`wattrail token create`, or sign in at `/login`. Each operation names the scope that it needs.

Every error is a problem of RFC 9457, `application/problem+json`.
"""

_TAGS: Final = [
    {"name": "meters", "description": "Meters, their readings and what is known of them."},
    {"name": "energy", "description": "The past of a meter: energy, series, events, costs, downloads."},
    {
        "name": "ledger",
        "description": "Entries with their evidence, manual entries, and verification.",
    },
    {"name": "calibration", "description": "Constants that are kept, and how to measure them."},
    {"name": "boards", "description": "What a dump says, and which board it is of."},
    {"name": "accuracy", "description": "Errors at the loads of IEC 62053-21, against a reference."},
    {"name": "alarms", "description": "What is wrong, and that somebody has seen it."},
    {"name": "gateway", "description": "The gateway itself."},
    {"name": "session", "description": "Signing in and out."},
    {"name": "administration", "description": "Who did what, and who may sign in."},
    {"name": "settings", "description": "The configuration file, wattrail.toml, and what may be a meter."},
]
_VERSION_3_0: Final = "3.0.3"
_NULL: Final = {"type": "null"}
_ANYWHERE: Final = (400, 403, 500, 503)
_SIGNED_IN: Final = (401,)
_SECURITY: Final = {
    "token": {
        "type": "http", "scheme": "bearer",
        "description": "A token: wattrail token create NAME --scope read --days 365",
    },
    "session": {
        "type": "apiKey", "in": "cookie", "name": cookie_name(is_secure=False),
        "description": f"The cookie of a session, by POST /api/v1/session; {cookie_name(is_secure=True)} under TLS.",
    },
}  # fmt: skip


def may_fail(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are problems, for its decorator."""
    return {
        status: {"description": _description(status), "content": {PROBLEM_TYPE: {"example": _example(status)}}}
        for status in statuses
    }


def describe(app: FastAPI, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The whole description (OpenAPI 3.1)."""
    app.description, app.openapi_tags = _ABOUT, _TAGS
    document = app.openapi()
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # FastAPI's own errors, which we do not send
    problem = ProblemJson.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["ProblemJson"] = problem
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _complete(document["paths"][route.path_format][method.lower()], route, method)
    return document


def _complete(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    """Add what holds for every route to the description of one."""
    words = (route.endpoint.__doc__ or "").strip().replace("``", "`")
    operation["summary"] = words.split("\n")[0].rstrip(".").replace("`", "")
    operation["description"] = " ".join(words.split())
    operation["operationId"] = f"{method.lower()}_{route.endpoint.__name__}"
    if not is_public(route):
        operation["security"] = [{"token": []}, {"session": []}]
        operation["x-scope"] = scope = declared_scope(route)
        operation["description"] += f"\n\nNeeds the scope `{scope}`."
    else:
        operation["security"] = []
    has_body = "requestBody" in operation
    statuses = [
        *_ANYWHERE, *(() if is_public(route) else _SIGNED_IN), *((408,) if has_body or method != "GET" else ()), 413,
        422,  # a query with a name that is not known, if nothing else
    ]  # fmt: skip
    responses = operation["responses"]
    for status in map(str, statuses):
        if status == "422" or status not in responses:
            responses[status] = may_fail(int(status))[int(status)]
    for status, response in responses.items():
        if PROBLEM_TYPE in response.get("content", {}):
            content = {"schema": {"$ref": "#/components/schemas/ProblemJson"}, "example": _example(int(status))}
            response["content"] = {PROBLEM_TYPE: content}
    operation["responses"] = dict(sorted(responses.items()))


def _kinds(status: int) -> list[str]:
    return [slug for slug, kind in PROBLEMS.items() if kind.status == status]


def _description(status: int) -> str:
    return "; ".join(PROBLEMS[slug].title for slug in _kinds(status))


def _example(status: int) -> dict[str, Any]:
    slug = _kinds(status)[0]
    kind = PROBLEMS[slug]
    return {
        "type": f"/api/v1/problems/{slug}", "title": kind.title, "status": status, "detail": kind.title.lower(),
        "hint": kind.hint,
    }  # fmt: skip


def in_version_3_0(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the terms of OpenAPI 3.0, for readers that do not know 3.1: the bundled Swagger UI is one.

    3.1 takes its schemas from JSON Schema; 3.0 writes null, constants, examples and tuples in its own way. The
    description that was given stays as it is. Source: openapi-3.0/schema-object.
    """
    return {**_object(document), "openapi": _VERSION_3_0}


def _object(found: Mapping[str, Any]) -> dict[str, Any]:
    """One object of the description: what 3.0 says in another way is replaced, at every depth."""
    made: dict[str, Any] = {name: _value(value) for name, value in found.items()}
    if isinstance(choices := made.get("anyOf"), list) and _NULL in choices:
        rest = [choice for choice in choices if choice != _NULL]
        del made["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            made |= rest[0]
        else:  # beside a reference 3.0 ignores everything
            made["anyOf"] = rest
        made["nullable"] = True
    if "const" in made and "type" in made:
        made["enum"] = [made.pop("const")]
    if isinstance(examples := made.get("examples"), list) and examples:
        made["example"] = made.pop("examples")[0]
    if isinstance(parts := made.pop("prefixItems", None), list):
        made["items"] = parts[0] if all(part == parts[0] for part in parts) else {}
    for limit, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(value := made.get(limit), int | float) and not isinstance(value, bool):
            made[bound], made[limit] = value, True
    return made


def _value(value: object) -> object:
    if isinstance(value, Mapping):
        return _object(value)
    return [_value(part) for part in value] if isinstance(value, list) else value
