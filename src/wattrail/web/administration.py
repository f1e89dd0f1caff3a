"""What an administrator sees and changes: users, tokens, the audit log. And what every kind of problem means.

All of it is read here and written by the gateway.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from wattrail.access import Scope
from wattrail.access.passwords import MAX_PASSWORD, MIN_PASSWORD
from wattrail.access.records import ACCESS_NAME
from wattrail.database_address import DatabaseAddress
from wattrail.store.access import AccessBook
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.openapi import may_fail
from wattrail.web.peer import Peer
from wattrail.web.permissions import caller_of, needs, public
from wattrail.web.problems import PROBLEMS, ProblemDetails, RequestRefused

__all__ = ["administration_router"]

_MAX_DAYS: Final = 3650
_MAX_RECORDS: Final = 1000
_MAX_ID: Final = 2**63 - 1
_ANSWER: Final = TypeAdapter(dict[str, str])
# The bounds are checked by the gateway, whose errors a person can read; here they are described.
_Name = Annotated[
    str, Field(max_length=64, examples=["anna"], json_schema_extra={"pattern": f"^{ACCESS_NAME.pattern}$"})
]
_PathName = Annotated[str, Path(max_length=64, examples=["anna"])]
_Password = Annotated[
    str,
    Field(
        max_length=MAX_PASSWORD,
        examples=["correct horse battery"],
        json_schema_extra={"minLength": MIN_PASSWORD},
    ),
]


class _AccessBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserJson(BaseModel):
    """A person who can sign in."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    scope: Scope
    created_at: datetime
    password_at: datetime


class NewUserJson(_AccessBody):
    """A user to be made."""

    name: _Name
    scope: Scope = Scope.READ
    password: _Password


class PasswordJson(_AccessBody):
    """Another password."""

    password: _Password


class TokenJson(BaseModel):
    """A program's key, without its secret. ``state`` is valid, revoked or expired."""

    name: str
    prefix: str
    scope: Scope
    state: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class NewTokenJson(_AccessBody):
    """A token to be made; ``days`` is how long it is valid."""

    name: _Name
    scope: Scope = Scope.READ
    days: Annotated[int, Field(ge=1, le=_MAX_DAYS)] = 365


class MadeTokenJson(BaseModel):
    """The token, which is shown this once."""

    name: str
    prefix: str
    token: str


class AuditJson(BaseModel):
    """One record: who did what, from which address, and how it ended. ``who`` is empty for a stranger."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    who: str
    origin: str
    action: str
    subject: str
    result: str


class ProblemKindJson(BaseModel):
    """A kind of problem, as the ``type`` of an error names it."""

    type: str
    title: str
    status: int
    hint: str


def administration_router(database: DatabaseAddress, calls: GatewayCalls) -> APIRouter:
    """The routes of users, tokens, the audit log and the kinds of problems."""
    router = APIRouter(prefix="/api/v1", tags=["administration"])

    @router.get("/users")
    @needs(Scope.ADMIN)
    def users() -> list[UserJson]:
        """Who can sign in."""
        with AccessBook(database, read_only=True) as book:
            return [UserJson.model_validate(one) for one in book.users()]

    @router.post("/users", status_code=201, responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def add_user(body: NewUserJson, request: Request) -> dict[str, str]:
        """Make a user, who signs in with a password."""
        # The gateway refuses it too, but as any error of the store: a conflict has a status of its own.
        with AccessBook(database, read_only=True) as book:
            if book.user(body.name) is not None:
                raise RequestRefused(
                    ProblemDetails("conflict", f"there is a user {body.name!r} already", "choose another name")
                )
        return await _call("user.add", request, **body.model_dump(mode="json"))

    @router.put("/users/{name}/password", responses=may_fail(404))
    @needs(Scope.ADMIN)
    async def change_password(name: _PathName, body: PasswordJson, request: Request) -> dict[str, str]:
        """Give a user another password, and end all sessions of theirs."""
        _require_user(name)
        return await _call("user.passwd", request, name=name, password=body.password)

    @router.delete("/users/{name}", responses=may_fail(404))
    @needs(Scope.ADMIN)
    async def remove_user(name: _PathName, request: Request) -> dict[str, str]:
        """Remove a user, and end all sessions of theirs; what they did stays in the audit log."""
        _require_user(name)
        return await _call("user.remove", request, name=name)

    @router.get("/tokens")
    @needs(Scope.ADMIN)
    def tokens() -> list[TokenJson]:
        """The keys of programs, newest first."""
        now = datetime.now(UTC)
        with AccessBook(database, read_only=True) as book:
            return [TokenJson(**asdict(one), state=one.state(now)) for one in book.tokens()]

    @router.post("/tokens", status_code=201, responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def add_token(body: NewTokenJson, request: Request) -> MadeTokenJson:
        """Make a token for a program; it is shown in this answer and never again."""
        with AccessBook(database, read_only=True) as book:
            if any(one.name == body.name and one.revoked_at is None for one in book.tokens()):
                raise RequestRefused(
                    ProblemDetails("conflict", f"there is a token {body.name!r} already", "revoke that one first")
                )
        return MadeTokenJson(**await _call("token.create", request, **body.model_dump(mode="json")))

    @router.delete("/tokens/{name}", responses=may_fail(404))
    @needs(Scope.ADMIN)
    async def revoke_token(name: _PathName, request: Request) -> dict[str, str]:
        """Revoke a token, by its name or its first letters, at once."""
        with AccessBook(database, read_only=True) as book:
            if not any(name in {one.name, one.prefix} and one.revoked_at is None for one in book.tokens()):
                raise RequestRefused(ProblemDetails("not-found", "there is no such token that is not revoked"))
        return await _call("token.revoke", request, name=name)

    @router.get("/audit")
    @needs(Scope.ADMIN)
    def audit(
        limit: Annotated[int, Query(ge=1, le=_MAX_RECORDS)] = 100,
        before: Annotated[int | None, Query(ge=1, le=_MAX_ID, description="Only records with a smaller id.")] = None,
    ) -> list[AuditJson]:
        """The audit log, newest first: logins, failures, tokens and every change."""
        with AccessBook(database, read_only=True) as book:
            return [AuditJson.model_validate(record) for record in book.audit(limit, before=before)]

    @router.get("/problems/{kind}", responses=may_fail(404))
    @public
    async def problem(kind: Annotated[str, Path(examples=["not-found"])]) -> ProblemKindJson:
        """What the ``type`` of an error means."""
        if (found := PROBLEMS.get(kind)) is None:
            raise RequestRefused(
                ProblemDetails("not-found", f"there is no such kind of problem; known: {', '.join(PROBLEMS)}")
            )
        return ProblemKindJson(type=f"/api/v1/problems/{kind}", title=found.title, status=found.status, hint=found.hint)

    def _require_user(name: str) -> None:
        with AccessBook(database, read_only=True) as book:
            if book.user(name) is None:
                raise RequestRefused(ProblemDetails("not-found", "there is no such user"))

    async def _call(action: str, request: Request, **arguments: Any) -> dict[str, str]:  # noqa: ANN401 any JSON
        peer: Peer = request.state.peer
        return _ANSWER.validate_python(
            await calls.call(action, who=caller_of(request).who, origin=peer.address, **arguments)
        )

    return router
