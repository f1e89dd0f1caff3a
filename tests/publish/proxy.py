"""A line between a publisher and its broker that is slow, or breaks where a test wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Line:
    """``piece`` bytes go at a time. After ``answers`` bytes of the broker the first connection breaks."""

    port: int
    piece: int = 65536
    answers: int | None = None
    breaks: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.port)
        left = self.answers if not self.breaks else None
        ways = [
            asyncio.create_task(self._pass(reader, to_broker, None)),
            asyncio.create_task(self._pass(from_broker, writer, left)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (to_broker, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int | None) -> None:
        with suppress(ConnectionError):
            while data := await source.read(self.piece):
                if left is not None and (left := left - len(data)) < 0:
                    self.breaks += 1
                    return
                sink.write(data)
                await sink.drain()


@asynccontextmanager
async def line_to(port: int, *, piece: int = 65536, answers: int | None = None) -> AsyncIterator[tuple[int, Line]]:
    """A line to the broker at a port: the port of its near end, and the line."""
    line = Line(port, piece, answers)
    async with await asyncio.start_server(line.serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], line
