"""A plan becomes a running service: store, gateway, publishers and page, started and stopped in one place.

Order matters. The database is locked against a second gateway, the page's port bound and the database opened before
any meter is touched, so that these errors come first. Publishers subscribe before the meters start. A stop ends the
page and the meters together, then lets the publishers read the last events, then closes the database. Each part has a
deadline; a call that blocks longer is left in its daemon thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from wattrail.app.access import AccessKeeper, require_access, require_certificate
from wattrail.app.alarm_observer import alarm_observer
from wattrail.app.plan import ServicePlan, WebPlan
from wattrail.app.publishers import Publishers
from wattrail.app.systemd_notify import SystemdNotifier
from wattrail.clock import Clock, SystemClock
from wattrail.errors import MissingExtra
from wattrail.gateway import Feed, Gateway, GatewayPlan, open_planned
from wattrail.gateway.source import Opener
from wattrail.gateway.stopping import stop_requests
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.publish import ConsumerContext, PublisherBoard
from wattrail.store import GatewayLock, Store, open_store
from wattrail.store.alarm_events import AlarmEvents

if TYPE_CHECKING:
    from wattrail.web import WebProcess

__all__ = ["Service", "open_service", "run"]

_PUBLISHERS_WITHIN_S: Final = 0.4
_CLOSE_WITHIN_S: Final = 0.4
"""Together with STOP_WITHIN_S of the meters these stay below EXIT_WITHIN_S."""

_WEB_LIBRARIES: Final = ("pydantic", "fastapi", "uvicorn")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that runs. ``address`` is the URL of its page, None where none is served."""

    gateway: Gateway
    store: Store
    address: str | None = None

    @property
    def feed(self) -> Feed:
        """What is known of the meters now, and their events."""
        return self.gateway.feed


def end_process() -> None:
    """End the process although a call still blocks. Every acknowledged reading is committed."""
    left = "not everything stopped in time; every stored reading is counted at the next start"
    start_thread(lambda: logger.warning(left), name="leave").join(0.2)  # stderr may be what blocks
    os._exit(0)


def run(
    plan: ServicePlan,
    *,
    on_ready: Callable[[str | None], object] | None = None,
    overdue: Callable[[], None] | None = end_process,
    clock: Clock | None = None,
    opener: Opener = open_planned,
) -> None:
    """Run a service in this process until SIGINT or SIGTERM. Call it in the main thread.

    ``on_ready`` gets the address of the page once it answers; without a page it gets None once the meters are read.
    After the signal the process has EXIT_WITHIN_S to end. Then ``overdue`` is called, which ends it with exit code 0
    even while calls block; None sets no limit. Raises ConfigError, StoreError and MissingExtra before any meter is
    touched; StoreError also where another gateway uses the database.
    """
    manager = SystemdNotifier()

    def ready(address: str | None) -> None:
        count = len(plan.gateway.meters)
        manager.ready(f"{count} {'meter' if count == 1 else 'meters'}, {f'page {address}' if address else 'no page'}")
        if on_ready is not None:
            on_ready(address)

    async def until_stopped() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop() -> None:
            manager.stopping()
            loop.call_soon_threadsafe(task.cancel)

        with stop_requests(stop, overdue=overdue):
            async with open_service(plan, on_ready=ready, clock=clock, opener=opener) as service:
                manager.watch(lambda: _answers(loop, service.store))
                await asyncio.Event().wait()

    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped())


def _answers(loop: asyncio.AbstractEventLoop, store: Store) -> bool:
    """Whether the event loop and the database do their work; blocks while one of them does not."""
    turned = threading.Event()
    try:
        loop.call_soon_threadsafe(turned.set)
    except RuntimeError:  # the loop has ended
        return False
    turned.wait()
    store.wait_until_idle()
    return True


@asynccontextmanager
async def open_service(
    plan: ServicePlan,
    *,
    on_ready: Callable[[str | None], object] | None = None,
    clock: Clock | None = None,
    opener: Opener = open_planned,
) -> AsyncIterator[Service]:
    """A running service for the length of an ``async with`` block. It handles no signals and never ends the process.

    Raises and calls ``on_ready`` as ``run`` does.
    """
    with GatewayLock(plan.database) as lock, _listener(plan.web) as listener:
        zone = plan.gateway.zone_info()
        store = await in_thread(lambda: open_store(plan.database, lock=lock, zone=zone), name="open-store")
        try:
            if plan.demo is not None and plan.demo.has_past:
                await in_thread(lambda: _give_past(store, plan.gateway, clock or SystemClock()), name="demo-past")
            if plan.web is not None:
                require_access(plan.web, store.path)
            gateway = Gateway(plan.gateway, store, clock=clock, opener=opener)
            board = PublisherBoard()
            publishers = _publishers(plan, store, gateway.feed, board, clock)
            page: WebProcess | None = None
            try:
                await gateway.start()
                if plan.web is not None and listener is not None:
                    page = _start_page(plan, plan.web, gateway.feed, board, store, listener, on_ready)
                    lock.set_address(page.address)
                elif on_ready is not None:
                    on_ready(None)
                yield Service(gateway=gateway, store=store, address=page.address if page else None)
            finally:
                await _stop(gateway, publishers, page)
        finally:
            await _close(store)


def _give_past(store: Store, plan: GatewayPlan, clock: Clock) -> None:
    from wattrail.app.demo_past import store_past  # with numpy

    for meter in plan.meters:
        store_past(store, meter, until=clock.now(), zone=plan.zone_info())


def _publishers(plan: ServicePlan, store: Store, feed: Feed, board: PublisherBoard, clock: Clock | None) -> Publishers:
    context = ConsumerContext(
        database=store.path,
        meters=plan.gateway.names,
        board=board,
        zone=plan.gateway.zone_info(),
        watched=frozenset(name for name in plan.gateway.names for rule in plan.alarms if rule.watches(name)),
    )
    for consumer in plan.consumers:
        board.add(consumer.name, consumer.target)
    if plan.web is not None and plan.web.metrics is not None:
        board.add("openmetrics", "/metrics")
        board.reached("openmetrics")
    consumers = {consumer.name: consumer.publisher(context) for consumer in plan.consumers}
    alarms = alarm_observer(plan.alarms, context.meters, feed, store.path, context.zone, board=board, clock=clock)
    # The alarms come last: all others have subscribed when they announce what stands.
    return Publishers({**plan.publishers, **consumers, "alarms": alarms}, feed, on_failure=board.crashed)


def _listener(web: WebPlan | None) -> socket.socket | nullcontext[None]:
    if web is None:
        return nullcontext()
    for library in _WEB_LIBRARIES:
        if find_spec(library) is None:
            raise MissingExtra("the dashboard", library=library, extra="run")
    from wattrail.web import bind

    require_certificate(web)
    return bind(web.host, web.port)


def _start_page(
    plan: ServicePlan,
    web: WebPlan,
    feed: Feed,
    board: PublisherBoard,
    store: Store,
    listener: socket.socket,
    on_ready: Callable[[str], object] | None,
) -> WebProcess:
    from wattrail.web import CandidateJson, MetricsSetup, Setup, WebProcess

    setup = Setup(
        database=store.path,
        zone=plan.gateway.zone,
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
    )

    def acknowledge(number: int) -> None:
        with AlarmEvents(store.path) as stored:
            stored.acknowledge([number], feed.now())

    return WebProcess(
        feed, setup, listener, board=board, on_ready=on_ready, on_acknowledge=acknowledge,
        access=AccessKeeper(store.path),
    )  # fmt: skip


async def _stop(gateway: Gateway, publishers: Publishers, page: WebProcess | None) -> None:
    """The page and the meters at the same time; then the publishers, which finish at the end of the feed."""
    ending_page = in_thread(page.stop, name="stop-web") if page is not None else None
    await gateway.stop()
    await in_thread(lambda: publishers.join(_PUBLISHERS_WITHIN_S), name="stop-publishers")
    if ending_page is not None:
        await ending_page


async def _close(store: Store) -> None:
    closing = in_thread(store.close, name="close-store")
    _, late = await asyncio.wait({closing}, timeout=_CLOSE_WITHIN_S)
    if late:
        logger.warning("%s is still busy and is left open: every stored reading is kept", store.path)
