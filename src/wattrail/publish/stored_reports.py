"""Makes reports from the database, beside the running gateway. Of each ledger only the end is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from wattrail.alarms import StoredAlarmEvent
from wattrail.database_address import DatabaseAddress
from wattrail.errors import LedgerError
from wattrail.ledger import By, Tariff, boundaries, midnight
from wattrail.network_meters.link_health import advice
from wattrail.publish.report import EnergyReport, ReportedMeter, energy_report, period_before
from wattrail.store import MeterRow, StoreReader, open_to_read
from wattrail.store.alarm_events import AlarmEvents
from wattrail.store.price_file import with_prices

__all__ = ["MAX_ALARMS", "MadeReports", "StoredReports", "period_end"]

_MARGIN: Final = timedelta(days=1)
"""Entries before the period before: its first one may begin earlier."""

MAX_ALARMS: Final = 100
"""Alarms that a report names at most."""
_LINK_DAYS: Final = 10
"""Days of a link that are read: reports are made of the last seven."""


@dataclass(frozen=True, slots=True)
class MadeReports:
    """The reports of one period, by the order of the meters.

    ``without`` are the meters of which nothing is booked in it, ``alarms`` those that were raised, a hundred at most,
    ``advice`` what to change about the links of network meters, by the numbers of a day.
    """

    reports: tuple[EnergyReport, ...]
    without: tuple[str, ...] = ()
    alarms: tuple[StoredAlarmEvent, ...] = ()
    advice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReports:
    """The reports of some meters of a database. Raises StoreError."""

    database: DatabaseAddress
    meters: tuple[str, ...]
    zone: tzinfo
    tariff: Tariff | None = None

    def booked_until(self) -> tuple[datetime, ...]:
        """For each meter that ever was read, the end of its last entry."""
        with open_to_read(self.database) as reader:
            ends = (reader.outline(row.id).booked_until for row in reader.meters() if row.name in self.meters)
            return tuple(end for end in ends if end is not None)

    def of(self, by: By, first_day: date) -> MadeReports:
        """The reports of the day or month that begins on ``first_day``."""
        reports, without, advised = [], [], {}
        with open_to_read(self.database) as reader:
            rows = {row.name: row for row in reader.meters()}
            for name in self.meters:
                made = self._of_meter(reader, rows.get(name), by, first_day)
                if made is None:
                    without.append(name)
                else:
                    reports.append(made)
                # Links are counted by the day, so there is advice for days alone.
                if by is By.DAY and (found := _advice(reader, name, first_day)):
                    advised[name] = found
        start = midnight(first_day, self.zone)
        with AlarmEvents(self.database, read_only=True) as alarms:
            raised = alarms.raised(start, period_end(by, first_day, self.zone), MAX_ALARMS)
        return MadeReports(tuple(reports), tuple(without), raised, advised)

    def _of_meter(self, reader: StoreReader, row: MeterRow | None, by: By, first_day: date) -> EnergyReport | None:
        """The report of one meter; None if nothing is booked in the period."""
        if row is None:
            return None
        # Read for each report: prices of the market may have come since the last.
        tariff = with_prices(self.tariff) if self.tariff else None
        since = midnight(period_before(by, first_day), self.zone) - _MARGIN
        about = ReportedMeter(
            name=row.name, simulated=row.simulated, zone=self.zone, estimated=reader.estimated_times(row.id)
        )
        try:
            return energy_report(reader.ledger_slice(row.id, since=since), about, by, first_day, tariff=tariff)
        except LedgerError:
            return None


def period_end(by: By, first_day: date, zone: tzinfo) -> datetime:
    """The end of the day or month that begins on a day."""
    start = midnight(first_day, zone)
    return boundaries(by, start, start + timedelta(microseconds=1), zone)[1]


def _advice(reader: StoreReader, name: str, day: date) -> tuple[str, ...]:
    return next((advice(link) for link in reader.link_days(name, limit=_LINK_DAYS) if link.day == day), ())
