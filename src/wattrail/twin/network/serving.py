"""Carriers of simulated network devices: a web server that sends bytes as they are, and a client of an MQTT broker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from wattrail.errors import PortOpenError, needs_library
from wattrail.image.layout import FLASH
from wattrail.transport.listening import stop_listening

if TYPE_CHECKING:
    import aiomqtt

__all__ = [
    "NETWORK_DEVICES",
    "Message",
    "MqttDevice",
    "WebFaults",
    "connect_to_broker",
    "content_length",
    "listening",
    "serve_web",
]

NETWORK_DEVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openbeken": "OpenBeken with a BL0942: web server, and MQTT with a broker",
        "tasmota": "Tasmota with a BL0942: web server, and MQTT with a broker",
        "mqtt-json": "a plug behind zigbee2mqtt: MQTT alone",
        "tuya": "PZIOT-E01 with Tuya's stock firmware: its local protocol",
    }
)
"""What can be served, by the word that names it."""

_LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d{1,9})(?=\r\n|\Z)", re.IGNORECASE)
_UPLOADS: Final = tuple(b"POST /api/" + path for path in (b"ota", b"flash/", b"fsblock", b"lfs/"))
"""Calls for which such a server reads on until the whole body is there."""

_MAX_KEPT: Final = FLASH
"""Bytes of an upload that are kept: no more fit into such a device, and its answer to more is the same."""

_READ_SIZE: Final = 2048
"""What such a server takes for a whole request: what arrives in one read."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message on MQTT."""

    topic: str
    payload: str
    retain: bool = False


@dataclass(slots=True)
class WebFaults:
    """What a web server can do wrong, as switches; ``cut_after`` closes the connection after so many bytes.

    ``delay_s`` is how long it thinks before each answer. ``upload_ends_after``: the power fails after so many bytes of
    the next body that takes more than one read.
    """

    is_silent: bool = False
    delay_s: float = 0.0
    cut_after: int | None = None
    upload_ends_after: int | None = None
    requests: int = 0


@asynccontextmanager
async def serve_web(
    answer: Callable[[str, bytes], bytes], *, host: str = "127.0.0.1", port: int = 0, faults: WebFaults | None = None
) -> AsyncIterator[str]:
    """Serve while the block runs; ``answer`` makes raw bytes of the request's target and its head. Gives host:port."""
    faults = faults or WebFaults()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                request = await _whole_request(reader, faults)
                faults.requests += 1
                words = request.split(b" ", 2)
                wait_s = None if faults.is_silent else faults.delay_s
                if len(words) == 3 and not await _is_left(reader, wait_s):
                    writer.write(answer(words[1].decode("latin-1"), request)[: faults.cut_after])
                    await writer.drain()
        finally:  # also where the block ends while somebody is served
            writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with listening(serve, host, port) as place:
        yield place


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], host: str, port: int
) -> AsyncIterator[str]:
    """Serve each connection while the block runs; gives host:port. Raises PortOpenError."""
    try:
        server = await asyncio.start_server(serve, host, port)
    except OSError as error:
        raise PortOpenError(f"cannot listen on {host}:{port}: {error}") from error
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        await stop_listening(server)


def content_length(head: bytes) -> int | None:
    """What the head of a request says about its body."""
    found = _LENGTH.search(head)
    return int(found[1]) if found else None


async def _whole_request(reader: asyncio.StreamReader, faults: WebFaults) -> bytes:
    """What arrives in one read, and of an upload as many bytes as its head says and a device can hold."""
    # OpenBeken parses what one read gave it: a body sent 0.2 s behind its head was answered with 400 (captured).
    request = await reader.read(_READ_SIZE)
    head, end, body = request.partition(b"\r\n\r\n")
    length = content_length(head)
    if not end or length is None or not request.startswith(_UPLOADS):
        return request
    missing, limit = length - len(body), faults.upload_ends_after
    if limit is not None and missing > 0:
        faults.upload_ends_after = None
        missing = min(missing, limit)
    received = bytearray(request)
    while missing > 0 and (part := await reader.read(min(missing, _MAX_KEPT))):
        # The firmware reads on to the end too, whatever its flash took of it: a client hears the answer after the body.
        received += part[: max(0, _MAX_KEPT - len(received))]
        missing -= len(part)
    return bytes(received)


async def _is_left(reader: asyncio.StreamReader, within_s: float | None) -> bool:
    """Whether the client ends the connection in that time; with None, wait until it does."""
    if within_s == 0:
        return False
    try:
        await asyncio.wait_for(reader.read(), within_s)
    except TimeoutError:
        return False
    return True


class MqttDevice(Protocol):
    """The side of a device that a broker sees."""

    @property
    def will(self) -> Message:
        """What the broker publishes when the device is lost."""
        ...

    @property
    def commands(self) -> str:
        """The topic filter of commands."""
        ...

    def births(self) -> Sequence[Message]:
        """What it publishes after it has connected."""
        ...

    def state(self) -> Sequence[Message]:
        """What it publishes by itself, again and again."""
        ...

    def answer_command(self, topic: str, payload: str) -> Sequence[Message]:
        """What it publishes when it is asked."""
        ...


async def connect_to_broker(
    device: MqttDevice, *, host: str = "127.0.0.1", port: int = 1883, interval_s: float = 5.0
) -> None:
    """Be that device on a broker, until it is cancelled: then the broker publishes the will, as at a power cut.

    Raises PortOpenError where the broker is not there or leaves.
    """
    with needs_library("a simulated MQTT device", "aiomqtt", extra="mqtt"):
        import aiomqtt
    will = aiomqtt.Will(device.will.topic, device.will.payload, qos=1, retain=device.will.retain)
    try:
        async with aiomqtt.Client(host, port, will=will) as client:
            # Before the births: whoever hears one may ask at once.
            await client.subscribe(device.commands)
            await _publish(client, device.births())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_answer(client, device))
                tasks.create_task(_repeat(client, device, interval_s))
    except aiomqtt.MqttError as error:
        raise PortOpenError(f"broker {host}:{port}: {error}") from error
    except ExceptionGroup as group:
        raise PortOpenError(f"broker {host}:{port}: {group.exceptions[0]}") from group


async def _publish(client: aiomqtt.Client, messages: Sequence[Message]) -> None:
    for message in messages:
        await client.publish(message.topic, message.payload, qos=0, retain=message.retain)
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # Python 3.11's wait_for loses a cancel that meets its result
            raise asyncio.CancelledError


async def _answer(client: aiomqtt.Client, device: MqttDevice) -> None:
    async for message in client.messages:
        payload = message.payload.decode("utf-8", errors="replace") if isinstance(message.payload, bytes) else ""
        await _publish(client, device.answer_command(message.topic.value, payload))


async def _repeat(client: aiomqtt.Client, device: MqttDevice, interval_s: float) -> None:
    while True:
        await _publish(client, device.state())
        await asyncio.sleep(interval_s)
