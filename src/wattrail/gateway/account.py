"""One meter's books: what a reading means to the ledger, kept in the store together with what it causes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, Protocol

from wattrail.calibration import Calibration
from wattrail.clock import MACHINE_ZONE
from wattrail.energy_register import Direction, Freshness, Persistence
from wattrail.errors import StoreError, StoreUnavailable, StoreUncertain
from wattrail.gateway.waiting import WRITE_WITHIN_S, Booking, StoreAvailability, UnstoredReadings, WaitingBookings
from wattrail.ledger import (
    CONFIRM_US,
    GAP_AFTER_US,
    Channels,
    Entry,
    EntryKind,
    Epoch,
    Ledger,
    Observation,
    RunningInterval,
    Totals,
    local_day,
)
from wattrail.store import Store
from wattrail.store.registers import counts_alike
from wattrail.store.rows import epoch_constants
from wattrail.units import Reading

__all__ = ["Account", "BookedMeter", "is_booked", "observation"]

_LAST_PULSE_NEGATIVE = 1
"""STATUS[0] of a BL0942; chips without it leave STATUS out."""

_RECALIBRATED: Final = "the gateway was given other constants"
_OTHER_REGISTERS: Final = "the meter shows other registers"

logger = logging.getLogger(__name__)


class BookedMeter(Protocol):
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
        """Its constants; None where it scales by itself."""
        ...


class Account:
    """Books readings of one meter. After an exception open another: what is stored is right, this may be ahead.

    ``first`` is the first reading to be booked: it shows which registers the meter has. ``longest_silence_s`` is
    how long the meter may be silent before the time between two readings counts as a gap. ``has_estimates``: some of
    its energy is estimated by power.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        meter: BookedMeter,
        first: Reading,
        *,
        now: datetime,
        zone: tzinfo = MACHINE_ZONE,
        longest_silence_s: float = GAP_AFTER_US / 1e6,
        availability: StoreAvailability | None = None,
    ) -> None:
        self._availability = availability or StoreAvailability()
        self._waiting = WaitingBookings(self._availability.max_waiting)
        self._channels = Channels.of([shown.register for shown in first.registers])
        row = store.register_meter(
            name, meter.url, simulated=meter.simulated, calibration=meter.calibration,
            registers=self._channels.registers, at=now,
        )  # fmt: skip
        self.meter_id, self.name, self.simulated = row.id, name, meter.simulated
        self._store, self._zone, self._calibration = store, zone, meter.calibration
        silence_us = round(longest_silence_s * 1e6)
        ledger = store.ledger(row.id, longest_silence_us=silence_us)
        self._ledger = ledger or Ledger(row.epoch, longest_silence_us=silence_us)
        self._known = frozenset(shown.register for shown in first.registers)
        self.has_estimates = bool(store.estimated_times(row.id)) or first.is_estimated
        self._seen_us: int | None = None  # none after a start: how long the meter was silent is then not known
        self._booked: list[Entry] = []
        self._day: RunningInterval | None = None
        if row.recalibrated:
            self._begin_epoch(row.epoch.number + 1, meter.calibration, now, _RECALIBRATED)

    def book(self, reading: Reading) -> None:
        """Account for a reading; once this returns, it is stored, or waits: ``unstored`` says so."""
        self.take_up(reading)
        self.store_waiting()

    def take_up(self, reading: Reading) -> None:
        """Let the ledger see a reading; what the store is to keep for it waits. Store ``due``, then ``confirm`` it.

        One without a register, or kept by a broker for nobody knows how long, proves no energy and is left out.
        """
        if is_booked(reading):
            self._waiting.limit = self._availability.max_waiting  # a reload may have changed how many share the room
            self._waiting.add(self._booking(reading))

    def expect_silence(self, seconds: float) -> None:
        """How long the meter may be silent from now on; see ``longest_silence_s``."""
        self._ledger.longest_silence_us = round(seconds * 1e6)

    def due(self) -> tuple[Booking, ...]:
        """Everything that waits to be stored, oldest first."""
        return self._waiting.all()

    @property
    def unstored(self) -> UnstoredReadings | None:
        """What waits because the store cannot be written; None if nothing."""
        return self._availability.unstored(len(self._waiting), self._waiting.dropped)

    def store_waiting(self) -> None:
        """Store what waits, if the store can be written. Raises StoreError where it refuses that."""
        bookings = self._waiting.all()
        if not bookings or not self._availability.may_try():
            return
        try:
            self._store.append_all(bookings, wait_s=WRITE_WITHIN_S)
            self._availability.end()
            self.confirm(bookings)
        except StoreUncertain:
            raise
        except StoreUnavailable as error:
            self._availability.begin(error)

    def _booking(self, reading: Reading) -> Booking:
        if self._ledger.doubted:
            self._take_stated()  # that the register was reset: no entry is written while it is held
        is_recalibrated = self._is_recalibrated(reading)
        if is_recalibrated or any(shown.register not in self._known for shown in reading.registers):
            self._change_registers(reading, is_recalibrated=is_recalibrated)
        if (reset := self._ledger.open_reset) is not None:
            evidence = f"manual entry {reset.sequence}: {reset.who} states a reset: {reset.note}"
            self._begin_epoch(self._ledger.epoch.number + 1, self._calibration, reading.at, evidence)
        moment_us = round(reading.monotonic * 1e6)
        elapsed_us = None if self._seen_us is None else moment_us - self._seen_us
        seen = observation(reading, elapsed_us, self._channels)
        self._seen_us = moment_us
        return self.meter_id, reading, seen, self._ledger.observe(seen)

    def confirm(self, bookings: Sequence[Booking]) -> None:
        """Follow what was stored: all that was ``due``."""
        self._waiting.stored(bookings)
        entries = [entry for *_, entries in bookings for entry in entries]
        self._booked += entries
        for entry in entries:
            logger.info(
                "meter %s: booked entry %d, %s, %s to %s: %d counts by positive power, %d by negative, %d undirected",
                self.name, entry.sequence, entry.kind.value, entry.start, entry.end,
                entry.positive, entry.negative, entry.undirected,
            )  # fmt: skip
            if entry.kind is EntryKind.CLOCK:
                self._day = None  # what was booked by the clock before may be another day's
                logger.warning("meter %s: %s", self.name, entry.note)
            if entry.kind is EntryKind.RESTART and entry.note == self._ledger.misdeclared:
                logger.warning("meter %s: %s", self.name, self._misdeclared())
        if entries:
            self._take_stated()

    def totals(self) -> Totals:
        """The energy registers."""
        return self._ledger.totals()

    def today(self, now: datetime) -> Totals:
        """Energy of the local day that ``now`` lies in, as the ledger gives it for that day."""
        return self.today_and_total(now)[0]

    def today_and_total(self, now: datetime) -> tuple[Totals, Totals]:
        """``today`` and ``totals`` at once: the energy of both is derived once."""
        energy, day = self._ledger.energy(), self._day
        if day is None or not day.covers(now):
            self._take_stated()
            start, end = local_day(now, self._zone)
            entries = (*self._store.entries_since(self.meter_id, start), *self._waiting.entries())
            day = RunningInterval(self._ledger.ledger_slice(entries), start, end)
            # What waits for its entry since another day is divided at midnight again, with every count that is added.
            open_since = self._ledger.booked_until
            self._day = day if open_since is not None and day.covers(open_since) else None
            energy = self._ledger.energy()
        return day.energy(energy), self._ledger.registers(energy)

    @property
    def now(self) -> datetime | None:
        """The ledger's own time, in which a clock that jumps leaves no trace."""
        return self._ledger.now

    @property
    def notice(self) -> str | None:
        """What its owner should know, as text: that the wall clock jumped, or that a register is not believed."""
        offset = self._ledger.clock_offset
        if offset is None:
            return f"{self._ledger.doubted}{self._remedy()}" if self._ledger.doubted else self._misdeclared()
        way = "ahead of" if offset > timedelta() else "behind"
        return (
            f"the wall clock jumped: it is {abs(offset)} {way} the time that passed. Entries go on by the time that "
            f"passes, and follow the wall clock once it has kept its time for {CONFIRM_US // 60_000_000} minutes"
        )

    def _remedy(self) -> str:
        if any(register.persistence is Persistence.KEPT for register in self._channels.registers):
            return f". If the meter was reset or exchanged: wattrail ledger accept-reset {self.name}"
        return ""

    def _misdeclared(self) -> str | None:
        text = self._ledger.misdeclared
        return f"{text}. Write its class (class=B) in the URL, or name a total that is not periodic" if text else None

    def close(self) -> None:
        """Write what waits, and what is counted but not yet an entry."""
        bookings, entries = self._waiting.all(), self.finish()
        if bookings:
            self._store.append_all(bookings, wait_s=WRITE_WITHIN_S)
            self.confirm(bookings)
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

    def _is_recalibrated(self, reading: Reading) -> bool:
        """Whether a chip is read with other constants than those that hold in the ledger."""
        given, held = reading.calibration, self._calibration
        return given is not None and given is not held and epoch_constants(given) != epoch_constants(held)

    def _change_registers(self, reading: Reading, *, is_recalibrated: bool) -> None:
        """The meter shows other registers than before: other firmware, another step, another calibration."""
        self._require_nothing_waiting()
        channels = Channels.of([shown.register for shown in reading.registers])
        self._known = frozenset(shown.register for shown in reading.registers)
        if is_recalibrated or not counts_alike(channels.registers, self._channels.registers):
            self._channels, self.has_estimates = channels, self.has_estimates or reading.is_estimated
            number = self._ledger.epoch.number + 1
            evidence = _RECALIBRATED if is_recalibrated else _OTHER_REGISTERS
            self._begin_epoch(number, reading.calibration, reading.at, evidence)

    def _require_nothing_waiting(self) -> None:
        """An epoch follows the entries of the one before. Raises StoreUnavailable; the reading is then not booked."""
        if bookings := self._waiting.all():
            self._store.append_all(bookings, wait_s=WRITE_WITHIN_S)
            self._availability.end()
            self.confirm(bookings)

    def _begin_epoch(self, number: int, calibration: Calibration | None, at: datetime, evidence: str) -> None:
        self._require_nothing_waiting()
        registers, self._calibration = self._channels.registers, calibration
        inverted = calibration is not None and calibration.inverted
        entries = self._ledger.begin_epoch(Epoch(number=number, registers=registers, inverted=inverted))
        try:
            self._store.begin_epoch(self.meter_id, calibration, entries, at=at, evidence=evidence, registers=registers)
        except StoreUnavailable as error:  # the ledger is ahead of the store, and must be read again
            raise StoreError(str(error), hint=error.hint) from error
        self._booked += entries


def is_booked(reading: Reading) -> bool:
    """Whether a reading proves any energy."""
    return bool(reading.registers) and reading.freshness is not Freshness.RETAINED


def observation(reading: Reading, elapsed_us: int | None, channels: Channels | None = None) -> Observation:
    """A reading as the ledger sees it; ``channels`` say how its registers are booked."""
    channels = channels or Channels.of([shown.register for shown in reading.registers])
    count, *export = channels.counts([shown.count for shown in reading.registers])
    main, sampled = channels.registers[0], reading.sample.counts
    return Observation(
        at=reading.at,
        elapsed_us=elapsed_us,
        count=count,
        export_count=export[0] if export else None,
        watt=None if reading.watts is None and "watt" not in sampled else reading.watt_count,
        mode=sampled.get("mode", 0),
        status=(status := sampled.get("status", 0)),
        restarted=reading.evidence.is_reset,
        boot=None if main.is_confirmed else reading.evidence,
        algebraic=main.direction is Direction.NET,
        last_pulse_negative=bool(status & _LAST_PULSE_NEGATIVE),
    )
