"""What one publisher has to send: live values at one cadence, registers at another, and which meters are online.

Registers go through the stored outbox. Live values do not: only the newest of each meter is ever sent. Time comes in
as an argument, in monotonic seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from wattrail.gateway import Event, MeterChanged, MeterState, MeterView
from wattrail.ledger import Totals
from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues, live_values
from wattrail.store.outbox import Outbox, StoredIdentity, StoredRegisters

__all__ = ["DEFAULT_CADENCE", "PendingMeter", "PendingValues", "PublishCadence", "published_meter"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCadence:
    """Seconds between two live values, and between two registers, of a meter.

    ``change_w`` is the change of power after which a live value is sent at once; 0 turns that off.
    """

    live_s: float = 10.0
    registers_s: float = 60.0
    change_w: float = 0.0


DEFAULT_CADENCE: Final = PublishCadence()
"""Live values every ten seconds, registers every minute: consumers write each of them into a database."""


@dataclass(slots=True)
class PendingMeter:
    """One meter, as this publisher knows it.

    ``quantities`` are those that it was ever seen to have. ``announced`` and ``shown_online`` are what the consumer was
    given since it was reached; None for nothing yet.
    """

    who: PublishedMeter
    meter_id: int
    view: MeterView | None = None
    seen_s: float = 0.0
    quantities: frozenset[str] = frozenset()
    live: LiveValues | None = None
    sent: LiveValues | None = None
    sent_s: float = float("-inf")
    stored_s: float = float("-inf")
    announced: frozenset[str] | None = None
    shown_online: bool | None = None

    def is_online(self, now_s: float) -> bool:
        """Whether its last reading is fresh, whatever its last event said: a thread that blocks sends no other."""
        if self.view is None or self.view.state is not MeterState.LIVE:
            return False
        return now_s - self.seen_s <= self.view.usual_silence_s


@dataclass(slots=True)
class PendingValues:
    """Takes the events of the gateway, and gives what is due.

    ``names`` are the meters of the configuration: one that is not read yet is known by its account, if it has one.
    Registers are stored every ``flush_s``, together: what a kill in between takes is in the next register.
    ``held`` says for each meter why its registers are not passed on.
    """

    outbox: Outbox
    cadence: PublishCadence
    names: Sequence[str]
    is_queued: bool = True
    flush_s: float = 1.0
    meters: dict[str, PendingMeter] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    _last: dict[int, StoredRegisters] = field(default_factory=dict)
    _new: list[StoredRegisters] = field(default_factory=list)
    _flushed_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._last.update(self.outbox.last())
        for name in self.names:
            self._meter(name)

    def note(self, event: Event, now_s: float) -> None:
        """Take one event."""
        if isinstance(event, MeterChanged):
            meter = self._meter(event.view.name)
            if meter is not None:
                meter.view, meter.seen_s = event.view, now_s
                if event.view.state is MeterState.LIVE:
                    self._note_reading(meter, event.view, now_s)
        if now_s - self._flushed_s >= self.flush_s:
            self.flush(now_s)

    def flush(self, now_s: float) -> None:
        """Store the registers that were noted."""
        self._flushed_s = now_s
        if self._new:  # together: each transaction takes the lock of the database from the meters
            new, self._new = self._new, []
            self.outbox.add(new, is_queued=self.is_queued)

    def store_newest(self, now_s: float) -> None:
        """Store the newest registers of every meter, whatever the cadence: this is the end."""
        for meter in self.meters.values():
            if meter.view is not None and meter.view.reading is not None and meter.view.total is not None:
                self._store(meter, meter.view.total, meter.view.reading.at, now_s)
        self.flush(now_s)

    def due(self, now_s: float) -> Iterator[tuple[PendingMeter, LiveValues]]:
        """Live values to send now. Call ``live_sent`` for each that was sent."""
        for meter in self.meters.values():
            live = meter.live
            if live is None or live is meter.sent or not live.values or not meter.is_online(now_s):
                continue
            if now_s - meter.sent_s >= self.cadence.live_s or self._has_moved(meter.sent, live):
                yield meter, live

    @staticmethod
    def live_sent(meter: PendingMeter, live: LiveValues, now_s: float) -> None:
        """A live value was sent."""
        meter.sent, meter.sent_s = live, now_s

    def registers(self, meter: PendingMeter) -> RegisterValues | None:
        """The newest registers of a meter that may be passed on."""
        last = self._last.get(meter.meter_id)
        return RegisterValues.of(last.totals, last.at) if last else None

    def by_id(self) -> Mapping[int, PendingMeter]:
        """The meters by the id of their account."""
        return {meter.meter_id: meter for meter in self.meters.values()}

    def _meter(self, name: str) -> PendingMeter | None:
        """A meter by its name; None before its first reading, with which its account opens."""
        if name not in self.meters:
            found = self.outbox.identity(name)
            if found is None:
                return None
            self.meters[name] = PendingMeter(published_meter(found), found.meter_id)
        return self.meters[name]

    def _note_reading(self, meter: PendingMeter, view: MeterView, now_s: float) -> None:
        if view.reading is None:
            return
        if meter.live is None or meter.live.at != view.reading.at:
            meter.live = live_values(view.reading, view.link)
            if view.has_estimates and not meter.who.has_estimates:
                meter.who, meter.announced = replace(meter.who, has_estimates=True), None
            meter.quantities |= meter.live.values.keys()
        if view.total is not None and now_s - meter.stored_s >= self.cadence.registers_s:
            self._store(meter, view.total, view.reading.at, now_s)

    def _store(self, meter: PendingMeter, totals: Totals, at: datetime, now_s: float) -> None:
        last, new = self.registers(meter), RegisterValues.of(totals, at)
        # Home Assistant takes a fall for a new meter and counts it all again, so it is held here. Source: ha/mqtt
        if last is not None and new.is_below(last):
            self._hold(meter.who.name, new, last)
            return
        self.held.pop(meter.who.name, None)
        meter.stored_s = now_s
        if last != new:
            row = StoredRegisters(meter_id=meter.meter_id, at=at, totals=totals)
            self._last[meter.meter_id] = row
            self._new.append(row)

    def _hold(self, name: str, new: RegisterValues, last: RegisterValues) -> None:
        if name not in self.held:
            logger.warning("meter %s: registers fell, and are not passed on to %s", name, self.outbox.consumer)
        self.held[name] = f"the registers fell to {_in_kwh(new)}, below the last published {_in_kwh(last)}"

    def _has_moved(self, sent: LiveValues | None, live: LiveValues) -> bool:
        if sent is None or not self.cadence.change_w:
            return False
        before, after = sent.values.get("power"), live.values.get("power")
        return before is not None and after is not None and abs(after - before) >= self.cadence.change_w


def published_meter(known: StoredIdentity) -> PublishedMeter:
    """Who a meter of the store is to consumers."""
    return PublishedMeter(
        identity=known.identity, name=known.name, simulated=known.simulated, has_estimates=known.has_estimates
    )


def _in_kwh(registers: RegisterValues) -> str:
    return f"{registers.import_mwh / 1e6:.3f} kWh import and {registers.export_mwh / 1e6:.3f} kWh export"
