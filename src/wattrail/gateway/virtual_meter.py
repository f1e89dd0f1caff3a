"""Virtual meters in a gateway: they follow what their members book, in a thread of their own.

Entries are derived from the stored entries of the members, never from events: an event only says that there may be
more. So a process that is killed between the two goes on where the last stored entry ends, and the past of the members
is there at once. Live power is that of the members' last readings. See docs/adr/0035.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from wattrail.clock import Clock
from wattrail.energy_register import RegisterCount
from wattrail.errors import LedgerError, StoreError, WattrailError
from wattrail.gateway.events import EntryBooked, EventsLost, MeterChanged
from wattrail.gateway.failures import shown_failure
from wattrail.gateway.feed import Feed
from wattrail.gateway.plan import VirtualPlan
from wattrail.gateway.threads import start_thread
from wattrail.gateway.view import MeterState, MeterView
from wattrail.gateway.waiting import WRITE_WITHIN_S
from wattrail.ledger import (
    VIRTUAL_REGISTERS,
    Definition,
    Entry,
    LedgerSlice,
    MemberLedger,
    Observation,
    Totals,
    VirtualLedger,
    by_interval,
    local_day,
    registers_at,
)
from wattrail.store import MeterRow, Store
from wattrail.units import Quantities, Reading

__all__ = ["VirtualMeter", "VirtualMeters"]

_MAX_NEWS: Final = 60
"""Entries booked together that are still news, an hour of them: the past of the members, a day at a time, is none."""

_WORST_FIRST: Final = (MeterState.FAILED, MeterState.LOST, MeterState.STALE, MeterState.CONNECTING)

logger = logging.getLogger(__name__)


class VirtualMeters:
    """The thread of all virtual meters. Without any there is none."""

    def __init__(self, plans: Iterable[VirtualPlan], store: Store, feed: Feed, *, clock: Clock, zone: tzinfo) -> None:
        self._feed = feed
        self._meters = [VirtualMeter(plan, store, feed, clock=clock, zone=zone) for plan in plans]
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow the members; call it before they are read."""
        if self._meters:
            self._events = self._feed.subscribe("virtual meters")
            self._thread = start_thread(self._run, name="virtual meters")

    def stop(self, until: float) -> threading.Thread | None:
        """Once the members have stopped: book what they booked last, until a moment of the monotonic clock at most.

        Returns the thread, which may still be busy; None if there was none.
        """
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._events.end()
            thread.join(max(0.0, until - time.monotonic()))
        return thread

    def _run(self) -> None:
        try:
            for meter in self._meters:  # what members booked before there was a virtual meter, or while none ran
                meter.follow(self._stopping)
            with self._events:
                for event in self._events:
                    for meter in self._meters:
                        self._notify(meter, event)
            for meter in self._meters:  # the last entries of members, whose threads have ended by now
                meter.follow(self._stopping)
        except Exception:  # each meter shows its own errors; a defect around them must be logged
            logger.exception("virtual meters: their thread ended by a defect")

    def _notify(self, meter: VirtualMeter, event: object) -> None:
        match event:
            case EventsLost():
                meter.follow(self._stopping)
            case EntryBooked(meter=name) if name in meter.plan.definition.members:
                meter.follow(self._stopping)
            case MeterChanged(view=view) if view.name in meter.plan.definition.members:
                meter.show_power()


@dataclass(slots=True)
class _Followed:
    """What is known of the account: its row, its members, and its own entries of today."""

    row: MeterRow
    ids: tuple[int, ...]
    members: tuple[MemberLedger, ...]
    ledger: VirtualLedger
    today: LedgerSlice
    day: tuple[datetime, datetime]


class VirtualMeter:
    """Books and shows one virtual meter. Everything here runs in the thread of all of them."""

    def __init__(self, plan: VirtualPlan, store: Store, feed: Feed, *, clock: Clock, zone: tzinfo) -> None:
        self.plan = plan
        self._store, self._feed, self._clock, self._zone = store, feed, clock, zone
        self._followed: _Followed | None = None
        self._shown: tuple[float, ...] = ()
        self._view = MeterView(
            name=plan.name, url=plan.definition.url, simulated=False, scale="derived from other meters"
        )
        feed.publish(self._view)

    def follow(self, stopping: threading.Event | None) -> None:
        """Book what all members have booked since. Raises nothing; ``stopping`` ends a long past between two days."""
        try:
            self._followed = self._followed or self._open()
            if self._followed is not None:
                self._take_members(self._followed)
                while self._book_some(self._followed) and not (stopping and stopping.is_set()):
                    pass
        except WattrailError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("meter %s: a defect", self.plan.name)
            self._fail(error)

    def show_power(self) -> None:
        """Show the power of the members together, once each of them was read again."""
        views = [self._feed.view(name) for name in self.plan.definition.members]
        members = [view for view in views if view is not None]
        worst = next((view for state in _WORST_FIRST for view in members if view.state is state), None)
        if self._view.state is MeterState.FAILED and self._followed is None:
            return
        if worst is not None or len(members) < len(views):
            self._wait_for(worst)
            return
        readings = [view.reading for view in members if view.reading is not None]
        moments = tuple(reading.monotonic for reading in readings)
        powers = [reading.watts for reading in readings if reading.watts is not None]
        is_new = not self._shown or all(now > before for now, before in zip(moments, self._shown, strict=True))
        if len(powers) == len(views) and is_new:
            self._shown = moments
            self._show(members, readings, self.plan.definition.watts(powers))

    def _open(self) -> _Followed | None:
        """The account, once every member has one. Raises StoreError, LedgerError."""
        definition, store = self.plan.definition, self._store
        found = [store.meter(name) for name in definition.members]
        rows = [row for row in found if row is not None]
        if len(rows) < len(found):
            return None
        simulated = _one_kind(self.plan.name, rows)
        row = store.register_meter(
            self.plan.name, definition.url, simulated=simulated, calibration=None, registers=VIRTUAL_REGISTERS,
            at=self._clock.now(), evidence=definition.url,
        )  # fmt: skip
        self._view = replace(self._view, simulated=simulated)
        own = store.entries_since(row.id, datetime.max.replace(tzinfo=self._clock.now().tzinfo))
        last = own[-1] if own else None
        number = row.epoch.number
        if store.evidence(row.id)[number] != definition.url:
            last = self._begin_epoch(row, self._to_the_end(row, last))
            number += 1
        followed = self._opened(row, rows, number, last, definition)
        if last is not None:
            self._view = replace(self._view, today=_energy_of(followed), total=_total_of(followed))
        return followed

    def _opened(
        self, row: MeterRow, rows: Sequence[MeterRow], number: int, last: Entry | None, definition: Definition
    ) -> _Followed:
        since = last.end if last else None
        members = tuple(MemberLedger(self._store.ledger_slice(one.id, since=since)) for one in rows)
        ledger = VirtualLedger(definition, members, epoch=number, last=last)
        day = local_day(self._clock.now(), self._zone)
        today = self._store.ledger_slice(row.id, since=day[0])
        return _Followed(row, tuple(one.id for one in rows), members, ledger, today, day)

    def _to_the_end(self, row: MeterRow, last: Entry | None) -> Entry | None:
        """Book all that the definition before can still follow; returns the last entry."""
        before = Definition.from_url(self._store.evidence(row.id)[row.epoch.number])
        found = [self._store.meter(name) for name in before.members]
        rows = [one for one in found if one is not None]
        if len(rows) < len(found):
            return last  # one was renamed
        ledger = self._opened(row, rows, row.epoch.number, last, before).ledger
        while entries := ledger.close() or ledger.close(to_the_end=True):
            self._store.book(row.id, entries)
            last = entries[-1]
        return last

    def _begin_epoch(self, row: MeterRow, last: Entry | None) -> Entry | None:
        """Let another definition hold from the last moment on that the one before has booked."""
        definition, number = self.plan.definition, row.epoch.number + 1
        ledger = VirtualLedger(definition, (), epoch=number, last=last)
        entries = ledger.begin_epoch()
        self._store.begin_epoch(
            row.id, None, entries, at=self._clock.now(), evidence=definition.url, registers=VIRTUAL_REGISTERS
        )
        logger.info("meter %s: another definition, %s", self.plan.name, definition.url)
        return entries[-1] if entries else last

    def _take_members(self, followed: _Followed) -> None:
        for meter_id, member in zip(followed.ids, followed.members, strict=True):
            later = self._store.entries_after(meter_id, member.sequence)
            member.take(later.entries, later.epochs)

    def _book_some(self, followed: _Followed) -> bool:
        """Book the next day at most; whether there was any."""
        entries = followed.ledger.close()
        if not entries:
            return False
        self._store.book(followed.row.id, entries)
        now = self._clock.now()
        if not followed.day[0] <= now < followed.day[1]:
            followed.day = local_day(now, self._zone)
            followed.today = self._store.ledger_slice(followed.row.id, since=followed.day[0])
        else:
            today = tuple(entry for entry in entries if entry.end >= followed.day[0])
            if len(today) < len(entries):
                followed.today = self._store.ledger_slice(followed.row.id, since=followed.day[0])
            else:
                followed.today = replace(
                    followed.today, entries=followed.today.entries + today, stated=self._store.stated(followed.row.id)
                )
        self._view = replace(self._view, today=_energy_of(followed), total=_total_of(followed))
        self._feed.publish(self._view, entries if len(entries) < _MAX_NEWS else ())
        return True

    def _show(self, members: Sequence[MeterView], readings: Sequence[Reading], watts: float) -> None:
        registers = self._registers()
        reading = Reading(
            at=min(reading.at for reading in readings), monotonic=min(reading.monotonic for reading in readings),
            sample=Quantities(watts=watts), registers=registers, simulated=self._view.simulated,
        )  # fmt: skip
        if self._followed is not None:
            counts = [one.count for one in registers]
            seen = Observation(
                at=reading.at, elapsed_us=None, count=counts[0], export_count=counts[1], watt=round(watts * 1000)
            )
            try:
                # Not longer: members wait for the same lock of the store.
                self._store.append_all([(self._followed.row.id, reading, seen, ())], wait_s=WRITE_WITHIN_S)
            except StoreError as error:
                self._fail(error)
                return
        self._view = replace(
            self._view, state=MeterState.LIVE, error=None, hint=None, reading=reading,
            poll_s=max(view.poll_s for view in members), silence_s=max(view.usual_silence_s for view in members),
            has_estimates=any(view.has_estimates for view in members),
            is_estimated=any(view.is_estimated for view in members),
        )  # fmt: skip
        self._feed.publish(self._view)

    def _registers(self) -> tuple[RegisterCount, ...]:
        last = self._followed.today.entries[-1] if self._followed is not None and self._followed.today.entries else None
        counts = (last.count, last.export_count or 0) if last else (0, 0)
        return tuple(RegisterCount(register, count) for register, count in zip(VIRTUAL_REGISTERS, counts, strict=True))

    def _wait_for(self, worst: MeterView | None) -> None:
        if worst is None:
            return
        error = f"{worst.name} is {worst.state}" + (f": {worst.error}" if worst.error else "")
        if (worst.state, error) != (self._view.state, self._view.error):
            self._view = replace(self._view, state=worst.state, error=error, hint=worst.hint)
            self._feed.publish(self._view)

    def _fail(self, error: Exception) -> None:
        _, text, hint = shown_failure(error)  # whatever it is, no port is at fault
        self._followed = None  # it may be ahead of the store: load it again
        if text != self._view.error:
            logger.warning("meter %s is failed: %s", self.plan.name, text)
        self._view = replace(self._view, state=MeterState.FAILED, error=text, hint=hint)
        self._feed.publish(self._view)


def _one_kind(name: str, rows: Sequence[MeterRow]) -> bool:
    """Whether the members are simulated. Raises LedgerError where some are and some are not."""
    twins = [row.name for row in rows if row.simulated]
    if twins and len(twins) < len(rows):
        raise LedgerError(
            f"{name!r} would mix simulated energy ({', '.join(twins)}) with that of real meters",
            hint="name only twins, or only real meters, in its [[virtual]] table",
        )
    return bool(twins)


def _energy_of(followed: _Followed) -> Totals:
    return by_interval(followed.today, followed.day)[0].energy


def _total_of(followed: _Followed) -> Totals:
    the_end = datetime.max.replace(tzinfo=followed.day[0].tzinfo)
    return registers_at(followed.today, [the_end])[0].register.rounded_down()
