"""Serving: a port, a server that stops when asked, and everything together in one call."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import uvicorn

from wattrail.errors import ConfigError
from wattrail.gateway import Feed, Gateway, GatewayPlan
from wattrail.store import Store, open_store
from wattrail.web.app import Candidate, build_app

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "bind", "run", "serve"]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8042

_STOP_WITHIN_S: Final = 1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def run(
    plan: GatewayPlan,
    database: Path | str,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    candidates: Sequence[Candidate] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """The whole service, until SIGINT or SIGTERM: store, gateway and web. ``on_ready`` is told the page's address.

    Raises ConfigError for a port in use, StoreError for a database that cannot be used; no meter is touched then.
    """
    with bind(host, port) as listener, open_store(database) as store:
        async with Gateway(plan, store) as gateway:
            await serve(gateway.feed, store, listener, candidates=candidates, zone=plan.zone_info(), on_ready=on_ready)


async def serve(
    feed: Feed,
    store: Store,
    listener: socket.socket,
    *,
    candidates: Sequence[Candidate] = (),
    zone: ZoneInfo | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """The web face alone, on a bound socket, until SIGINT or SIGTERM."""
    app = build_app(feed, store, candidates=candidates, zone=zone)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", ws="websockets-sansio",
        timeout_graceful_shutdown=_STOP_WITHIN_S, server_header=False,
    )  # fmt: skip
    server = _Server(config, on_ready=on_ready)
    await server.serve(sockets=[listener])


def bind(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> socket.socket:
    """A listening socket; port 0 takes any that is free. Raises ConfigError with the mend."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve at {host}:{port}: {error.strerror or error}", hint=_mend(error)) from error


class _Server(uvicorn.Server):
    """Takes signals as a wish to stop, and does not raise them again: what is around it still has books to close."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready and sockets:
            self._on_ready(_address(sockets[0]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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
