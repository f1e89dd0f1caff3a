"""One meter's account: what a reading means to the ledger, stored together with the entries that it causes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from wattrail.calibration import Calibration
from wattrail.clock import MACHINE_ZONE
from wattrail.energy_register import Direction, EnergyRegister, RegisterCount
from wattrail.ledger import (
    CONFIRM_US,
    GAP_AFTER_US,
    Channels,
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

__all__ = ["Account", "Booking", "MeterIdentity", "observation"]

_LAST_PULSE_NEGATIVE = 1
"""STATUS[0] of a BL0942; chips without it leave STATUS out."""

Booking = tuple[int, Reading, Observation, tuple[Entry, ...]]
"""The id of a meter, a reading, what the ledger saw in it, and the entries that it caused."""

logger = logging.getLogger(__name__)


class MeterIdentity(Protocol):
    """What the store keeps of a meter."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether it is a twin."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """Its constants; None where it scales for itself."""
        ...


class Account:
    """Books readings of one meter. After an exception open another: what is stored is right, this may be ahead.

    ``registers`` are those of its readings. ``longest_silence_s`` is how long the meter may be silent before the time
    between two readings counts as a gap. Raises LedgerError, StoreError.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        meter: MeterIdentity,
        registers: Sequence[EnergyRegister],
        *,
        now: datetime,
        zone: tzinfo = MACHINE_ZONE,
        longest_silence_s: float = GAP_AFTER_US / 1e6,
    ) -> None:
        self._registers, self._channels = tuple(registers), Channels.of(registers)
        row = store.register_meter(
            name, meter.url, simulated=meter.simulated, calibration=meter.calibration,
            registers=self._channels.registers, at=now,
        )  # fmt: skip
        self.meter_id, self.name, self.simulated = row.id, name, meter.simulated
        self._meter = meter
        self._store, self._zone = store, zone
        silence_us = round(longest_silence_s * 1e6)
        self._ledger = store.ledger(row.id, longest_silence_us=silence_us) or Ledger(
            row.epoch, longest_silence_us=silence_us
        )
        self._seen_us: int | None = None
        self._booked: list[Entry] = []
        self._day: RunningInterval | None = None
        if row.recalibrated:
            self._recalibrate(now)

    def book(self, reading: Reading) -> None:
        """Account for a reading; once this returns, it is kept."""
        booking = self.prepare(reading)
        self._store.append_all([booking])
        self.confirm(booking)

    def prepare(self, reading: Reading) -> Booking:
        """What the store is to keep for a reading. Keep it, then ``confirm`` it, before another is prepared."""
        self._follow_registers(reading)
        moment_us = round(reading.monotonic * 1e6)
        elapsed_us = None if self._seen_us is None else moment_us - self._seen_us
        seen = observation(reading, elapsed_us, self._channels)
        self._seen_us = moment_us
        return self.meter_id, reading, seen, self._ledger.observe(seen)

    def confirm(self, booking: Booking) -> None:
        """Follow what was kept."""
        *_, entries = booking
        self._booked += entries
        for entry in entries:
            logger.info(
                "meter %s: booked entry %d, %s, %s to %s: %d counts by positive power, %d by negative, %d undirected",
                self.name, entry.sequence, entry.kind.value, entry.start, entry.end,
                entry.positive, entry.negative, entry.undirected,
            )  # fmt: skip
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
        """What its owner should know, in words: that the wall clock jumped, or that a register is not believed."""
        offset = self._ledger.clock_offset
        if offset is None:
            return self._ledger.doubted or None
        way = "ahead of" if offset > timedelta() else "behind"
        return (
            f"the wall clock jumped: it is {abs(offset)} {way} the time that passed. Entries go on by the time that "
            f"passes, and follow the wall clock once it has kept its time for {CONFIRM_US // 60_000_000} minutes"
        )

    def close(self) -> None:
        """Write what is counted but not yet an entry."""
        entries = self.finish()
        self._store.book(self.meter_id, entries)
        self._booked += entries

    def finish(self) -> tuple[Entry, ...]:
        """What is counted but not yet an entry, for whoever writes it in place of ``close``."""
        return self._ledger.close()

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

    def _follow_registers(self, reading: Reading) -> None:
        """Begin another epoch where a meter shows other registers than before."""
        registers = _registers(reading.registers)
        if registers != self._registers:
            self._registers, self._channels = registers, Channels.of(registers)
            if self._channels.registers != self._ledger.epoch.registers:
                self._recalibrate(reading.at)

    def _recalibrate(self, now: datetime) -> None:
        calibration, registers = self._meter.calibration, self._channels.registers
        epoch = Epoch(
            number=self._ledger.epoch.number + 1, registers=registers,
            inverted=calibration is not None and calibration.inverted,
        )  # fmt: skip
        entries = self._ledger.begin_epoch(epoch)
        self._store.begin_epoch(
            self.meter_id, calibration, entries,
            at=now, evidence="the meter has other constants or registers", registers=registers,
        )  # fmt: skip
        self._booked += entries


def observation(reading: Reading, elapsed_us: int | None, channels: Channels | None = None) -> Observation:
    """A reading as the ledger sees it. ``channels`` are those of its registers, made from it if left out."""
    channels = channels or Channels.of(_registers(reading.registers))
    counts = channels.counts([shown.count for shown in reading.registers])
    main = channels.registers[0]
    status = reading.sample.counts.get("status", 0)
    return Observation(
        at=reading.at,
        elapsed_us=elapsed_us,
        count=counts[0],
        watt=_watt(reading),
        mode=reading.sample.counts.get("mode", 0),
        status=status,
        restarted=reading.evidence.is_reset,
        algebraic=main.direction is Direction.NET,
        last_pulse_negative=bool(status & _LAST_PULSE_NEGATIVE),
        export_count=counts[1] if len(counts) > 1 else None,
        boot=None if main.is_confirmed else reading.evidence,
    )


def _registers(shown: Sequence[RegisterCount]) -> tuple[EnergyRegister, ...]:
    return tuple(one.register for one in shown)


def _watt(reading: Reading) -> int | None:
    """The power count of a chip, else milliwatts, else None."""
    if (count := reading.sample.counts.get("watt")) is not None:
        return count
    return None if reading.watts is None else round(1000 * reading.watts)
