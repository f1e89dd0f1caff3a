"""The process of the page: ``python -P -m wattrail.web.child CHANNEL LISTENER``, two inherited descriptors.

It serves strangers, and shares nothing with the meters: no port, no writable database, none of the gateway's memory,
descriptors or interpreter. It ends when the channel closes, which is when the gateway stops or dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from wattrail.gateway import Feed
from wattrail.gateway.logs import set_up_logging
from wattrail.web.app import build_app, meters_json
from wattrail.web.events import Broadcast
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.guard import Guard
from wattrail.web.limits import BACKLOG, HANDSHAKE_TIMEOUT_S, KEEP_ALIVE_S, MAX_CONNECTIONS, MAX_HEAD_BYTES
from wattrail.web.messages import (
    MAX_LINE,
    ConfigurationJson,
    PublisherJson,
    Setup,
    decode_line,
    encode_line,
    view_from_message,
)
from wattrail.web.protocol import BoundedProtocol
from wattrail.web.tls import CertificateFiles, server_context, take_up_renewals
from wattrail.web.waveform import WaveformJson, Waveforms

__all__ = ["main", "server_config"]

_STOP_WITHIN_S: Final = 1

logger = logging.getLogger(__name__)


class _PageServer(uvicorn.Server):
    """Handles no signals, and reports when it is ready."""

    def __init__(self, config: uvicorn.Config, writer: asyncio.StreamWriter) -> None:
        super().__init__(config)
        self._writer = writer

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._writer.write(encode_line(ready=True))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Page:
    """The state of the page, which messages of the gateway change."""

    def __init__(self, setup: Setup, writer: asyncio.StreamWriter) -> None:
        self.setup, self.feed = setup, Feed()
        self.waveforms = Waveforms(lambda name: writer.write(encode_line(watch=name)))
        self.broadcast = Broadcast(self.feed, meters_json)
        self.publishers: list[PublisherJson] = []
        self.calls = GatewayCalls(lambda **message: writer.write(encode_line(**message)))
        self.app = build_app(
            self.feed, setup, self.broadcast, self.waveforms, self.publishers,
            acknowledge=lambda number: writer.write(encode_line(acknowledge=number)),
            report=lambda **message: writer.write(encode_line(**message)),
            calls=self.calls,
        )  # fmt: skip

    def apply(self, message: Mapping[str, Any]) -> None:
        """Apply one message of the gateway; one without any content shows that the gateway runs."""
        self.broadcast.gateway_heard()
        if (names := message.get("names")) is not None:
            self.feed.arrange(names)
        if views := message.get("views", ()):
            self.feed.publish_all((view_from_message(view), ()) for view in views)
        if (publishers := message.get("publishers")) is not None:
            self.publishers[:] = map(PublisherJson.model_validate, publishers)
        if (configuration := message.get("configuration")) is not None:
            self.setup.configuration = ConfigurationJson.model_validate(configuration)
        if (house := message.get("house")) is not None:
            self.setup.grid, self.setup.solar = house
        if (answer := message.get("answer")) is not None:
            self.calls.answered(answer)
        if (waveform := message.get("waveform")) is not None:
            self.waveforms.keep(WaveformJson.model_validate(waveform))


async def _serve(channel: socket.socket, listener: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=channel, limit=MAX_LINE)
    first = decode_line(await reader.readline())
    setup = Setup.model_validate(first["setup"])
    set_up_logging(setup.log.level, setup.log.format, redacts=setup.log.redacts)
    page = _Page(setup, writer)
    while not first.get("complete"):  # nothing is served before all meters are known
        first = decode_line(await reader.readline())
        page.apply(first)
    files, tls = _certificate(setup)
    server = _PageServer(server_config(page.app, tls), writer)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_explain)
    if tls is not None:  # uvicorn leaves the time for agreeing on TLS at a minute
        bounded = functools.partial(loop.create_server, ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S)
        loop.create_server = bounded  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    # The loop holds its tasks weakly: one that nobody else holds may be collected while it runs.
    tasks = [asyncio.create_task(page.broadcast.run())]
    if files is not None and tls is not None:
        tasks.append(asyncio.create_task(take_up_renewals(tls, files)))
    try:
        while line := await reader.readline():
            page.apply(decode_line(line))
    finally:
        for task in tasks:
            task.cancel()
        page.broadcast.close()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        writer.close()


def _certificate(setup: Setup) -> tuple[CertificateFiles | None, ssl.SSLContext | None]:
    if setup.certificate is None or setup.key is None:
        return None, None
    files = CertificateFiles(setup.certificate, setup.key)
    return files, server_context(files)


def server_config(app: Guard, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """The configuration of the server: limits for strangers, no log of requests.

    uvicorn would believe any program of this machine about the address of a visitor: ``Guard`` decides whom to believe.
    """
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", http=BoundedProtocol, ws="none", loop="asyncio",
        server_header=False, proxy_headers=False, backlog=BACKLOG, h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=_STOP_WITHIN_S,
        ssl_context_factory=None if tls is None else lambda _config, _usual: tls,
    )  # fmt: skip


def _raise_descriptor_limit() -> None:
    """Allow as many descriptors as the limits need, where a shell or a service manager gave fewer and permits more."""
    # Without one, accept() fails while the connection stays in the queue, and the loop turns over it without rest.
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * (MAX_CONNECTIONS + BACKLOG)
        if soft < wanted:
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )


def _explain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log one line where asyncio would write a traceback for every connection that it could not accept."""
    error = context.get("exception")
    if isinstance(error, OSError):
        logger.warning("%s: %s", context["message"], error)
    else:
        logger.error("%s", context["message"], exc_info=error)


def main() -> None:
    """Serve until the channel closes."""
    _raise_descriptor_limit()
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or a service manager sends them to the whole group
        signal.signal(number, signal.SIG_IGN)
    set_up_logging()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # bad requests of strangers are not worth a warning
    channel, listener = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    with contextlib.suppress(ConnectionError):
        asyncio.run(_serve(channel, listener))
    logging.shutdown()
    os._exit(0)  # nothing is left to save, and to take an interpreter apart takes as long as all else of a stop


if __name__ == "__main__":
    main()
