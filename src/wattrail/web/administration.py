"""What an administrator sees: the audit log. And what every kind of problem means."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from wattrail.access import Scope
from wattrail.database_address import DatabaseAddress
from wattrail.store.access import AccessBook
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs, public
from wattrail.web.problems import PROBLEMS, ProblemDetails, RequestRefused

__all__ = ["administration_router"]

_MAX_RECORDS: Final = 1000
_MAX_ID: Final = 2**63 - 1


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


def administration_router(database: DatabaseAddress) -> APIRouter:
    """The routes of the audit log and of the kinds of problems."""
    router = APIRouter(prefix="/api/v1", tags=["administration"])

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

    return router
