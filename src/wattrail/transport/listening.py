"""How a server of this program stops listening."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

__all__ = ["stop_listening"]

_ROUNDS: Final = 4
"""Rounds of the loop from accepting a connection to the first step of its handler, which can then end it: transport,
protocol, task, step.
"""


async def stop_listening(server: asyncio.Server) -> None:
    """Take no more connections, greet those that were accepted already, then close the listening sockets.

    A server that is closed between the two leaves such a connection open for ever on Python 3.11: nobody answers it,
    and its client waits for the timeout (python/cpython#109564).
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        with suppress(NotImplementedError):  # the loop of Windows accepts in another way
            loop.remove_reader(listener.fileno())
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
    server.close()
