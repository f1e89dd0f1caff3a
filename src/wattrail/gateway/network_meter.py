"""One network meter as the bookkeeping thread has it: its account, its view and its connection of today."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from wattrail.clock import Clock
from wattrail.energy_register import BootEvidence, Freshness
from wattrail.errors import StoreUnavailable, WattrailError
from wattrail.gateway.account import Account, is_booked
from wattrail.gateway.failures import is_passing, shown_failure
from wattrail.gateway.feed import Feed, ShownMeter
from wattrail.gateway.plan import MeterPlan
from wattrail.gateway.view import MeterState, MeterView
from wattrail.gateway.waiting import Booking, StoreAvailability
from wattrail.ledger import Boot, Entry, boot_between
from wattrail.network_meters.link_health import LinkDay, LinkEvents, LinkWatch, advice
from wattrail.sources import SourceCadence
from wattrail.store import Store
from wattrail.store.rows import without_credentials
from wattrail.units import Reading

__all__ = ["ArrivedReading", "Failure", "NetworkMeter"]

_SCALE: Final = "the meter scales by itself"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedReading:
    """A reading with what its source says beside it."""

    reading: Reading
    cadence: SourceCadence
    signal_dbm: float | None = None
    reconnects: int = 0
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no reading, and in how many seconds it is tried again.

    ``is_broker``: a broker is the cause; ``is_booking``: the reading was there, and could not be booked.
    """

    error: Exception
    retry_s: float
    is_broker: bool = False
    is_booking: bool = False


@dataclass(frozen=True, slots=True)
class _Identity:
    url: str
    simulated: bool
    calibration: None = None


class NetworkMeter:
    """Books and shows one network meter. Everything here runs in the bookkeeping thread."""

    def __init__(
        self, plan: MeterPlan, store: Store, feed: Feed, *, clock: Clock, zone: tzinfo,
        availability: StoreAvailability | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self._availability = availability or StoreAvailability(clock)
        self._store, self._feed, self._clock, self._zone = store, feed, clock, zone
        self._url = without_credentials(plan.url)
        self._account: Account | None = None
        self._link: LinkWatch | None = None
        self._unsaved_day: LinkDay | None = None
        self._evidence: tuple[BootEvidence, float] | None = None
        self._reconnects = 0
        self._is_link_restored = False
        self._view = MeterView(name=plan.name, url=self._url, simulated=False, poll_s=plan.poll_s)
        feed.publish(self._view)

    def take_up(self, arrival: ArrivedReading) -> None:
        """Book a reading, unless it has no registers: ``due`` is what the store is to keep. Raises WattrailError."""
        reading = arrival.reading
        if reading.freshness is not Freshness.RETAINED:
            self._watch_link(arrival)
        if not is_booked(reading):
            return
        if self._account is not None and self._account.simulated != reading.simulated:
            self._account = None  # another is opened, and the store refuses to mix the two
        account = self._account = self._account or self._open_account(arrival)
        account.expect_silence(_usual_silence_s(arrival))
        account.take_up(reading)

    def due(self) -> tuple[Booking, ...]:
        """Everything of this meter that waits to be stored."""
        return () if self._account is None else self._account.due()

    def confirm(self, bookings: Sequence[Booking]) -> None:
        """Follow what was stored. Raises WattrailError."""
        if self._account is not None:
            self._account.confirm(bookings)

    def show(self, arrival: ArrivedReading) -> ShownMeter | None:
        """What there is to publish of a reading that is stored, or waits. Raises WattrailError."""
        account, view, reading = self._account, self._view, arrival.reading
        if reading.freshness is Freshness.RETAINED:
            return None  # nobody knows how old it is: it makes no meter live
        if account is not None and is_booked(reading):
            try:
                today, total = account.today_and_total(account.now or reading.at)
                view = replace(view, today=today, total=total)
            except StoreUnavailable as error:
                self._availability.begin(error)
            view = replace(
                view, notice=account.notice, unstored=account.unstored, has_estimates=account.has_estimates,
                is_estimated=reading.is_estimated,
            )  # fmt: skip
        if view.state is not MeterState.LIVE:
            logger.info("meter %s: read", self.plan.name)
        link = self._link.day if self._link is not None else None
        self._view = replace(
            view, simulated=reading.simulated, state=MeterState.LIVE, error=None, hint=None, retry_at=None,
            poll_s=arrival.cadence.expected_s, silence_s=arrival.cadence.silence_s, scale=_SCALE, reading=reading,
            link=link, advice=(*arrival.advice, *(advice(link) if link else ())),
        )  # fmt: skip
        return self._view, account.take_booked() if account is not None else ()

    def fail(self, failure: Failure) -> None:
        """Show why there is no reading. Raises nothing."""
        error = failure.error
        state, text, hint = shown_failure(error, self.plan.url)
        if not isinstance(error, WattrailError):
            logger.error("meter %s: a defect", self.plan.name, exc_info=error)
        if (state, text) != (self._view.state, self._view.error):
            logger.warning("meter %s is %s: %s", self.plan.name, state, text)
        booked = self._account.take_booked() if self._account is not None else ()
        keeps_account = (is_passing(error) or not failure.is_booking) and bool(self.due())
        if state is MeterState.FAILED and not keeps_account:
            self._account = None  # it may be ahead of the store: load it again
        if self._link is not None:
            self._link.fail(self._day(self._clock.now()), is_broker=failure.is_broker)
            self._unsaved_day = self._link.day
        retry_at = self._clock.now() + timedelta(seconds=failure.retry_s)
        self._view = replace(
            self._view, state=state, error=text, hint=hint, retry_at=retry_at,
            link=self._link.day if self._link is not None else None,
            unstored=self._account.unstored if self._account is not None else None,
        )  # fmt: skip
        self._feed.publish(self._view, booked)

    def take_link_day(self) -> tuple[int, LinkDay] | None:
        """The meter's id and its connection of today, if it changed since this was last asked."""
        day, self._unsaved_day = self._unsaved_day, None
        return None if day is None or self._account is None else (self._account.meter_id, day)

    def finish(self) -> tuple[int, tuple[Entry, ...]] | None:
        """The meter's id and what is counted but not yet an entry, at the end, for whoever writes it."""
        return None if self._account is None else (self._account.meter_id, self._account.finish())

    def show_last(self, entries: tuple[Entry, ...]) -> None:
        """Publish the last entries, which were written."""
        booked = self._account.take_booked() if self._account is not None else ()
        if booked or entries:
            self._feed.publish(self._view, (*booked, *entries))

    def _open_account(self, arrival: ArrivedReading) -> Account:
        reading = arrival.reading
        account = Account(
            self._store, self.plan.name, _Identity(self._url, reading.simulated), reading,
            now=self._clock.now(), zone=self._zone, longest_silence_s=_usual_silence_s(arrival),
            availability=self._availability,
        )  # fmt: skip
        if not self._is_link_restored and self._link is not None:  # twice would add the day of before twice
            self._link.restore(self._store.link_days(account.meter_id, limit=1))
            self._is_link_restored = True
        return account

    def _watch_link(self, arrival: ArrivedReading) -> None:
        reading = arrival.reading
        day, boot = self._day(reading.at), Boot.NONE
        if self._evidence is not None:
            evidence, at = self._evidence
            boot = boot_between(evidence, reading.evidence, reading.monotonic - at)
        # Evidence comes with registers. That of a register counted here is of our own start, not of the device's.
        if reading.registers and not reading.is_estimated:
            self._evidence = reading.evidence, reading.monotonic
        if self._link is None:
            self._link = LinkWatch(day)
        events = LinkEvents(
            signal_dbm=arrival.signal_dbm, reconnects=arrival.reconnects - self._reconnects,
            is_restart=boot.is_restart, is_power_on=boot is Boot.POWER,
        )  # fmt: skip
        self._reconnects = arrival.reconnects
        self._link.take(day, reading.monotonic, events)
        self._unsaved_day = self._link.day

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()


def _usual_silence_s(arrival: ArrivedReading) -> float:
    """How long the meter may be silent before a gap: where power is added up, as long as a power counts at most."""
    cadence = arrival.cadence
    return cadence.watched_s if arrival.reading.is_estimated else cadence.silence_s
