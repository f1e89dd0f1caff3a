"""The alarms in the REST interface, read from the database at each request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from wattrail.access import Scope
from wattrail.alarms import StandingAlarm
from wattrail.database_address import DatabaseAddress
from wattrail.store.alarm_events import AlarmEvents
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["AlarmEventJson", "AlarmJson", "add_alarm_routes"]

_MAX_EVENTS: Final = 1000
_MAX_ID: Final = 2**63 - 1

AlarmNumber = Annotated[int, Path(ge=1, le=_MAX_ID, description="The id of a raised alarm.", examples=[12])]


class AlarmJson(BaseModel):
    """An alarm that is raised now: ``value`` and ``text`` as they were at ``since``.

    ``meter`` is null for a test of the delivery; ``limit`` is null where the kind has none.
    """

    id: int
    rule: str
    meter: str | None
    severity: str
    value: float | None
    limit: float | None
    unit: str
    text: str
    since: datetime
    acknowledged: bool
    acknowledged_at: datetime | None
    simulated: bool

    @classmethod
    def of(cls, alarm: StandingAlarm) -> Self:
        """An alarm of the store."""
        seen_at = alarm.acknowledged_at
        values = asdict(alarm.raised)
        return cls(**values, since=alarm.raised.at, acknowledged=seen_at is not None, acknowledged_at=seen_at)


class AlarmEventJson(BaseModel):
    """A change of one alarm; ``deliver_at`` is the end of the quiet hours that it came in."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    rule: str
    meter: str | None
    change: str
    severity: str
    value: float | None
    limit: float | None
    unit: str
    text: str
    deliver_at: datetime | None
    simulated: bool


def add_alarm_routes(router: APIRouter, database: DatabaseAddress, acknowledge: Callable[[int], object]) -> None:
    """The routes below /alarms. ``acknowledge`` asks the gateway, which alone writes, to store that one was seen."""

    def standing() -> tuple[StandingAlarm, ...]:
        with AlarmEvents(database, read_only=True) as stored:
            return stored.standing_alarms()

    @router.get("/alarms", tags=["alarms"])
    @needs(Scope.READ)
    def alarms() -> list[AlarmJson]:
        """The alarms that are raised now, the oldest first."""
        return [AlarmJson.of(alarm) for alarm in standing()]

    @router.get("/alarms/events", tags=["alarms"])
    @needs(Scope.READ)
    def alarm_events(
        limit: Annotated[int, Query(ge=1, le=_MAX_EVENTS)] = 100,
        after: Annotated[int | None, Query(ge=0, le=_MAX_ID)] = None,
    ) -> list[AlarmEventJson]:
        """The newest events, newest first; or those with an id above ``after``, oldest first."""
        with AlarmEvents(database, read_only=True) as stored:
            events = stored.newest(limit) if after is None else stored.after(after, limit)
        return [AlarmEventJson.model_validate(event) for event in events]

    @router.post("/alarms/{number}/acknowledge", status_code=202, tags=["alarms"], responses=may_fail(404))
    @needs(Scope.ADJUST)
    async def acknowledge_alarm(number: AlarmNumber) -> AlarmJson:
        """Say that a raised alarm was seen; /alarms shows it once the gateway has stored it."""
        for alarm in await run_in_threadpool(standing):
            if alarm.raised.id == number:
                acknowledge(number)
                return AlarmJson.of(alarm)
        raise RequestRefused(
            ProblemDetails("not-found", f"no raised alarm has the number {number}", "/api/v1/alarms lists them")
        )
