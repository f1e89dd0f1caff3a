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
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Final

from wattrail.app.access import require_access, require_certificate
from wattrail.app.plan import ServicePlan, WebPlan
from wattrail.app.service_changes import describe_changes, require_no_restart
from wattrail.app.service_parts import ServiceParts
from wattrail.app.systemd_notify import SystemdNotifier
from wattrail.clock import Clock, SystemClock
from wattrail.errors import ConfigError, MissingExtra, WattrailError
from wattrail.gateway import Feed, Gateway, GatewayPlan, open_planned
from wattrail.gateway.source import Opener
from wattrail.gateway.stopping import stop_requests
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.sanitize import hide_credentials
from wattrail.store import GatewayLock, ReloadOutcome, Store, open_store

__all__ = ["Service", "open_service", "run"]

_PUBLISHERS_WITHIN_S: Final = 0.4
_CLOSE_WITHIN_S: Final = 0.4
"""Together with STOP_WITHIN_S of the meters these stay below EXIT_WITHIN_S."""

_WEB_LIBRARIES: Final = ("pydantic", "fastapi", "uvicorn")

logger = logging.getLogger(__name__)


class Service:
    """A service that runs. ``address`` is the URL of its page, None where none is served."""

    def __init__(self, plan: ServicePlan, gateway: Gateway, store: Store, parts: ServiceParts) -> None:
        self.plan, self.gateway, self.store, self._parts = plan, gateway, store, parts
        self.loaded_at = datetime.now(UTC)

    @property
    def feed(self) -> Feed:
        """What is known of the meters now, and their events."""
        return self.gateway.feed

    @property
    def address(self) -> str | None:
        """The URL of the page."""
        return self._parts.page.address if self._parts.page else None

    async def change(self, plan: ServicePlan) -> tuple[str, ...]:
        """Run by another plan from now on; what both have alike runs on. Returns what changed, as text.

        Call it for one plan at a time. Raises ConfigError where that needs a restart or its certificate cannot be
        served, and then changes nothing.
        """
        require_no_restart(self.plan, plan)
        if (web := plan.web) is not None:
            await in_thread(lambda: require_certificate(web), name="check-certificate")
        parts, before = self._parts, self.plan
        changes = await self.gateway.change(plan.gateway)
        publishers = await in_thread(lambda: parts.change_publishers(plan), name="change-publishers")
        parts.change_page(plan)
        self.plan, self.loaded_at = plan, datetime.now(UTC)
        said = describe_changes(before, plan, changes, publishers)
        self._show(ReloadOutcome(at=_iso(self.loaded_at), changes=said))
        return said

    def refuse(self, error: WattrailError) -> None:
        """Say, where the state of the service is shown, that a newer configuration is refused and why."""
        hint = hide_credentials(error.hint) if error.hint else None
        self._show(ReloadOutcome(at=_iso(datetime.now(UTC)), error=hide_credentials(str(error)), hint=hint))

    def _show(self, outcome: ReloadOutcome) -> None:
        self._parts.lock.set_reload(outcome)
        self._parts.show_configuration(self.loaded_at, outcome)


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
    replan: Callable[[], ServicePlan] | None = None,
) -> None:
    """Run a service in this process until SIGINT or SIGTERM. Call it in the main thread.

    At SIGHUP ``replan`` gives the plan to run by from then on; one that it refuses changes nothing. Without it the
    signal ends the process.

    ``on_ready`` gets the address of the page once it answers; without a page it gets None once the meters are read.
    After the signal the process has EXIT_WITHIN_S to end. Then ``overdue`` is called, which ends it with exit code 0
    even while calls block; None sets no limit. Raises ConfigError, StoreError and MissingExtra before any meter is
    touched; StoreError also where another gateway uses the database.
    """
    manager = SystemdNotifier()
    status = ""

    def ready(address: str | None) -> None:
        nonlocal status
        status = f"page {address}" if address else "no page"
        manager.ready(_status(plan, status))
        if on_ready is not None:
            on_ready(address)

    async def until_stopped() -> None:
        loop, task, requested = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
        assert task is not None

        def stop() -> None:
            manager.stopping()
            loop.call_soon_threadsafe(task.cancel)

        def reload() -> None:
            loop.call_soon_threadsafe(requested.set)

        with stop_requests(stop, overdue=overdue, on_reload=reload if replan is not None else None):
            async with open_service(plan, on_ready=ready, clock=clock, opener=opener) as service:
                manager.watch(lambda: _answers(loop, service.store))
                while True:
                    await requested.wait()
                    requested.clear()
                    if replan is not None:
                        manager.reloading()
                        await _reload(service, replan)
                        manager.ready(_status(service.plan, status))

    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped())


def _status(plan: ServicePlan, page: str) -> str:
    count = len(plan.gateway.meters)
    return f"{count} {'meter' if count == 1 else 'meters'}, {page}"


async def _reload(service: Service, replan: Callable[[], ServicePlan]) -> None:
    """Read the configuration again, and run by it. Raises nothing: a service goes on by what it has."""
    try:
        plan = await in_thread(replan, name="read-configuration")
        changes = await service.change(plan)
    except WattrailError as error:
        logger.error("the configuration is refused, and the one before it runs on: %s", error)
        service.refuse(error)
    except Exception as error:
        logger.exception("the configuration could not be read again")
        service.refuse(ConfigError(f"{type(error).__name__}: {error}", hint="this is a defect: report it with the log"))
    else:
        logger.warning("the configuration was read again: %s", "; ".join(changes) or "nothing has changed")


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
            parts = ServiceParts(plan, store, gateway.feed, lock, clock)
            try:
                await gateway.start()
                if plan.web is not None and listener is not None:
                    parts.start_page(plan, plan.web, listener, on_ready)
                elif on_ready is not None:
                    on_ready(None)
                yield Service(plan, gateway, store, parts)
            finally:
                await _stop(gateway, parts)
        finally:
            await _close(store)


def _give_past(store: Store, plan: GatewayPlan, clock: Clock) -> None:
    if find_spec("numpy") is None:
        return  # the twin cannot be made either, and says what to install
    from wattrail.app.demo_past import store_past

    for meter in plan.meters:
        store_past(store, meter, until=clock.now(), zone=plan.zone_info())


def _listener(web: WebPlan | None) -> socket.socket | nullcontext[None]:
    if web is None:
        return nullcontext()
    for library in _WEB_LIBRARIES:
        if find_spec(library) is None:
            raise MissingExtra("the dashboard", library=library, extra="run")
    from wattrail.web import bind

    require_certificate(web)
    return bind(web.host, web.port)


async def _stop(gateway: Gateway, parts: ServiceParts) -> None:
    """The page and the meters at the same time; then the publishers, which finish at the end of the feed."""
    page = parts.page
    ending_page = in_thread(page.stop, name="stop-web") if page is not None else None
    await gateway.stop()
    await in_thread(lambda: parts.publishers.join(_PUBLISHERS_WITHIN_S), name="stop-publishers")
    if ending_page is not None:
        await ending_page


async def _close(store: Store) -> None:
    closing = in_thread(store.close, name="close-store")
    _, late = await asyncio.wait({closing}, timeout=_CLOSE_WITHIN_S)
    if late:
        logger.warning("%s is still busy and is left open: every stored reading is kept", store.path)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
