"""Makes reports from the database, beside the running gateway. Of each ledger only the end is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from wattrail.errors import LedgerError
from wattrail.ledger import By, Tariff, midnight
from wattrail.publish.report import EnergyReport, ReportedMeter, energy_report, period_before
from wattrail.store import open_to_read

__all__ = ["MadeReports", "StoredReports"]

_MARGIN: Final = timedelta(days=1)
"""Entries before the period before: its first one may begin earlier."""


@dataclass(frozen=True, slots=True)
class MadeReports:
    """The reports of one period, by the order of the meters, and the meters of which nothing is booked in it."""

    reports: tuple[EnergyReport, ...]
    without: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReports:
    """The reports of some meters of a database. Raises StoreError."""

    database: Path
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
        since = midnight(period_before(by, first_day), self.zone) - _MARGIN
        reports, without = [], []
        with open_to_read(self.database) as reader:
            rows = {row.name: row for row in reader.meters()}
            for name in self.meters:
                row = rows.get(name)
                about = ReportedMeter(name=name, simulated=row.simulated if row else False, zone=self.zone)
                try:
                    if row is None:
                        raise LedgerError(f"{name!r} was never read")
                    ledger_slice = reader.ledger_slice(row.id, since=since)
                    reports.append(energy_report(ledger_slice, about, by, first_day, tariff=self.tariff))
                except LedgerError:
                    without.append(name)
        return MadeReports(tuple(reports), tuple(without))
