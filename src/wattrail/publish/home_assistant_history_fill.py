"""Fills Home Assistant's hourly statistics from the ledger: by itself after each outage, and for old data on request.

Every round reads what Home Assistant has, compares it with the ledger, writes the difference and reads again. So it can
be cut at any moment and repeated at any time: a second round finds nothing to do. Hours whose end the meter was not
watched at are left as they are, and hours that Home Assistant may still write itself are left to it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Literal

from wattrail.database_address import DatabaseAddress
from wattrail.errors import AccessDenied, ConfigError, FileError, PortError, UnexpectedReply
from wattrail.gateway import Subscription
from wattrail.gateway.timing import BackOff
from wattrail.ledger import LedgerSlice, registers_at
from wattrail.ledger.intervals import Untimed
from wattrail.publish.consumer import ConsumerContext, Publisher
from wattrail.publish.home_assistant_history import HOUR, HistoryPlan, HourBoundary, plan_history, whole_hours
from wattrail.publish.home_assistant_history_socket import HomeAssistantSocket, StoredStatistic, open_home_assistant
from wattrail.publish.status import PublisherStatus
from wattrail.sources import Secrets
from wattrail.store import open_to_read
from wattrail.store.outbox import Outbox, StoredIdentity

__all__ = ["FillSpan", "FilledRegister", "HistoryPacing", "HomeAssistantHistoryPlan", "Way", "fill_history"]

Way = Literal["import", "export"]
WAYS: Final[tuple[Way, ...]] = ("import", "export")

_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_WINDOW: Final = timedelta(days=35)
"""How far the first round of a process looks back; older hours are for ``wattrail publish backfill``."""

_OVERLAP: Final = timedelta(days=2)
"""How far later rounds look back before the last one."""

_ENTRY: Final = timedelta(seconds=90)
"""A register published just before the hour may be ahead of the ledger's, which divides an entry of a minute evenly."""

_ROW_S: Final = 0.02
"""What an hour may cost the recorder: it writes 120 a second on a busy machine of two cores."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPacing:
    """When to look: so long after the hour, which Home Assistant writes 10 s after its end at the earliest.

    ``answer_s`` bounds the wait for the recorder, which carries commands out after it has answered.
    """

    after_hour: timedelta = timedelta(minutes=12)
    tick_s: float = 1.0
    first_retry_s: float = 1.0
    poll_s: float = 0.25
    answer_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledRegister:
    """One register of a meter, what was wrong with its statistics, or why they cannot be filled."""

    meter: StoredIdentity
    way: Way
    statistic_id: str | None = None
    plan: HistoryPlan = field(default_factory=HistoryPlan)
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantHistoryPlan:
    """Fills the statistics of one Home Assistant.

    ``login`` names its token. ``registers_s`` is the cadence at which it gets registers over MQTT: a row of its own
    may be as old, and is right all the same. ``ca_file`` signs its certificate where the system's authorities do not.
    """

    url: str
    login: str
    ca_file: Path | None = None
    registers_s: float = 60.0
    pacing: HistoryPacing = HistoryPacing()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    name: str = "home_assistant_history"

    @property
    def target(self) -> str:
        """Where Home Assistant is."""
        return self.url

    def publisher(self, context: ConsumerContext) -> Publisher:
        """A function: see ``Publisher``."""
        return partial(_keep_filled, self, context)

    def token(self) -> str | None:
        """The stored token. Raises ConfigError."""
        found = Secrets().find(self.login)
        return found.password if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSpan:
    """Which hours are compared: from ``start``, else from the first statistics that Home Assistant has, to ``end``.

    A ``start`` before those puts the ledger's older hours before them. With ``is_window`` it does not, and Home
    Assistant's older hours are not read.
    """

    start: datetime | None = None
    end: datetime | None = None
    is_window: bool = False

    def begin(self, rows: Collection[datetime]) -> datetime | None:
        """Where to begin: with the last statistics before ``start``, if there are some, since they have the offset."""
        if not rows:
            return None if self.is_window else self.start
        first = min(rows)
        if self.start is None or (self.is_window and self.start < first):
            return first
        return max((hour for hour in rows if hour <= self.start), default=self.start)


def fill_history(
    plan: HomeAssistantHistoryPlan,
    database: DatabaseAddress,
    meters: Sequence[str],
    span: FillSpan,
    *,
    is_dry_run: bool = False,
    stops: Callable[[], bool] = lambda: False,
) -> Iterator[FilledRegister]:
    """Fill, and yield each register of the named meters when it is done, with what was wrong before.

    Raises PortError, and UnexpectedReply where Home Assistant does not answer as it should.
    """
    with open_home_assistant(plan.url, plan.token(), ca_file=plan.ca_file) as socket:
        entities = socket.entities()
        for meter in _identities(database, meters):
            ledger = _LedgerHours(database, meter.meter_id, timedelta(seconds=plan.registers_s) + HOUR / 60)
            for way in WAYS:
                if stops():
                    return
                entity = entities.get(f"wattrail_{meter.identity}_{way}")
                if entity is None:
                    yield FilledRegister(meter=meter, way=way, problem="Home Assistant has no entity of it yet")
                    continue
                try:
                    done = _Fill(plan, socket, ledger, way, entity).run(span, is_dry_run=is_dry_run)
                except UnexpectedReply as error:
                    yield FilledRegister(meter=meter, way=way, statistic_id=entity, problem=str(error))
                else:
                    yield FilledRegister(meter=meter, way=way, statistic_id=entity, plan=done)


def _identities(database: DatabaseAddress, meters: Sequence[str]) -> list[StoredIdentity]:
    with Outbox(database, "home_assistant_history") as outbox:
        return sorted(
            (one for one in outbox.identities().values() if one.name in meters), key=lambda one: meters.index(one.name)
        )


class _LedgerHours:
    """The ledger of a meter as boundaries of hours; ``lag`` is how old a published register may be."""

    def __init__(self, database: DatabaseAddress, meter_id: int, lag: timedelta) -> None:
        self._database, self._meter_id, self._lag = database, meter_id, lag
        self._slice: LedgerSlice | None = None
        self._known: dict[tuple[Way, datetime, datetime], tuple[HourBoundary, ...]] = {}
        self._since: datetime | None = None

    def boundaries(self, way: Way, hours: Sequence[datetime]) -> tuple[HourBoundary, ...]:
        """The register of a direction at each of the hours."""
        if not hours:
            return ()
        key = (way, hours[0], hours[-1])
        if key not in self._known:
            self._known[key] = self._boundaries(way, hours)
        return self._known[key]

    def _boundaries(self, way: Way, hours: Sequence[datetime]) -> tuple[HourBoundary, ...]:
        ledger_slice = self._read(hours[0])
        if ledger_slice.began is None:
            return ()
        untimed = Untimed(ledger_slice)
        values = {
            # Down to the watt-hour, as registers are published: a row of Home Assistant's own has no more digits.
            point.at: (point.register.import_ if way == "import" else point.register.export).__floor__() // 1000 * 1000
            for point in registers_at(ledger_slice, sorted(self._moments(hours)))
        }
        return tuple(
            HourBoundary(
                at=at,
                register_mwh=values[at],
                lowest_mwh=values[at - self._lag],
                highest_mwh=values[at + _ENTRY],
                is_known=not untimed.touches(at, at),
            )
            for at in hours
        )

    def _moments(self, hours: Sequence[datetime]) -> set[datetime]:
        return {moment for at in hours for moment in (at - self._lag, at, at + _ENTRY)}

    def _read(self, first: datetime) -> LedgerSlice:
        since = first - self._lag - HOUR
        if self._slice is None or self._since is None or since < self._since:
            with open_to_read(self._database) as reader:
                self._slice, self._since = reader.ledger_slice(self._meter_id, since=since), since
        return self._slice


@dataclass(frozen=True, slots=True)
class _Fill:
    """One register of one meter."""

    plan: HomeAssistantHistoryPlan
    socket: HomeAssistantSocket
    ledger: _LedgerHours
    way: Way
    entity: str

    def run(self, span: FillSpan, *, is_dry_run: bool) -> HistoryPlan:
        """Compare and write, until nothing is left to do; returns what was wrong at first."""
        statistic = self.socket.statistic(self.entity)
        self._until(lambda: not self.socket.is_busy(), "its recorder stays busy")
        # An hour that is written before Home Assistant does so costs the hour's statistics of all its entities.
        now = min(self.plan.now(), self.socket.began or self.plan.now())
        until = now - self.plan.pacing.after_hour
        todo = self._compare(span, until)
        if todo.is_empty or is_dry_run:
            return todo
        if todo.adjust_from is not None:
            self._adjust(todo.adjust_from, todo.adjust_mwh)
        if todo.rows:
            self.socket.import_rows(statistic or StoredStatistic(statistic_id=self.entity), todo.rows)
        self._until(
            lambda: self._compare(span, until).is_empty, f"it does not keep {len(todo.rows)} hours",
            more_s=len(todo.rows) * _ROW_S,
        )  # fmt: skip
        return todo

    def _compare(self, span: FillSpan, until: datetime) -> HistoryPlan:
        oldest = span.start if span.is_window and span.start else _BEGINNING
        rows = self.socket.rows(self.entity, oldest, until)
        begin = span.begin(rows)
        if begin is None:
            return HistoryPlan()
        return plan_history(self.ledger.boundaries(self.way, whole_hours(begin, until)), rows).within(
            span.start, span.end or until
        )

    def _adjust(self, start: datetime, by_mwh: int) -> None:
        """Adjust the running sum, and see it: an adjustment that came late would be made twice."""
        before = self.socket.rows(self.entity, start, start + HOUR)
        self.socket.adjust_sum(self.entity, start, by_mwh)
        self._until(
            lambda: self.socket.rows(self.entity, start, start + HOUR) != before, "it does not keep an adjusted sum"
        )

    def _until(self, condition: Callable[[], bool], what: str, *, more_s: float = 0.0) -> None:
        """The recorder answers first and carries out later."""
        deadline_s = time.monotonic() + self.plan.pacing.answer_s + more_s
        while not condition():
            if time.monotonic() > deadline_s:
                raise UnexpectedReply(
                    f"{self.plan.url}, {self.entity}: {what}",
                    hint="see the log of Home Assistant; its disk may be full",
                )
            time.sleep(self.plan.pacing.poll_s)


def _keep_filled(plan: HomeAssistantHistoryPlan, context: ConsumerContext, events: Subscription) -> None:
    """A round after each hour; where Home Assistant was away, as soon as it is back."""
    back_off, due_s = BackOff(plan.pacing.first_retry_s), time.monotonic()
    filled_until: datetime | None = None
    while not events.ended:
        events.get(plan.pacing.tick_s)
        events.take()  # only their end counts here
        if time.monotonic() < due_s or events.ended:
            continue
        began = plan.now()
        start = began - _WINDOW if filled_until is None else filled_until - _OVERLAP
        try:
            _round(plan, context, FillSpan(start=start, is_window=True), lambda: events.ended)
        except (PortError, UnexpectedReply, ConfigError, FileError) as error:
            refused = isinstance(error, AccessDenied | UnexpectedReply | ConfigError | FileError)
            context.board.failed(plan.name, PublisherStatus.REFUSED if refused else PublisherStatus.AWAY, error)
            due_s = time.monotonic() + back_off.fail()
        else:
            back_off.succeed()
            # Its beginning: hours that ended while it ran are looked at again.
            filled_until = began
            due_s = time.monotonic() + _until_next(began, plan.pacing.after_hour).total_seconds()


def _round(plan: HomeAssistantHistoryPlan, context: ConsumerContext, span: FillSpan, stops: Callable[[], bool]) -> None:
    held: dict[str, str] = {}
    for done in fill_history(plan, context.database, context.meters, span, stops=stops):
        context.board.reached(plan.name)
        if done.problem:
            held[done.meter.name] = f"{done.way}: {done.problem}"
        if done.plan.rows:
            logger.info(
                "%s: %s: %d hours filled, %d corrected",
                plan.name, done.statistic_id, done.plan.found.missing, done.plan.found.wrong,
            )  # fmt: skip
    context.board.reached(plan.name)
    context.board.sent(plan.name, waiting=0, held=held)


def _until_next(now: datetime, after_hour: timedelta) -> timedelta:
    """From now to the next hour and so long after it."""
    next_at = now.replace(minute=0, second=0, microsecond=0) + after_hour
    return next_at - now if next_at > now else next_at + HOUR - now
