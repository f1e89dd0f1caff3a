"""A service in this process: stopped by signals, watched by a service manager, led by its configuration.

Most changes of the configuration hold while the service runs. The first meter, and none any more, do not: simulated
and real energy have databases of their own. The service then ends, and another one takes its place and its socket.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattrail.app.plan import ServicePlan
from wattrail.app.service import Service, open_service, require_startable
from wattrail.app.service_changes import describe_changes, is_other_account
from wattrail.app.systemd_notify import SystemdNotifier
from wattrail.clock import Clock
from wattrail.errors import ConfigError, WattrailError
from wattrail.gateway import open_planned
from wattrail.gateway.plan import PlanChanges
from wattrail.gateway.source import Opener
from wattrail.gateway.stopping import stop_requests
from wattrail.gateway.threads import in_thread, start_thread
from wattrail.store import Store

if TYPE_CHECKING:
    from wattrail.app.settings import Settings

__all__ = ["ChangedService", "run"]

_RENAME_WITHIN_S: Final = 30.0

logger = logging.getLogger(__name__)


class ChangedService:
    """A service as a thread of its page sees it."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service, self._loop = service, loop

    @property
    def plan(self) -> ServicePlan:
        """By which it runs."""
        return self._service.plan

    def rename_meter(self, old: str, new: str) -> None:
        """Give an account another name; see ``Service``. Raises StoreError."""
        asyncio.run_coroutine_threadsafe(self._service.rename_meter(old, new), self._loop).result(_RENAME_WITHIN_S)


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
    settings: Settings | None = None,
) -> None:
    """Run a service in this process until SIGINT or SIGTERM. Call it in the main thread.

    ``settings`` are what the page may change. At SIGHUP ``replan`` gives the plan to run by from then on; one that it
    refuses changes nothing. Without it the signal ends the process.

    ``on_ready`` gets the address of the page once it answers, and another one if the page moves; without a page it
    gets None once the meters are read. After the signal the process has EXIT_WITHIN_S to end. Then ``overdue`` is
    called, which ends it with exit code 0 even while calls block; None sets no limit. Raises ConfigError, StoreError
    and MissingExtra before any meter is touched; StoreError also where another gateway uses the database.
    """
    process = _ServiceProcess(on_ready=on_ready, clock=clock, opener=opener, replan=replan, settings=settings)

    async def until_stopped() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop() -> None:
            process.manager.stopping()
            loop.call_soon_threadsafe(task.cancel)

        def reload() -> None:
            loop.call_soon_threadsafe(process.requested.set)

        with stop_requests(stop, overdue=overdue, on_reload=reload if replan is not None else None):
            following = _ServiceStart(plan)
            while True:
                following = await process.serve(following, reload)

    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped())


@dataclass(frozen=True, slots=True)
class _ServiceStart:
    """A service to be started; ``changes`` says what is new against the one before it, whose socket it takes over."""

    plan: ServicePlan
    changes: tuple[str, ...] | None = None
    listener: socket.socket | None = None


class _ServiceProcess:
    """One service after the other, with what they share."""

    def __init__(
        self, *, on_ready: Callable[[str | None], object] | None, clock: Clock | None, opener: Opener,
        replan: Callable[[], ServicePlan] | None, settings: Settings | None,
    ) -> None:  # fmt: skip
        self.manager, self.requested = SystemdNotifier(), asyncio.Event()
        self._on_ready, self._clock, self._opener, self._replan = on_ready, clock, opener, replan
        self._settings = settings
        self._said: list[str | None] = []
        self._store: Store | None = None

    async def serve(self, start: _ServiceStart, reload: Callable[[], object]) -> _ServiceStart:
        """Run a service until another one is to take its place."""
        plan = start.plan

        def ready(address: str | None) -> None:
            self.manager.ready(_status(plan, address))
            if self._on_ready is not None and self._said != [address]:
                self._said = [address]
                self._on_ready(address)

        async with open_service(
            plan, on_ready=ready, clock=self._clock, opener=self._opener, settings=self._settings,
            listener=start.listener,
        ) as service:  # fmt: skip
            if self._settings is not None:
                self._settings.follow(ChangedService(service, asyncio.get_running_loop()), reload)
            self._watch(service)
            if start.changes is not None:
                service.announce(start.changes)
            return await self._until_replaced(service)

    def _watch(self, service: Service) -> None:
        """Signs of life, from the first service on, as long as the newest one lives."""
        is_first, self._store = self._store is None, service.store
        if is_first:
            loop = asyncio.get_running_loop()
            self.manager.watch(lambda: _answers(loop, self._store or service.store))

    async def _until_replaced(self, service: Service) -> _ServiceStart:
        while True:
            await self.requested.wait()
            self.requested.clear()  # before the file is read: who signals meanwhile wants it read once more
            if self._replan is None:
                continue
            self.manager.reloading()
            if (following := await _reload(service, self._replan)) is not None:
                return following
            self.manager.ready(_status(service.plan, service.address))


def _status(plan: ServicePlan, address: str | None) -> str:
    count = len(plan.gateway.meters)
    return f"{count} {'meter' if count == 1 else 'meters'}, {f'page {address}' if address else 'no page'}"


async def _reload(service: Service, replan: Callable[[], ServicePlan]) -> _ServiceStart | None:
    """Read the configuration again, and run by it; gives the service that is to take the place of this one, if any.

    Raises nothing: a service goes on by what it has.
    """
    following = None
    try:
        plan = await in_thread(replan, name="read-configuration")
        if is_other_account(service.plan, plan):
            following = await _successor(service, plan)
            changes = following.changes or ()
        else:
            changes = await service.change(plan)
    except WattrailError as error:
        logger.error("the configuration is refused, and the one before it runs on: %s", error)
        service.refuse(error)
    except Exception as error:
        logger.exception("the configuration could not be read again")
        service.refuse(ConfigError(f"{type(error).__name__}: {error}", hint="this is a defect: report it with the log"))
    else:
        # A warning, so that it shows at every usual level: whoever sent the signal waits for this line.
        logger.warning("the configuration was read again: %s", "; ".join(changes) or "nothing has changed")
    return following


async def _successor(service: Service, plan: ServicePlan) -> _ServiceStart:
    """The start of another service. Raises what it would raise, while this one still runs."""
    if str(plan.database) != str(service.plan.database):  # one database, named by an option, is locked by this one
        await in_thread(lambda: require_startable(plan), name="check-start")
    listener = service.listener_for(plan)
    meters = PlanChanges.between(service.plan.gateway, plan.gateway)
    return _ServiceStart(plan, describe_changes(service.plan, plan, meters, ()), listener)


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
