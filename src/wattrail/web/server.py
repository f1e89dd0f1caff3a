"""Serving: a port, a process for the page, and everything together in one call."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from wattrail.errors import ConfigError, MissingExtra
from wattrail.gateway import Feed, Gateway, GatewayPlan
from wattrail.gateway.stopping import stop_requests
from wattrail.gateway.threads import in_thread
from wattrail.store import Store, open_store
from wattrail.web.process import WebProcess
from wattrail.web.setup import Candidate, Setup

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "bind", "is_open_to_network", "run", "serve"]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8042

_CLOSE_WITHIN_S: Final = 0.4

logger = logging.getLogger(__name__)


async def run(
    plan: GatewayPlan,
    database: Path | str,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    candidates: Sequence[Candidate] = (),
    on_ready: Callable[[str], None] | None = None,
    overdue: Callable[[], None] | None = None,
) -> None:
    """The whole service, until SIGINT or SIGTERM: store, gateway and web. ``on_ready`` is told the page's address.

    Raises ConfigError for a port in use, StoreError for a database that cannot be used; no meter is touched then.
    ``overdue`` is called if the process has not ended in time after such a signal, see ``stop_requests``.
    """
    for library in ("fastapi", "uvicorn"):
        if find_spec(library) is None:
            raise MissingExtra("the dashboard", library=library, extra="run")
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        loop.call_soon_threadsafe(stopping.set)

    with stop_requests(told, overdue=overdue), bind(host, port) as listener:
        store = await _unless(stopping, in_thread(lambda: open_store(database), name="open-store"))
        if store is None:
            return
        setup = Setup(
            database=store.path, zone=plan.zone, open_to_network=is_open_to_network(host), candidates=list(candidates)
        )
        try:
            async with Gateway(plan, store) as gateway:
                await serve(gateway.feed, setup, listener, until=stopping, on_ready=on_ready)
        finally:
            await _close(store)


async def serve(
    feed: Feed,
    setup: Setup,
    listener: socket.socket,
    *,
    until: asyncio.Event,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """The web face alone, on a bound socket, in a process of its own, until an event is set."""
    address = _address(listener)
    process = WebProcess(feed, setup, listener, on_ready=lambda: on_ready(address) if on_ready else None)
    try:
        await until.wait()
    finally:
        await in_thread(process.stop, name="stop-web")


async def _unless(stopping: asyncio.Event, opening: asyncio.Future[Store]) -> Store | None:
    """What is opened, or None if a stop came first: a database that blocks is no reason to stay."""
    wish = asyncio.create_task(stopping.wait())
    opening.add_done_callback(lambda _: wish.cancel())
    await asyncio.wait({wish})
    return opening.result() if opening.done() else None


async def _close(store: Store) -> None:
    closing = in_thread(store.close, name="close-store")
    _, late = await asyncio.wait({closing}, timeout=_CLOSE_WITHIN_S)
    if late:
        logger.warning("%s is still busy and stays as it is: all that was stored is kept", store.path)


def bind(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> socket.socket:
    """A listening socket; port 0 takes any that is free. Raises ConfigError with the mend."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve at {host}:{port}: {error.strerror or error}", hint=_mend(error)) from error


def is_open_to_network(host: str) -> bool:
    """Whether others than this machine reach what is served at a host."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host.lower() != "localhost"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _mend(error: OSError) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return "another program serves there, perhaps another wattrail: stop it, or give another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 are the system's: give a larger one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "give an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for everybody in its network"
    return None
