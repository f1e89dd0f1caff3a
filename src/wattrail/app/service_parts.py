"""The parts of a service beside its meters: publishers, alarms and the page, of one plan, then of another."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from wattrail.app.alarm_observer import alarm_observer
from wattrail.app.gateway_health import GatewayHealth
from wattrail.app.machine_zone import site_zone
from wattrail.app.plan import ServicePlan, WebPlan
from wattrail.app.price_fetch import PriceFetcher
from wattrail.app.publishers import Publishers
from wattrail.clock import Clock, SystemClock
from wattrail.gateway import Feed, Gateway
from wattrail.gateway.logs import set_up_logging
from wattrail.gateway.recent_log import RecentLog
from wattrail.publish import ConsumerContext, Publisher, PublisherBoard
from wattrail.store import GatewayLock, ReloadOutcome, Store
from wattrail.store.alarm_events import AlarmEvents

if TYPE_CHECKING:
    from wattrail.app.settings import Settings
    from wattrail.web import Setup, WebProcess

__all__ = ["ServiceParts"]

_ENDING_WITHIN_S: Final = 5.0
"""Seconds that a publisher has to send what waits before its successor starts."""


class ServiceParts:
    """The publishers run from the beginning: they subscribe before the first meter starts."""

    def __init__(
        self,
        plan: ServicePlan,
        store: Store,
        feed: Feed,
        lock: GatewayLock,
        clock: Clock | None,
        settings: Settings | None = None,
    ) -> None:
        self.lock, self._settings = lock, settings
        self._store, self._feed, self._clock = store, feed, clock
        self.page: WebProcess | None = None
        self._setup: Setup | None = None
        self._board = PublisherBoard()
        self._followed = tuple(tariff for tariff in plan.tariffs if tariff.market)
        self.prices = PriceFetcher(self._followed, clock)
        self._log = RecentLog()
        logging.getLogger().addHandler(self._log)
        self._health: GatewayHealth | None = None
        self._announce(plan)
        self.publishers = Publishers(self._planned(plan), feed, on_failure=self._board.crashed)

    def change_publishers(self, plan: ServicePlan) -> tuple[str, ...]:
        """Publish by another plan; returns the names of those that were started, changed or ended."""
        known = {state.name for state in self._board.states()}
        wanted = self._announce(plan)
        changed = self.publishers.change(self._planned(plan), within_s=_ENDING_WITHIN_S)
        for name in known - wanted:
            self._board.remove(name)
        return changed

    def close(self) -> None:
        """Keep no more lines of the log."""
        logging.getLogger().removeHandler(self._log)

    def change_page(self, plan: ServicePlan) -> None:
        """Log, and serve the page, by another plan; the page starts again where its settings are others."""
        set_up_logging(plan.log.number, plan.log.format, redacts=plan.log.redacts)
        if self._health is not None:
            self._health.plan = plan
        if self.page is None or plan.web is None:
            return
        setup = _setup_of(plan, plan.web, self._store)
        if setup != self._setup:  # else the page runs on: a process that starts again ends every session
            self._setup = setup
            self.page.renew(setup)
            self.lock.set_address(self.page.address)

    def show_configuration(self, loaded_at: datetime, outcome: ReloadOutcome) -> None:
        """Show on the page and in its interface which configuration holds."""
        if self.page is None:
            return
        from wattrail.web.messages import ConfigurationJson

        refused_at = datetime.fromisoformat(outcome.at) if outcome.error else None
        self.page.show_configuration(
            ConfigurationJson(loaded_at=loaded_at, refused_at=refused_at, error=outcome.error, hint=outcome.hint)
        )

    def start_page(
        self, plan: ServicePlan, web: WebPlan, listener: socket.socket, on_ready: Callable[[str], object] | None,
        gateway: Gateway,
    ) -> None:  # fmt: skip
        """Serve the page on a bound listener. ``gateway`` counts what its lines do, and calibrates its meters."""
        from wattrail.app.page_actions import page_actions
        from wattrail.web import WebProcess

        health = self._health = GatewayHealth(
            self._store, self._clock or SystemClock(), counters=gateway.counters, prices=lambda: self.prices.states(),
            log=self._log,
        )  # fmt: skip
        health.plan = plan
        health.note_start()
        self._setup = _setup_of(plan, web, self._store)
        self.page = WebProcess(
            self._feed, self._setup, listener, board=self._board, on_ready=on_ready, on_acknowledge=self._acknowledge,
            actions=page_actions(self._store, self._feed, health, gateway.recalibrate, settings=self._settings),
        )  # fmt: skip
        self.lock.set_address(self.page.address)

    def _acknowledge(self, number: int) -> None:
        with AlarmEvents(self._store.path) as stored:
            stored.acknowledge([number], self._feed.now())

    def _announce(self, plan: ServicePlan) -> set[str]:
        """Show the publishers of a plan; returns their names. One that is shown already keeps its state."""
        targets = {consumer.name: consumer.target for consumer in plan.consumers}
        if plan.web is not None and plan.web.metrics is not None:
            targets["openmetrics"] = "/metrics"
        shown = {state.name: state.target for state in self._board.states()}
        for name, target in targets.items():
            if shown.get(name) != target:
                self._board.add(name, target)
        if "openmetrics" in targets:
            self._board.reached("openmetrics")
        return set(targets)

    def _planned(self, plan: ServicePlan) -> dict[str, tuple[object, Publisher]]:
        """Every publisher of a plan, with what it is made of."""
        context = ConsumerContext(
            database=self._store.path,
            meters=plan.gateway.names,
            board=self._board,
            zone=plan.gateway.zone_info(),
            watched=frozenset(name for name in plan.gateway.names for rule in plan.alarms if rule.watches(name)),
        )
        around = (context.meters, context.watched)
        planned: dict[str, tuple[object, Publisher]] = {name: (one, one) for name, one in plan.publishers.items()}
        followed = tuple(tariff for tariff in plan.tariffs if tariff.market)
        # Kept as long as the tariffs are the same: its states say when prices were last fetched.
        if followed != self._followed:
            self._followed, self.prices = followed, PriceFetcher(followed, self._clock)
        if followed:
            planned["prices"] = followed, self.prices
        for consumer in plan.consumers:
            planned[consumer.name] = ((consumer, around), consumer.publisher(context))
        # The alarms come last: all others have subscribed when they announce what stands, also to one that is new.
        alarms = alarm_observer(
            plan.alarms, context.meters, self._feed, self._store.path, context.zone,
            board=self._board, clock=self._clock,
        )  # fmt: skip
        planned["alarms"] = (plan.alarms, around, plan.consumers), alarms
        return planned


def _setup_of(plan: ServicePlan, web: WebPlan, store: Store) -> Setup:
    from wattrail.web import CandidateJson, MetricsSetup, Setup
    from wattrail.web.messages import LogSetup

    example = plan.demo.tariff if plan.demo else None
    return Setup(
        database=store.path,
        zone=site_zone(plan.gateway.zone),
        open_to_network=web.open_to_network,
        candidates=[CandidateJson(**found._asdict()) for found in (plan.demo.candidates if plan.demo else ())],
        metrics=MetricsSetup(has_kwh=web.metrics.has_kwh) if web.metrics else None,
        grid=web.house.grid,
        solar=web.house.solar,
        names=list(web.names),
        trusted_proxies=list(web.trusted_proxies),
        certificate=web.certificate,
        key=web.key,
        tariffs={tariff.name: tariff for tariff in plan.tariffs},
        example_tariff=example.name if example else None,
        log=LogSetup(level=plan.log.number, format=plan.log.format, redacts=plan.log.redacts),
    )
