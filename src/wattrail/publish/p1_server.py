"""A P1 port over TCP: whoever connects gets a telegram of one meter every second, or every ten.

It listens and never reads. A meter that is not live sends nothing, as a silent smart meter would: no zero, no value of
the past.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from wattrail.errors import PortOpenError
from wattrail.gateway import Subscription
from wattrail.publish.consumer import ConsumerContext, Publisher, is_set_within, task_beside
from wattrail.publish.p1 import telegram
from wattrail.publish.pending import PendingValues, PublishCadence
from wattrail.publish.status import PublisherStatus
from wattrail.store.outbox import Outbox
from wattrail.transport.listening import stop_listening

__all__ = ["P1Plan"]

_MAX_CLIENTS: Final = 16
_MAX_UNSENT: Final = 64 * 1024
"""Bytes that a client may leave unread, about a minute of telegrams; then it is disconnected."""

_RETRY_S: Final = 5.0
_REMEMBER_S: Final = 60.0
"""How often the newest register is stored, below which no telegram goes after a restart either."""

_NO_ESTIMATES: Final = "its energy is estimated by power, and a telegram of a utility meter cannot say so"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class P1Plan:
    """The telegrams of one meter; port 0 takes one that is free."""

    meter: str
    host: str = "127.0.0.1"
    port: int = 8088
    every_s: float = 10.0
    retry_s: float = _RETRY_S
    name: str = "p1"

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"tcp://{self.host}:{self.port} (meter {self.meter})"

    def publisher(self, context: ConsumerContext) -> Publisher:
        """A coroutine function: see ``Publisher``."""

        async def publish(events: Subscription) -> None:
            with Outbox(context.database, self.name) as outbox:
                await _P1Server(self, context, outbox).run(events)

        return publish


class _P1Server:
    """One publisher while it runs."""

    def __init__(self, plan: P1Plan, context: ConsumerContext, outbox: Outbox) -> None:
        self._plan, self._board, self._zone = plan, context.board, context.zone
        # Nothing waits for a client. What is remembered is the newest register, below which no telegram goes.
        cadence = PublishCadence(live_s=0.0, registers_s=0.0)
        self._pending = PendingValues(outbox, cadence, (plan.meter,), is_queued=False, flush_s=_REMEMBER_S)
        self._clients: set[asyncio.StreamWriter] = set()
        self._ended = asyncio.Event()

    async def run(self, events: Subscription) -> None:
        """Serve until the events end."""
        async with task_beside(self._collect(events)) as collecting:
            while not self._ended.is_set():
                try:
                    async with self._listening():
                        await self._send_telegrams(collecting)
                except OSError as error:
                    shown = PortOpenError(
                        f"cannot listen at {self._plan.target}: {error.strerror or error}",
                        hint=f"choose another host or port in [publish.{self._plan.name}]",
                    )
                    self._board.failed(self._plan.name, PublisherStatus.REFUSED, shown)
                    await is_set_within(self._ended, self._plan.retry_s)

    async def _collect(self, events: Subscription) -> None:
        async for event in events:
            self._pending.note(event, time.monotonic())
        self._pending.flush(time.monotonic())
        self._ended.set()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._greet, self._plan.host, self._plan.port)
        try:
            port = server.sockets[0].getsockname()[1]
            logger.info("%s: telegrams of meter %s at port %d", self._plan.name, self._plan.meter, port)
            self._board.reached(self._plan.name)
            yield
        finally:
            await stop_listening(server)
            for writer in tuple(self._clients):
                self._drop(writer)

    async def _greet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= _MAX_CLIENTS:
            logger.warning("%s: %d clients are connected, which is the limit", self._plan.name, _MAX_CLIENTS)
            writer.close()
            return
        self._clients.add(writer)

    async def _send_telegrams(self, collecting: asyncio.Task[None]) -> None:
        while not self._ended.is_set():
            if collecting.done():
                collecting.result()
            text = self._telegram()
            if text is not None and self._clients:
                for writer in tuple(self._clients):
                    self._send(writer, text)
                self._board.sent(self._plan.name, waiting=0, held=self._pending.held)
            await is_set_within(self._ended, self._plan.every_s)

    def _telegram(self) -> bytes | None:
        meter = self._pending.meters.get(self._plan.meter)
        if meter is None or not meter.is_online(time.monotonic()) or self._plan.meter in self._pending.held:
            return None
        if meter.who.has_estimates:
            self._board.holds(self._plan.name, {self._plan.meter: _NO_ESTIMATES})
            return None
        registers = self._pending.registers(meter)
        if meter.live is None or registers is None:
            return None
        local, is_summer = _local(meter.live.at, self._zone)
        return telegram(meter.who, meter.live, registers, local=local, is_summer=is_summer)

    def _send(self, writer: asyncio.StreamWriter, text: bytes) -> None:
        if writer.is_closing() or writer.transport.get_write_buffer_size() > _MAX_UNSENT:
            self._drop(writer)
        else:
            writer.write(text)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._clients.discard(writer)
        # At once: a client that reads nothing would keep a polite close waiting.
        writer.transport.abort()


def _local(at: datetime, zone: tzinfo) -> tuple[datetime, bool]:
    """Local time of a moment, and whether daylight saving time holds."""
    local = at.astimezone(zone)
    dst = local.dst()
    is_summer = bool(dst) if dst is not None else time.localtime(at.timestamp()).tm_isdst > 0
    return local, is_summer
