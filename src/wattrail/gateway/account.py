"""One meter's books: what a reading means to the ledger, kept in the store together with what it causes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, tzinfo

from wattrail.clock import MACHINE_ZONE
from wattrail.energy_register import Direction
from wattrail.gateway.source import MeterReader
from wattrail.ledger import (
    CONFIRM_US,
    Entry,
    Epoch,
    Kind,
    Ledger,
    Observation,
    RunningInterval,
    Totals,
    local_day,
)
from wattrail.store import Store
from wattrail.units import Reading

__all__ = ["Account", "observation"]

_LAST_PULSE_NEGATIVE = 1
"""STATUS[0] of a BL0942; chips without it leave STATUS out."""

logger = logging.getLogger(__name__)


class Account:
    """Books readings of one meter. After an exception open another: what is stored is right, this may be ahead."""

    def __init__(
        self, store: Store, name: str, meter: MeterReader, *, now: datetime, zone: tzinfo = MACHINE_ZONE
    ) -> None:
        row = store.register_meter(name, meter.url, simulated=meter.simulated, calibration=meter.calibration, at=now)
        self.meter_id, self.name = row.id, name
        self._store, self._zone = store, zone
        self._ledger = store.ledger(row.id) or Ledger(row.epoch)
        self._seen_us: int | None = None
        self._booked: list[Entry] = []
        self._day: RunningInterval | None = None
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
        for entry in entries:
            if entry.kind is Kind.CLOCK:
                self._day = None  # what was booked by the clock before may be another day's
                logger.warning("meter %s: %s", self.name, entry.note)
        if entries:
            self._take_stated()

    def totals(self) -> Totals:
        """The energy registers."""
        return self._ledger.totals()

    def today(self, now: datetime) -> Totals:
        """Energy of the local day that ``now`` lies in, as the books give it for that day."""
        day = self._day
        if day is None or not day.covers(now):
            self._take_stated()
            start, end = local_day(now, self._zone)
            day = RunningInterval(self._ledger.books(self._store.entries_since(self.meter_id, start)), start, end)
            # What waits for its entry since another day is divided at midnight anew, with every count that is added.
            open_since = self._ledger.booked_until
            self._day = day if open_since is not None and day.covers(open_since) else None
        return day.energy(self._ledger.energy())

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

    def _take_stated(self) -> None:
        """Take up what a person stated meanwhile, past this process. It may belong to any day, or to none."""
        for entry in self._store.stated(self.meter_id, after=self._ledger.stated):
            self._ledger.take(entry)
            self._booked.append(entry)
            self._day = None

    def _recalibrate(self, number: int, meter: MeterReader, now: datetime) -> None:
        calibration = meter.calibration
        entries = self._ledger.begin_epoch(Epoch.of(number, calibration.counts_per_watt, inverted=calibration.inverted))
        self._store.begin_epoch(
            self.meter_id, calibration, entries, at=now, evidence="the gateway was given other constants"
        )
        self._booked += entries


def observation(reading: Reading, elapsed_us: int | None) -> Observation:
    """A reading as the ledger sees it."""
    return Observation(
        at=reading.at,
        elapsed_us=elapsed_us,
        count=reading.energy_count,
        watt=reading.watt_count,
        mode=reading.sample.counts.get("mode", 0),
        status=(status := reading.sample.counts.get("status", 0)),
        restarted=reading.evidence.is_reset,
        algebraic=any(shown.register.direction is Direction.NET for shown in reading.registers),
        last_pulse_negative=bool(status & _LAST_PULSE_NEGATIVE),
    )
