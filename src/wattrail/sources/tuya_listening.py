"""Listens for devices with Tuya's firmware, which announce themselves by UDP; some only where they are asked."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wattrail.network_meters.discovery import FoundMeter
from wattrail.network_meters.tuya_announcement import encode_question, parse_announcement
from wattrail.network_meters.tuya_frames import needs_cipher

__all__ = ["HeardDevices", "announced", "udp_socket"]

MAX_DEVICES: Final = 500
"""Devices that are kept: a flood of invented ones must not fill the memory."""


@dataclass(slots=True)
class HeardDevices:
    """The devices that were heard, the address they were asked from (None: nobody asked), and what failed."""

    meters: list[FoundMeter] = field(default_factory=list)
    asked_from: str | None = None
    problems: list[str] = field(default_factory=list)


async def announced(
    ports: Sequence[int], *, interface: str, seconds: float, question: tuple[str, int] | None = None
) -> HeardDevices:
    """Listen for that time; the question goes out once, to that host and port. Raises MissingExtra."""
    needs_cipher()
    found: dict[str, FoundMeter] = {}
    heard = HeardDevices()

    class AnnouncementReceiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            meter = parse_announcement(data, str(addr[0]))
            if meter is not None and (meter.url in found or len(found) < MAX_DEVICES):
                found[meter.url] = meter

    loop, transports = asyncio.get_running_loop(), []
    try:
        for port in ports:
            try:
                # Shared with other programs that listen there, where the system can do that.
                sock = udp_socket(interface, port, (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1))
                transport, _ = await loop.create_datagram_endpoint(AnnouncementReceiver, sock=sock)
            except OSError as error:
                heard.problems.append(f"UDP port {port}: {error.strerror or error}")
                continue
            transports.append(transport)
        if transports:
            if question is not None:
                _send_question(question, interface, heard)
            await asyncio.sleep(seconds)
    finally:
        for transport in transports:
            transport.close()
    heard.meters = list(found.values())
    return heard


def _send_question(place: tuple[str, int], interface: str, heard: HeardDevices) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            # Newer devices are silent until they are asked, and the question goes to everybody. Source: tuya/lan
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((interface, 0))
            sock.connect(place)  # sends nothing, and says from which address
            address = str(sock.getsockname()[0])
            sock.send(encode_question(address, secrets.token_bytes(12)))
        except OSError as error:
            heard.problems.append(f"UDP {place[0]}:{place[1]}: {error.strerror or error}")
            return
    heard.asked_from = address


def udp_socket(interface: str, port: int, *options: tuple[int, int, int | bytes]) -> socket.socket:
    """A socket that is bound there and does not block. Raises OSError, with nothing left open."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for option in options:
            sock.setsockopt(*option)
        sock.bind((interface, port))
    except OSError:
        sock.close()
        raise
    return sock
