"""A server that stops listening leaves nobody behind who has just come in."""

from __future__ import annotations

import asyncio
import socket

from wattrail.transport.listening import stop_listening


def test_who_was_accepted_in_the_last_moment_is_greeted() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.append(True)
        writer.write(b"goodbye")
        writer.close()
        await writer.wait_closed()

    greeted: list[bool] = []

    async def story() -> bytes:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as visitor:
            visitor.setblocking(False)
            for _ in range(2):  # the loop has accepted the visitor, and has not greeted it yet
                await asyncio.sleep(0)
            await stop_listening(server)
            assert greeted, "a handler that has begun can be cancelled, and ends its connection"
            async with asyncio.timeout(60):
                return await asyncio.get_running_loop().sock_recv(visitor, 100)

    assert asyncio.run(story()) == b"goodbye"
