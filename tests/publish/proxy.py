"""A bad network between a publisher and its broker: bytes come one by one, are held back, or never arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from wattrail.transport.listening import stop_listening


@dataclass
class Way:
    """One direction: ``chunk`` bytes at a time, as long as it is ``open``; ``is_lossy``: they never arrive.

    After ``breaks_after`` bytes in all the connection breaks, once.
    """

    chunk: int = 65536
    is_lossy: bool = False
    breaks_after: int | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    passed: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while got := await reader.read(self.chunk):
                await self.open.wait()
                if self.breaks_after is not None and self.passed + len(got) > self.breaks_after:
                    self.breaks_after = None
                    return
                if not self.is_lossy:
                    writer.write(got)
                    await writer.drain()
                    self.passed += len(got)


@dataclass
class Proxy:
    """Every connection to ``port`` goes to the broker; ``cut`` breaks those that stand."""

    broker_port: int
    port: int = 0
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def close(self) -> None:
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    def start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except ConnectionError:
            writer.transport.abort()
            return
        ends = (writer, to_broker)
        self._writers += ends
        ways = (self.up.carry(reader, to_broker), self.down.carry(from_broker, writer))
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for end in ends:
                end.transport.abort()
            await asyncio.wait(tasks)

    def cut(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def proxied(broker_port: int) -> AsyncIterator[Proxy]:
    """A proxy on a free port of loopback."""
    proxy = Proxy(broker_port)
    server = await asyncio.start_server(proxy.start, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        await stop_listening(server)
        await proxy.close()
