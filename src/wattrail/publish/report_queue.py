"""The reports of one consumer: which are due, and how far it got. Each is made when it is sent, from the database."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from wattrail.clock import Clock
from wattrail.ledger import By, Tariff
from wattrail.publish.consumer import ConsumerContext
from wattrail.publish.message import OutgoingMessage, report_message
from wattrail.publish.report_schedule import DueReports, due_reports, is_ahead, last_ended
from wattrail.publish.stored_reports import StoredReports, period_end
from wattrail.store.messages import ReportPeriod, StoredMessages

__all__ = ["DEFAULT_REPORTS", "NextReport", "ReportPlan", "ReportQueue"]

_PATIENCE_S: Final = 900.0
"""A report that is made later knows more; a meter that is gone must not keep those of the others (ADR 36)."""
_LOOK_EVERY_S: Final = 10.0
_ONE_DAY: Final = timedelta(days=1)
_PERIODS: Final[Mapping[ReportPeriod, By]] = {"daily": By.DAY, "monthly": By.MONTH}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    """The local time at which reports are sent, and the tariff for the cost of a month."""

    at: time = time(0, 15)
    tariff: Tariff | None = None


DEFAULT_REPORTS: Final = ReportPlan()
"""A quarter past midnight: entries close each minute, and slow meters report within ten."""


@dataclass(frozen=True, slots=True)
class NextReport:
    """A report that is due, as a message."""

    period: ReportPeriod
    first_day: date
    message: OutgoingMessage


class ReportQueue:
    """The reports of one consumer: which are due, and how far it got.

    A report waits until every meter is booked to its end, so that a gap is in it: after an outage that takes the first
    reading of each meter. A meter that is not there delays it by ``_PATIENCE_S`` at most.
    """

    def __init__(
        self,
        consumer: str,
        events: frozenset[str],
        plan: ReportPlan,
        *,
        clock: Clock,
        context: ConsumerContext,
        stored: StoredMessages,
    ) -> None:
        self._consumer, self._plan, self._clock = consumer, plan, clock
        self._zone, self._stored = context.zone, stored
        self._token = stored.token(consumer)
        self._reports = StoredReports(
            database=context.database, meters=context.meters, zone=context.zone, tariff=plan.tariff
        )
        self._last = {period: self._last_of(period) for period in _PERIODS if period in events}
        self._due_since_s: float | None = None
        self._look_s = float("-inf")

    def waiting(self) -> int:
        """How many are due."""
        return sum(len(self._due(period).first_days) for period in self._last)

    def next(self) -> NextReport | None:
        """The oldest report that can be made now."""
        now_s = self._clock.monotonic()
        if now_s < self._look_s:
            return None
        for period in self._last:
            self._correct(period)
        due = {period: found for period in self._last if (found := self._due(period)).first_days}
        if not due:
            self._due_since_s = None
        for period, found in due.items():
            if self._is_booked(self._end(period, found.first_days[0]), now_s):
                return NextReport(period, found.first_days[0], self._made(period, found))
        self._look_s = now_s + _LOOK_EVERY_S
        return None

    def mark_sent(self, report: NextReport) -> None:
        """The consumer has it."""
        # Kept first: after a restart it must not be sent once more.
        self._stored.mark_report(self._consumer, report.period, report.first_day)
        self._last[report.period] = report.first_day

    def _last_of(self, period: ReportPeriod) -> date:
        """The last that the consumer got; a new one is not sent the past."""
        known = self._stored.last_report(self._consumer, period)
        if known is None:
            known = last_ended(_PERIODS[period], self._local(), self._plan.at)
            self._stored.mark_report(self._consumer, period, known)
        return known

    def _due(self, period: ReportPeriod) -> DueReports:
        return due_reports(_PERIODS[period], self._last[period], self._local(), self._plan.at)

    def _correct(self, period: ReportPeriod) -> None:
        """Begin again from today after reports of a future that a wrong clock had shown.

        A clock that is behind the ledger is wrong itself, as that of a machine without a battery is at its start.
        """
        by, local, at = _PERIODS[period], self._local(), self._plan.at
        if not is_ahead(by, self._last[period], local, at):
            return
        if all(end <= local + _ONE_DAY for end in self._reports.booked_until()):
            logger.warning("%s: the last %s report was of %s, a future", self._consumer, period, self._last[period])
            self._last[period] = last_ended(by, local, at)
            self._stored.mark_report(self._consumer, period, self._last[period])

    def _is_booked(self, end: datetime, now_s: float) -> bool:
        if self._due_since_s is None:
            self._due_since_s = now_s
        if now_s - self._due_since_s >= _PATIENCE_S:
            return True
        known = self._reports.booked_until()
        # Where no meter was ever read nothing is booked, though all of none would be.
        return bool(known) and all(until >= end for until in known)

    def _made(self, period: ReportPeriod, due: DueReports) -> OutgoingMessage:
        first_day, by = due.first_days[0], _PERIODS[period]
        made = self._reports.of(by, first_day)
        end = self._end(period, first_day).astimezone(self._zone)
        return report_message(made, first_day, self._token, by=by, at=end, not_sent=due.not_sent)

    def _end(self, period: ReportPeriod, first_day: date) -> datetime:
        return period_end(_PERIODS[period], first_day, self._zone)

    def _local(self) -> datetime:
        return self._clock.now().astimezone(self._zone)
