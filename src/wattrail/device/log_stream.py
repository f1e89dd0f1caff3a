"""The log of an OpenBeken: lines on a TCP port, from a ring of 4 KB, for one reader. Source: openbeken/network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from wattrail.errors import PortLost, PortOpenError
from wattrail.transport.connection_reason import connection_reason

__all__ = ["log_lines"]

_MAX_LINE: Final = 4096
"""The ring that lines come from has as many bytes."""


async def log_lines(host: str, port: int, *, timeout_s: float) -> AsyncGenerator[str, None]:
    """Each line as it comes. Raises PortOpenError, and PortLost where the device ends the connection."""
    where = f"log of {host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=_MAX_LINE)
    except (OSError, TimeoutError) as error:
        reason = connection_reason(error, f"{host}:{port}") if isinstance(error, OSError) else "no answer"
        raise PortOpenError(
            f"{where}: cannot connect: {reason}", hint="the log serves one reader; close the other, or check the host"
        ) from error
    try:
        while True:
            try:
                data = await reader.readuntil(b"\n")
            # No end within as many bytes as the ring has: the device has lost it, so what came is handed out.
            except asyncio.LimitOverrunError:
                data = await reader.read(_MAX_LINE)
            except (asyncio.IncompleteReadError, OSError) as error:
                rest = error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
                if rest.strip():
                    yield rest.decode("utf-8", errors="replace").strip()
                raise PortLost(f"{where}: the device ended the connection", hint="it may have restarted") from error
            if line := data.decode("utf-8", errors="replace").strip():
                yield line
    finally:
        writer.close()
