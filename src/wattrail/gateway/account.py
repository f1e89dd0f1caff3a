"""One meter's books: what a reading means to the ledger, kept in the store together with what it causes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wattrail.bl0942.registers import CF_CNT_ADD, CF_REVP, Accumulation
from wattrail.gateway.source import MeterLike
from wattrail.gateway.timing import day_end, day_start
from wattrail.ledger import CONFIRM_US, Entry, Epoch, Kind, Ledger, Observation, Totals
from wattrail.store import Store
from wattrail.units import Reading

__all__ = ["Account", "observation"]

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_THE_END: Final = datetime.max.replace(tzinfo=UTC)

logger = logging.getLogger(__name__)


class Account:
    """Books readings of one meter. After an exception open another: what is stored is right, this may be ahead."""

    def __init__(
        self, store: Store, name: str, meter: MeterLike, *, now: datetime, zone: ZoneInfo | None = None
    ) -> None:
        row = store.register_meter(name, meter.url, simulated=meter.simulated, calibration=meter.calibration, at=now)
        self.meter_id, self.name = row.id, name
        self._store, self._zone = store, zone
        self._ledger = store.ledger(row.id) or Ledger(row.epoch)
        self._seen_us: int | None = None
        self._booked: list[Entry] = []
        self._midnight: datetime | None = None
        self._other_days = Totals(0, 0)
        if row.recalibrated:
            self._recalibrate(row.epoch.number + 1, meter, now)

    def book(self, reading: Reading) -> None:
        """Account for a reading; once this returns, it is kept."""
        moment_us = round(reading.monotonic * 1e6)
        elapsed_us = None if self._seen_us is None else moment_us - self._seen_us
        seen = observation(reading, elapsed_us)
        entries = self._ledger.observe(seen)
        self._store.append(self.meter_id, reading, seen, entries)
        self._booked += entries
        for entry in entries:
            logger.info(
                "meter %s: booked entry %d, %s, %s to %s: %d counts by positive power, %d by negative, %d undirected",
                self.name, entry.sequence, entry.kind.value, entry.start, entry.end,
                entry.positive, entry.negative, entry.undirected,
            )  # fmt: skip
        self._seen_us = moment_us
        if any(entry.kind is Kind.CLOCK for entry in entries):
            self._midnight = None  # what was booked by the clock before may be another day's
            logger.warning("meter %s: %s", self.name, next(e.note for e in entries if e.kind is Kind.CLOCK))
        if entries:
            self._take_stated()

    def totals(self) -> Totals:
        """The energy registers."""
        return self._ledger.totals()

    def today(self, now: datetime) -> Totals:
        """Energy since local midnight. What is booked outside of this day, at whatever time, is not in it."""
        midnight = day_start(now, self._zone)
        if midnight != self._midnight:
            self._take_stated()
            self._other_days = self._booked_outside(midnight, day_end(now, self._zone))
            self._midnight = midnight
        return _less(self.totals(), self._other_days)

    @property
    def now(self) -> datetime | None:
        """The ledger's own time, in which a clock that jumps leaves no trace."""
        return self._ledger.now

    @property
    def notice(self) -> str | None:
        """That the wall clock jumped, in words; None while it agrees with the time that passes."""
        offset = self._ledger.clock_offset
        if offset is None:
            return None
        way = "ahead of" if offset > timedelta() else "behind"
        return (
            f"the wall clock jumped: it is {abs(offset)} {way} the time that passed. Entries go on by the time that "
            f"passes, and follow the wall clock once it has kept its time for {CONFIRM_US // 60_000_000} minutes"
        )

    def close(self) -> None:
        """Write what is counted but not yet an entry."""
        entries = self._ledger.close()
        self._store.book(self.meter_id, entries)
        self._booked += entries

    def take_booked(self) -> tuple[Entry, ...]:
        """The entries that were stored since this was last asked, oldest first."""
        booked, self._booked = tuple(self._booked), []
        return booked

    def _booked_outside(self, midnight: datetime, end: datetime) -> Totals:
        before = self._store.energy_between(self.meter_id, _BEGINNING, midnight)
        after = self._store.energy_between(self.meter_id, end, _THE_END)
        return Totals(
            before.import_mwh + after.import_mwh,
            before.export_mwh + after.export_mwh,
            before.undirected_mwh + after.undirected_mwh,
        )

    def _take_stated(self) -> None:
        """Take up what a person stated meanwhile, past this process."""
        for entry in self._store.stated(self.meter_id, after=self._ledger.stated):
            self._ledger.take(entry)
            self._booked.append(entry)

    def _recalibrate(self, number: int, meter: MeterLike, now: datetime) -> None:
        calibration = meter.calibration
        entries = self._ledger.begin_epoch(Epoch.of(number, calibration.counts_per_watt, inverted=calibration.inverted))
        self._store.begin_epoch(
            self.meter_id, calibration, entries, at=now, evidence="the gateway was given other constants"
        )
        self._booked += entries


def _less(total: Totals, part: Totals) -> Totals:
    return Totals(
        total.import_mwh - part.import_mwh,
        total.export_mwh - part.export_mwh,
        total.undirected_mwh - part.undirected_mwh,
    )


def observation(reading: Reading, elapsed_us: int | None) -> Observation:
    """A reading as the ledger sees it."""
    return Observation(
        at=reading.at,
        elapsed_us=elapsed_us,
        count=reading.energy_count,
        watt=reading.watt_count,
        mode=reading.mode,
        status=reading.status,
        restarted=reading.restarted,
        algebraic=CF_CNT_ADD.get(reading.mode) == Accumulation.ALGEBRAIC,
        last_pulse_negative=bool(CF_REVP.get(reading.status)),
    )
