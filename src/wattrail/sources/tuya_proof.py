"""Which of several local keys opens a device: a frame of the device itself proves it."""

from __future__ import annotations

import asyncio
import secrets as randomness
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from wattrail.errors import AccessDenied, LinkError, PortOpenError, UrlError
from wattrail.network_meters.tuya_frames import FrameKey, TuyaVersion, needs_cipher
from wattrail.network_meters.tuya_session import TuyaSession
from wattrail.sources.tuya import TuyaPlace
from wattrail.transport.connection_reason import connection_reason

__all__ = ["proven_key"]

_READ_SIZE: Final = 4096


async def proven_key(
    where: str, place: TuyaPlace, version: TuyaVersion, device_id: str, candidates: Sequence[str], *, epoch_s: int
) -> str:
    """The candidate that the device proves, each tried on a connection of its own.

    ``epoch_s`` is now, in seconds since 1970. Raises PortOpenError where nobody is there, AccessDenied where none of
    them opens the device, UrlError for version 3.1, MissingExtra.
    """
    needs_cipher()
    if version is TuyaVersion.V31:
        raise UrlError(
            f"{where}: a device of version 3.1 answers in clear, which proves no key",
            hint="store the key yourself: docs/sources.md, credentials",
        )
    # One after the other: most such devices serve one client, and another looks like a wrong key. Source: tuya/lan
    for candidate in candidates:
        session = TuyaSession(
            where, device_id, FrameKey(version, candidate.encode("ascii")), random=randomness.token_bytes
        )
        if await _opens(where, place, session, epoch_s):
            return candidate
    raise AccessDenied(
        f"{where}: none of {len(candidates)} candidates opens the device: it was paired again since, it is busy with "
        f"another client, or it does not speak version {version}; they look alike",
        hint="end the app and other programs that read it, and try once more; then read a new dump",
    )


async def _opens(where: str, place: TuyaPlace, session: TuyaSession, epoch_s: int) -> bool:
    try:
        async with asyncio.timeout(place.timeout_s):
            reader, writer = await asyncio.open_connection(place.host, place.port)
    except OSError as error:  # TimeoutError is one
        raise PortOpenError(
            f"{where}: cannot connect: {connection_reason(error, str(place))}",
            hint="check the address: a device with Tuya's firmware listens on port 6668",
        ) from error
    try:
        with suppress(OSError, LinkError):
            async with asyncio.timeout(place.timeout_s):
                await _converse(reader, writer, session, epoch_s)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return session.is_proven


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: TuyaSession, epoch_s: int
) -> None:
    """Until the device has proven the key, or has ended the connection."""
    writer.write(session.start())
    is_asked = False
    while not session.is_proven:
        if session.is_ready and not is_asked:
            is_asked = True
            session.query(epoch_s)
        writer.write(session.data_to_send())
        await writer.drain()
        data = await reader.read(_READ_SIZE)
        if not data:
            return
        session.receive(data)
