"""One meter under supervision. ``step`` is one look and whatever comes of it; a loop elsewhere gives it its time.

connecting ──reading──▶ live ──silence──▶ stale ──port gone──▶ lost      any of them ──defect──▶ failed
     ▲                   ▲                  │                   │
     └───── back-off ────┴──── reading ─────┴─────── reading ───┘
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import Final

from wattrail.clock import MACHINE_ZONE, Clock
from wattrail.errors import LinkError, PortError, PortTimeout, TargetError, WattrailError
from wattrail.gateway.account import Account
from wattrail.gateway.feed import Feed
from wattrail.gateway.plan import MeterPlan
from wattrail.gateway.source import MeterLike, Opener
from wattrail.gateway.timing import BackOff, Schedule
from wattrail.gateway.view import MeterView, State
from wattrail.metrology.scale_origin import Scale, ScaleClaims, held_scale
from wattrail.sanitize import hide_credentials, printable, url_secrets
from wattrail.store import Store
from wattrail.store.rows import source_kind, without_credentials

__all__ = ["OPEN_AGAIN_AFTER", "Worker"]

OPEN_AGAIN_AFTER: Final = 4
"""Looks in a row that failed on an open port before it is closed and opened anew."""

logger = logging.getLogger(__name__)


class Worker:
    """Reads, books and shows one meter. Everything here runs in that meter's own thread."""

    def __init__(
        self, plan: MeterPlan, store: Store, feed: Feed, *, clock: Clock, opener: Opener, zone: tzinfo = MACHINE_ZONE
    ) -> None:
        self.plan = plan
        self._store, self._feed, self._clock, self._opener, self._zone = store, feed, clock, opener, zone
        self._meter: MeterLike | None = None
        self._connected = False
        self._account: Account | None = None
        self._scale: Scale | None = None
        self._schedule = Schedule(plan.poll_s)
        self._back_off = BackOff()
        simulated = source_kind(plan.url) == "twin"
        self._view = MeterView(
            name=plan.name, url=without_credentials(plan.url), simulated=simulated, poll_s=plan.poll_s
        )
        feed.publish(self._view)

    def step(self) -> float:
        """Look once, keep and show what came; returns seconds until the next look. Raises nothing."""
        try:
            self.poll_once()
        except WattrailError as error:
            return self._failed(_state_after(error), self._shown(str(error)), error.hint)
        except Exception as error:
            logger.exception("meter %s: a defect; starting it again", self.plan.name)
            return self._failed(
                State.FAILED, self._shown(f"{type(error).__name__}: {error}"), "this is a defect: see the log"
            )
        if self._back_off.failures:
            logger.info("meter %s: read again after %d failures", self.plan.name, self._back_off.failures)
        self._back_off.succeed()
        return self._schedule.wait_s(self._clock.monotonic())

    def poll_once(self) -> None:
        """One reading, booked, stored and published; connects first where needed."""
        meter = self._meter = self._meter or self._opener(self.plan, self._clock)
        if not self._connected:
            meter.calibration, meter.scale = self._held(meter)
            meter.connect()
            self._connected = True
            logger.info("meter %s: connected", self.plan.name)
            self._tell_scale(meter)
        reading = meter.read()
        account = self._account = self._account or self._open_account(meter)
        account.book(reading)
        self._view = replace(
            self._view, url=without_credentials(meter.url), simulated=meter.simulated, state=State.LIVE,
            error=None, hint=None, retry_at=None, notice=self._noticed(account),
            scale=meter.scale.words(),
            reading=reading, today=account.today(account.now or reading.at), total=account.totals(),
        )  # fmt: skip
        self._feed.publish(self._view, account.take_booked())
        self._feed.scopes.serve(self.plan.name, meter, reading)

    def close(self) -> None:
        """Write the ledger up and give the port back. Raises nothing: what cannot be written counts at next start."""
        try:
            if self._account is not None:
                self._account.close()
        except WattrailError as error:
            logger.warning("meter %s: its ledger stays open: %s", self.plan.name, error)
        if self._account is not None and (booked := self._account.take_booked()):
            self._feed.publish(self._view, booked)
        self._account = None
        self._close_meter()

    def _noticed(self, account: Account) -> str | None:
        notice = account.notice
        if (notice is None) != (self._view.notice is None):  # once a jump: its size wanders with every look
            logger.warning("meter %s: %s", self.plan.name, notice or "the wall clock agrees with the time that passes")
        return notice if self._view.notice is None or notice is None else self._view.notice

    def _held(self, meter: MeterLike) -> Scale:
        """The scale that holds, decided once for a whole run; a meter is opened with what its plan and parts say."""
        if self._scale is None:
            kept = self._store.calibration(self.plan.name, simulated=meter.simulated)
            claims = ScaleClaims(
                given=self.plan.calibration, kept=kept, kept_of_twin=meter.simulated, inverted=self.plan.inverted
            )
            usual = Scale(meter.calibration, meter.scale)
            self._scale = held_scale(claims, usual, simulated=meter.simulated)
        return self._scale

    def _tell_scale(self, meter: MeterLike) -> None:
        """Say once that nobody has named the board."""
        words = meter.scale.words()
        if meter.scale.is_assumed and self._view.scale is None:
            logger.warning("meter %s: %s; name its front_end or calibrate it", self.plan.name, words)

    def _open_account(self, meter: MeterLike) -> Account:
        now = self._clock.now()
        return Account(self._store, self.plan.name, meter, now=now, zone=self._zone)

    def _failed(self, state: State, text: str, hint: str | None) -> float:
        delay = self._back_off.fail()
        if state is not State.STALE or self._back_off.failures % OPEN_AGAIN_AFTER == 0:
            self._close_meter()
        booked = self._account.take_booked() if self._account is not None else ()
        if state is State.FAILED:
            self._account = None  # what it holds may be ahead of what is stored: load it again
        if (state, text) != (self._view.state, self._view.error):
            logger.warning("meter %s is %s: %s", self.plan.name, state, text)
        retry_at = self._clock.now() + timedelta(seconds=delay)
        self._view = replace(
            self._view, state=state, error=text, hint=self._shown(hint) if hint else None, retry_at=retry_at
        )
        self._feed.publish(self._view, booked)
        return delay

    def _shown(self, text: str) -> str:
        """An error as it may be shown, logged and sent on: a peer may have written parts of it."""
        return printable(hide_credentials(text, *url_secrets(self.plan.url)))

    def _close_meter(self) -> None:
        meter, self._meter, self._connected = self._meter, None, False
        if meter is None:
            return
        try:
            meter.close()
        except (WattrailError, OSError) as error:
            logger.debug("meter %s: closing: %s", self.plan.name, error)


def _state_after(error: WattrailError) -> State:
    match error:
        case LinkError() | PortTimeout() | TargetError():
            return State.STALE
        case PortError():
            return State.LOST
        case _:
            return State.FAILED
