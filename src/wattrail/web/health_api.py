"""The whole state of the service in the REST interface: meters and their links, the machine, the clock, the log.

What only the gateway knows is asked of it. If it does not answer, the rest is still shown, and why it is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Literal, Self

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.access.records import GATEWAY_STARTED
from wattrail.clock import zone_of
from wattrail.errors import StoreError
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.ledger import EntryKind
from wattrail.network_meters.link_health import LinkDay, advice
from wattrail.store import StoreReader, open_to_read
from wattrail.store.access import AccessBook
from wattrail.store.file_check import REBUILD
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.messages import PublisherJson, Setup
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["health_router"]

_LINK_DAYS: Final = 14
_EVENTS_BACK: Final = timedelta(days=90)
_MAX_EVENTS: Final = 5
"""Restarts, and clocks that were set, of each meter."""

_MAX_STARTS: Final = 10
_DST_WITHIN: Final = timedelta(days=366)


class FindingJson(BaseModel):
    """One thing that was looked at on the machine; ``remedy`` is what to do, null where there is nothing to do."""

    check: str
    severity: Literal["ok", "warning", "error"]
    text: str
    remedy: str | None = None


class PriceStateJson(BaseModel):
    """The market prices of a tariff: until when they are known, and why they could not be fetched."""

    tariff: str
    file: str
    url: str | None
    fetched_at: datetime | None
    known_until: datetime | None
    error: str | None
    hint: str | None


class GatewayJson(BaseModel):
    """The gateway's process. ``database_bytes`` is null for a database server, which has its own tools for that."""

    version: str
    python: str
    database: str
    database_bytes: int | None
    started_at: datetime
    memory_bytes: int | None


class StartJson(BaseModel):
    """A start of the gateway."""

    at: datetime
    version: str


class LinkQualityJson(BaseModel):
    """A day of a network meter's connection."""

    day: str
    readings: int
    dropouts: int
    restarts: int
    longest_silence_s: float
    signal_mean: float | None
    is_bad: bool

    @classmethod
    def of(cls, link: LinkDay) -> Self:
        """A day; bad is one of which there is something to say."""
        values = asdict(link) | {"day": link.day.isoformat()}
        return cls(**values, signal_mean=link.signal_mean, is_bad=bool(advice(link)))


class RestartJson(BaseModel):
    """The register of a meter began again."""

    at: datetime
    note: str


class MeterHealthJson(BaseModel):
    """One meter: ``counters`` of its wire since the gateway started, or the ``days`` of its network link.

    ``restarts`` are those of three months, newest first; ``clock_steps`` the moments at which the wall clock was set.
    """

    name: str
    simulated: bool
    state: MeterState
    error: str | None
    hint: str | None
    notice: str | None
    last_reading_at: datetime | None
    counters: dict[str, int] | None
    days: list[LinkQualityJson]
    restarts: list[RestartJson]
    clock_steps: list[RestartJson]


class ClockChangeJson(BaseModel):
    """When the clocks of the site change next, and to which offset from UTC in minutes."""

    at: datetime
    offset_before: int
    offset_after: int


class HealthReportJson(BaseModel):
    """Everything that can be said without a long look. ``gateway`` is null, with a ``problem``, if it does not answer.

    ``problem`` also says that the database cannot be read: then what the database knows is missing.
    """

    at: datetime
    simulated: bool
    zone: str | None
    next_clock_change: ClockChangeJson | None
    gateway: GatewayJson | None
    problem: str | None
    hint: str | None
    findings: list[FindingJson]
    starts: list[StartJson]
    meters: list[MeterHealthJson]
    publishers: list[PublisherJson]
    prices: list[PriceStateJson]


class LogLineJson(BaseModel):
    """A line of the gateway's log: when it was last written, and how often."""

    at: datetime
    level: str
    logger: str
    message: str
    count: int


class DatabaseCheckJson(BaseModel):
    """What is wrong with the database, nothing if it is whole: pages and references, then sums and rollups.

    ``remedies`` is what to do.
    """

    at: datetime
    problems: list[str]
    remedies: list[str]
    took_s: float


def health_router(feed: Feed, setup: Setup, publishers: Sequence[PublisherJson], calls: GatewayCalls) -> APIRouter:
    """The routes of the health page."""
    router = APIRouter(prefix="/api/v1")
    checking = threading.Lock()

    @router.get("/health/report", tags=["gateway"])
    @needs(Scope.READ)
    async def report() -> HealthReportJson:
        """Meters with their links and restarts, machine, clock, publishers, prices and starts of the gateway."""
        found, problem = await _gateway_report(calls)
        return await run_in_threadpool(_report, feed, setup, publishers, found, problem)

    @router.get("/log", tags=["gateway"], responses=may_fail(503))
    @needs(Scope.ADMIN)
    async def log() -> list[LogLineJson]:
        """The newest warnings and errors of the gateway's log, newest first, without passwords."""
        lines: Any = await calls.call("log")
        return [LogLineJson.model_validate(line) for line in lines]

    @router.post("/health/database-check", tags=["gateway"], responses=may_fail(503))
    @needs(Scope.ADJUST)
    def database_check() -> DatabaseCheckJson:
        """Read the whole database and say what is wrong with it or with what is derived; it takes as long as that."""
        if not checking.acquire(blocking=False):
            raise RequestRefused(ProblemDetails("unavailable", "a check is under way", "wait for its end"))
        try:
            began = datetime.now(UTC)
            with open_to_read(setup.database) as reader:
                problems = [str(problem.got) for problem in reader.file_problems()]
                derived = [] if problems else reader.derived_problems()
            return DatabaseCheckJson(
                at=began, problems=[*problems, *derived], remedies=[REBUILD] if derived else [],
                took_s=(datetime.now(UTC) - began).total_seconds(),
            )  # fmt: skip
        finally:
            checking.release()

    return router


async def _gateway_report(calls: GatewayCalls) -> tuple[dict[str, Any] | None, ProblemDetails | None]:
    """What the gateway says of itself, or why it does not."""
    try:
        found: Any = await calls.call("health")
    except RequestRefused as refused:
        return None, refused.problem
    return found, None


def _report(
    feed: Feed, setup: Setup, publishers: Sequence[PublisherJson], found: dict[str, Any] | None,
    problem: ProblemDetails | None,
) -> HealthReportJson:  # fmt: skip
    views, now = feed.views(), feed.now()
    said: Callable[[str], Any] = (found or {}).get  # a gateway that does not answer says nothing
    counters = said("counters") or {}
    try:
        with open_to_read(setup.database) as reader:
            meters = [_meter(view, counters.get(view.name), reader, now) for view in views]
        starts = _starts(setup)
    except StoreError as error:
        meters, starts = [_meter(view, counters.get(view.name), None, now) for view in views], []
        problem = ProblemDetails("unavailable", str(error), error.hint)
    return HealthReportJson(
        at=now, simulated=any(view.simulated for view in views), zone=setup.zone,
        next_clock_change=next_clock_change(zone_of(setup.zone), now),
        gateway=GatewayJson.model_validate(found) if found else None,
        problem=problem.detail if problem else None, hint=problem.hint if problem else None,
        findings=[FindingJson.model_validate(one) for one in said("findings") or ()],
        starts=starts, meters=meters, publishers=list(publishers),
        prices=[PriceStateJson.model_validate(one) for one in said("prices") or ()],
    )  # fmt: skip


def _starts(setup: Setup) -> list[StartJson]:
    """The newest starts of the gateway, as the audit log has them."""
    with AccessBook(setup.database, read_only=True) as book:
        records = book.audit(_MAX_STARTS, action=GATEWAY_STARTED)
    return [StartJson(at=one.at, version=one.subject) for one in records]


def _meter(
    view: MeterView, counters: dict[str, int] | None, reader: StoreReader | None, now: datetime
) -> MeterHealthJson:
    row = reader.meter(view.name) if reader else None
    restarts, steps, days = [], [], {}
    if reader is not None and row is not None:
        entries = reader.remarkable_entries(row.id, now - _EVENTS_BACK, now, limit=100).entries
        newest = sorted(entries, key=lambda entry: entry.end, reverse=True)
        restarts = [one for one in newest if one.kind is EntryKind.RESTART or one.is_reset][:_MAX_EVENTS]
        steps = [one for one in newest if one.kind is EntryKind.CLOCK][:_MAX_EVENTS]
        days = {day.day: day for day in reader.link_days(view.name, limit=_LINK_DAYS)}
    if view.link is not None:
        days[view.link.day] = view.link
    return MeterHealthJson(
        name=view.name, simulated=view.simulated, state=view.state, error=view.error, hint=view.hint,
        notice=view.notice, last_reading_at=view.reading.at if view.reading else None, counters=counters or None,
        days=[LinkQualityJson.of(days[day]) for day in sorted(days)[-_LINK_DAYS:]],
        restarts=[RestartJson(at=one.end, note=one.note) for one in restarts],
        clock_steps=[RestartJson(at=one.end, note=one.note) for one in steps],
    )  # fmt: skip


def next_clock_change(zone: tzinfo, now: datetime) -> ClockChangeJson | None:
    """The next moment at which the offset of a zone changes, within a year; None for a zone that keeps its own."""

    def offset(at: datetime) -> int:
        return int((at.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 60)

    # From this minute on: in the half hour after a change that is one of half an hour, the full hour lies before it.
    first, before = now.astimezone(UTC).replace(second=0, microsecond=0), offset(now)
    day = first
    while offset(day) == before:
        day += timedelta(days=1)
        if day - first > _DST_WITHIN:
            return None
    low, high = max(first, day - timedelta(days=1)), day
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        middle = middle.replace(second=0, microsecond=0)
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    return ClockChangeJson(at=high, offset_before=before, offset_after=offset(high))
