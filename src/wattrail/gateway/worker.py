"""One supervised meter. ``step`` polls it once and handles every failure; the gateway's loop calls it.

connecting ──reading──▶ live ──silence──▶ stale ──port gone──▶ lost      any of them ──defect──▶ failed
     ▲                   ▲                  │                   │
     └───── back-off ────┴──── reading ─────┴─────── reading ───┘
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from datetime import timedelta, tzinfo
from typing import Final

from wattrail.clock import MACHINE_ZONE, Clock
from wattrail.errors import StoreUnavailable, WattrailError
from wattrail.gateway.account import Account
from wattrail.gateway.bookkeeping import Bookkeeper, BookkeepingWork
from wattrail.gateway.failures import is_passing, shown_failure
from wattrail.gateway.feed import Feed, ShownMeter
from wattrail.gateway.network_meter import ArrivedReading, Failure
from wattrail.gateway.plan import MeterPlan
from wattrail.gateway.scale import MeterScale
from wattrail.gateway.scope import has_waveform
from wattrail.gateway.source import MeterReader, Opener
from wattrail.gateway.timing import BackOff, PollSchedule
from wattrail.gateway.view import MeterState, MeterView
from wattrail.gateway.waiting import Booking, StoreAvailability
from wattrail.ledger import GAP_AFTER_US, Entry
from wattrail.sources import SourceCadence
from wattrail.store import Store
from wattrail.store.rows import source_kind, without_credentials
from wattrail.units import Reading

__all__ = ["OPEN_AGAIN_AFTER", "Worker"]

OPEN_AGAIN_AFTER: Final = 4
"""Failed polls in a row on an open port before it is closed and opened again."""

_SILENT_POLLS: Final = 1.5
"""Of a chip that is read less often than every 6.7 s: one poll that is left out is a gap."""

logger = logging.getLogger(__name__)


class Worker:
    """Reads one meter in a thread of its own; what it reads is booked and shown in the thread behind ``hand_over``.

    At most one reading waits there. Without ``hand_over`` all is done in this thread.
    """

    def __init__(
        self, plan: MeterPlan, store: Store, feed: Feed, *, clock: Clock, opener: Opener, zone: tzinfo = MACHINE_ZONE,
        hand_over: Callable[[BookkeepingWork], object] | None = None, availability: StoreAvailability | None = None,
    ) -> None:  # fmt: skip
        self._availability = availability or StoreAvailability(clock)
        self._hand_over = hand_over or self._book_here
        # Samples that are taken twice move a reading by tenths of a second: at 10 s each second one would be a gap.
        self._cadence = SourceCadence(plan.poll_s, max(GAP_AFTER_US / 1e6, _SILENT_POLLS * plan.poll_s))
        # Set while no reading waits to be booked. The two threads take turns by it, and so the account needs no lock.
        self._kept = threading.Event()
        self._kept.set()
        self._refused: Exception | None = None
        self._is_account_ahead = False
        self.plan = plan
        self._store, self._feed, self._clock, self._opener, self._zone = store, feed, clock, opener, zone
        self._meter: MeterReader | None = None
        self._connected = False
        self._account: Account | None = None
        self.scale = MeterScale(plan, store)
        # Counts of lines that were closed, and the one that is open, which counts by itself. Always replaced as a pair:
        # the health page asks from another thread, and between two assignments a closing line counted nowhere.
        self._counting: tuple[Counter[str], MeterReader | None] = Counter(), None
        self._schedule = PollSchedule(plan.poll_s)
        self._back_off = BackOff()
        simulated = source_kind(plan.url) == "twin"
        self._view = MeterView(
            name=plan.name, url=without_credentials(plan.url), simulated=simulated, poll_s=plan.poll_s
        )
        feed.publish(self._view)

    def step(self) -> float:
        """Poll once, store and publish the result; returns seconds until the next poll. Raises nothing."""
        try:
            self._require_kept()
            self.poll_once()
        except WattrailError as error:
            return self._failed(error)
        except Exception as error:
            logger.exception("meter %s: a defect; the meter is started again", self.plan.name)
            return self._failed(error)
        if self._back_off.failures:
            logger.info("meter %s: read again after %d failures", self.plan.name, self._back_off.failures)
        self._back_off.succeed()
        return self._schedule.wait_s(self._clock.monotonic())

    def poll_once(self) -> None:
        """Read once, book, store and publish; connect first if needed."""
        if self._meter is None:
            self._meter = self._opener(self.plan, self._clock)
            self._counting = self._counting[0], self._meter
        meter = self._meter
        self.scale.give_to(meter)
        if not self._connected:
            meter.connect()
            self._connected = True
            logger.info("meter %s: connected", self.plan.name)
            self._view = replace(self._view, has_waveform=has_waveform(meter))
            self._warn_of_assumed_scale(meter)
        reading = meter.read()
        # Not booked here: a hundred threads that woke after a commit queued for the interpreter, 550 us a reading with
        # 500 chips where one thread that books takes 370 (ADR 45).
        self._kept.clear()
        self._hand_over(BookkeepingWork(self, ArrivedReading(reading=reading, cadence=self._cadence), self._kept.set))
        # After the reading is handed over, which is booked while a capture takes 0.2 s of the bus.
        self._feed.scopes.serve(self.plan.name, meter, reading)

    def counters(self) -> Mapping[str, int]:
        """What the meter's line did since the gateway started, each time it was opened added up; empty for a stub."""
        closed, open_line = self._counting
        return closed + _counters_of(open_line)

    # What the bookkeeping thread calls; the meter's own thread waits for it before it uses the account

    def take_up(self, arrival: ArrivedReading) -> None:
        """Book a reading: ``due`` is what the store is to keep. Raises WattrailError."""
        assert self._meter is not None
        account = self._account = self._account or self._open_account(self._meter, arrival.reading)
        account.take_up(arrival.reading)

    def due(self) -> tuple[Booking, ...]:
        """Everything of this meter that waits to be stored."""
        return () if self._account is None else self._account.due()

    def confirm(self, bookings: Sequence[Booking]) -> None:
        """Follow what was stored. Raises WattrailError."""
        if self._account is not None:
            self._account.confirm(bookings)

    def show(self, arrival: ArrivedReading) -> ShownMeter:
        """What there is to publish of a reading that is stored, or waits. Raises WattrailError."""
        account, meter, reading = self._account, self._meter, arrival.reading
        assert account is not None
        assert meter is not None
        today, total = self._view.today, self._view.total
        try:
            today, total = account.today_and_total(account.now or reading.at)
        except StoreUnavailable as error:
            self._availability.begin(error)
        self._view = replace(
            self._view, url=without_credentials(meter.url), simulated=meter.simulated, state=MeterState.LIVE,
            error=None, hint=None, retry_at=None, notice=self._noticed(account), unstored=account.unstored,
            scale=meter.scale.words(),
            reading=reading, today=today, total=total,
        )  # fmt: skip
        return self._view, account.take_booked()

    def fail(self, failure: Failure) -> None:
        """The reading could not be booked, kept or shown: the meter's own thread says so at its next step."""
        self._refused = failure.error
        self._is_account_ahead = not is_passing(failure.error)

    def close(self) -> None:
        """Close the ledger and the port. Raises nothing: what cannot be written is counted at the next start."""
        self._kept.wait()
        try:
            if self._account is not None:
                self._account.close()
        except WattrailError as error:
            logger.warning(
                "meter %s: its ledger stays open; %d readings are not stored, the meter's counter has their energy: %s",
                self.plan.name, len(self.due()), error,
            )  # fmt: skip
        if self._account is not None and (booked := self._account.take_booked()):
            self._feed.publish(self._view, booked)
        self._account = None
        self._close_meter()

    def _require_kept(self) -> None:
        """Wait until the reading before is kept. Raises what refused it."""
        self._kept.wait()
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused

    def _book_here(self, work: BookkeepingWork) -> None:
        """Book in this thread, where no other one does."""
        Bookkeeper(self._store, self._feed, availability=self._availability).book_now(work)
        self._require_kept()

    def _noticed(self, account: Account) -> str | None:
        notice = account.notice
        if (notice is None) != (self._view.notice is None):  # once for each jump: its size varies with every reading
            logger.warning("meter %s: %s", self.plan.name, notice or "the wall clock agrees with the time that passes")
        return notice if self._view.notice is None or notice is None else self._view.notice

    def _warn_of_assumed_scale(self, meter: MeterReader) -> None:
        """Log once that the front end is assumed."""
        words = meter.scale.words()
        if meter.scale.is_assumed and self._view.scale is None:
            logger.warning("meter %s: %s; name its front_end or calibrate it", self.plan.name, words)

    def _open_account(self, meter: MeterReader, first: Reading) -> Account:
        now = self._clock.now()
        return Account(
            self._store, self.plan.name, meter, first, now=now, zone=self._zone, availability=self._availability,
            longest_silence_s=self._cadence.silence_s,
        )  # fmt: skip

    def _failed(self, error: Exception) -> float:
        state, text, hint = shown_failure(error, self.plan.url)
        self._kept.wait()  # the view of the last reading comes before that of the failure
        delay = self._back_off.fail()
        if state is not MeterState.STALE or self._back_off.failures % OPEN_AGAIN_AFTER == 0:
            self._close_meter()
        booked = self._account.take_booked() if self._account is not None else ()
        if state is MeterState.FAILED and (self._is_account_ahead or not self.due()):
            self._account = None  # it may be ahead of the store: load it again
        self._is_account_ahead = False
        booked += self._store_waiting()  # no reading comes to take it along
        if (state, text) != (self._view.state, self._view.error):
            logger.warning("meter %s is %s: %s", self.plan.name, state, text)
        retry_at = self._clock.now() + timedelta(seconds=delay)
        self._view = replace(
            self._view, state=state, error=text, hint=hint, retry_at=retry_at,
            unstored=self._account.unstored if self._account is not None else None,
        )  # fmt: skip
        self._feed.publish(self._view, booked)
        return delay

    def _store_waiting(self) -> tuple[Entry, ...]:
        """Store what waits although there is no reading; gives the entries that were stored. Raises nothing."""
        if self._account is None:
            return ()
        try:
            self._account.store_waiting()
        except Exception as error:  # noqa: BLE001 the step that failed must end, whatever the cause
            logger.warning("meter %s: what waited is refused, its ledger is read again: %s", self.plan.name, error)
            self._account = None
            return ()
        return self._account.take_booked()

    def _close_meter(self) -> None:
        meter, self._meter, self._connected = self._meter, None, False
        if meter is None:
            return
        self._counting = self._counting[0] + _counters_of(meter), None
        try:
            meter.close()
        except (WattrailError, OSError) as error:
            logger.debug("meter %s: closing: %s", self.plan.name, error)


def _counters_of(meter: MeterReader | None) -> Counter[str]:
    """The counters of a meter that has some; a reader of another kind has none."""
    found = getattr(meter, "statistics", None)
    return Counter(asdict(found)) if is_dataclass(found) and not isinstance(found, type) else Counter()
