"""A plan becomes a running service: store, gateway, publishers and page, started and stopped in one place.

Order matters. The database is locked against a second gateway, the page's port bound and the database opened before
any meter is touched, so that these errors come first. Publishers subscribe before the meters start. A stop ends the
page and the meters together, then lets the publishers read the last events, then closes the database. Each part has a
deadline; a call that blocks longer is left in its daemon thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from wattrail.app.access import require_access, require_certificate
from wattrail.app.plan import ServicePlan, WebPlan
from wattrail.app.service_changes import describe_changes, require_no_restart
from wattrail.app.service_parts import ServiceParts
from wattrail.clock import Clock, SystemClock
from wattrail.errors import MissingExtra, WattrailError
from wattrail.gateway import Feed, Gateway, GatewayPlan, open_planned
from wattrail.gateway.source import Opener
from wattrail.gateway.threads import in_thread
from wattrail.sanitize import hide_credentials
from wattrail.store import GatewayLock, ReloadOutcome, Store, open_store

if TYPE_CHECKING:
    from wattrail.app.settings import Settings

__all__ = ["Service", "open_service", "require_startable"]

_PUBLISHERS_WITHIN_S: Final = 0.4
_CLOSE_WITHIN_S: Final = 0.4
"""Together with STOP_WITHIN_S of the meters these stay below EXIT_WITHIN_S."""

_RENAME_WITHIN_S: Final = 30.0

_WEB_LIBRARIES: Final = ("pydantic", "fastapi", "uvicorn")

logger = logging.getLogger(__name__)


class Service:
    """A service that runs. ``address`` is the URL of its page, None where none is served."""

    def __init__(
        self, plan: ServicePlan, gateway: Gateway, store: Store, parts: ServiceParts, listener: socket.socket | None
    ) -> None:
        self.plan, self.gateway, self.store, self._parts, self._listener = plan, gateway, store, parts, listener
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
        # All that can refuse the plan comes first: what runs is one file or the other, never a mixture.
        require_no_restart(self.plan, plan)
        if (web := plan.web) is not None:
            await in_thread(lambda: require_certificate(web), name="check-certificate")
        parts, before = self._parts, self.plan
        changes = await self.gateway.change(plan.gateway)
        publishers = await in_thread(lambda: parts.change_publishers(plan), name="change-publishers")
        parts.change_page(plan)
        self.plan, self.loaded_at = plan, datetime.now(UTC)
        said = describe_changes(before, plan, changes, publishers)
        self.announce(said)
        return said

    async def rename_meter(self, old: str, new: str) -> None:
        """Give an account another name while its meter is not read; ``change`` to a plan with the new name follows.

        Raises StoreError, and then the meter is read on.
        """
        plan = self.gateway.plan
        await self.gateway.change(replace(plan, meters=tuple(one for one in plan.meters if one.name != old)))
        try:
            await in_thread(lambda: self.store.rename_meter(old, new), name="rename-meter")
        except WattrailError:
            await self.gateway.change(plan)
            raise

    def listener_for(self, plan: ServicePlan) -> socket.socket | None:
        """A bound socket for the page of a service that takes the place of this one. Raises what binding raises.

        At the same address it is the same one: who asks meanwhile waits, and gets the answer of the successor.
        """
        before, after = self.plan.web, plan.web
        if before and after and self._listener and (before.host, before.port) == (after.host, after.port):
            return self._listener.dup()
        return _bound(after)

    def announce(self, changes: tuple[str, ...]) -> None:
        """Say, where the state of the service is shown, what its start has changed."""
        self._show(ReloadOutcome(at=_iso(self.loaded_at), changes=changes))

    def refuse(self, error: WattrailError) -> None:
        """Say, where the state of the service is shown, that a newer configuration is refused and why."""
        hint = hide_credentials(error.hint) if error.hint else None
        self._show(ReloadOutcome(at=_iso(datetime.now(UTC)), error=hide_credentials(str(error)), hint=hint))

    def _show(self, outcome: ReloadOutcome) -> None:
        self._parts.lock.set_reload(outcome)
        self._parts.show_configuration(self.loaded_at, outcome)


@asynccontextmanager
async def open_service(
    plan: ServicePlan,
    *,
    on_ready: Callable[[str | None], object] | None = None,
    clock: Clock | None = None,
    opener: Opener = open_planned,
    settings: Settings | None = None,
    listener: socket.socket | None = None,
) -> AsyncIterator[Service]:
    """A running service for the length of an ``async with`` block. It handles no signals and never ends the process.

    Raises and calls ``on_ready`` as ``run`` does. A page is served at ``listener``, which is closed in the end;
    without one, at a socket that is bound as the plan says.
    """
    # Lock and port first: what they refuse is refused before any meter is touched.
    with GatewayLock(plan.database) as lock, listener or _bound(plan.web) or nullcontext() as listener:
        zone = plan.gateway.zone_info()
        store = await in_thread(lambda: open_store(plan.database, lock=lock, zone=zone), name="open-store")
        try:
            if plan.web is not None:
                require_access(plan.web, store.path)
            if plan.demo is not None and plan.demo.has_past:  # takes seconds, so what is refused is refused before
                await in_thread(lambda: _give_past(store, plan.gateway, clock or SystemClock()), name="demo-past")
            gateway = Gateway(plan.gateway, store, clock=clock, opener=opener)
            parts = ServiceParts(plan, store, gateway.feed, lock, clock, settings)
            try:
                await gateway.start()
                if plan.web is not None and listener is not None:
                    parts.start_page(plan, plan.web, listener, on_ready, gateway)
                elif on_ready is not None:
                    on_ready(None)
                yield Service(plan, gateway, store, parts, listener)
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


def require_startable(plan: ServicePlan) -> None:
    """Raise what a start by a plan would raise of its database and its access, before another service ends for it."""
    with GatewayLock(plan.database) as lock:
        store = open_store(plan.database, lock=lock, zone=plan.gateway.zone_info())
        try:
            if plan.web is not None:
                require_access(plan.web, store.path)
        finally:
            store.close()


def _bound(web: WebPlan | None) -> socket.socket | None:
    if web is None:
        return None
    for library in _WEB_LIBRARIES:
        # Found and not imported: FastAPI takes a second.
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
    parts.close()


async def _close(store: Store) -> None:
    closing = in_thread(store.close, name="close-store")
    _, late = await asyncio.wait({closing}, timeout=_CLOSE_WITHIN_S)
    if late:
        logger.warning("%s is still busy and is left open: every stored reading is kept", store.path)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
