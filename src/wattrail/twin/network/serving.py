"""Carriers of simulated network devices: a web server that sends bytes as they are, and a client of an MQTT broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from wattrail.errors import MissingExtra, PortOpenError

if TYPE_CHECKING:
    import aiomqtt

__all__ = ["NETWORK_DEVICES", "Message", "MqttDevice", "WebFaults", "connect_to_broker", "serve_web"]

NETWORK_DEVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openbeken": "OpenBeken with a BL0942: web server, and MQTT with a broker",
        "tasmota": "Tasmota with a BL0942: web server, and MQTT with a broker",
        "mqtt-json": "a plug behind zigbee2mqtt: MQTT alone",
    }
)
"""What can be served, by the word that names it."""

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

    ``delay_s`` is how long it thinks before each answer.
    """

    is_silent: bool = False
    delay_s: float = 0.0
    cut_after: int | None = None
    requests: int = 0


@asynccontextmanager
async def serve_web(
    answer: Callable[[str, bytes], bytes], *, host: str = "127.0.0.1", port: int = 0, faults: WebFaults | None = None
) -> AsyncIterator[str]:
    """Serve while the block runs; ``answer`` makes raw bytes of the request's target and its head. Gives host:port."""
    faults = faults or WebFaults()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            request = await reader.read(_READ_SIZE)
            faults.requests += 1
            words = request.split(b" ", 2)
            wait_s = None if faults.is_silent else faults.delay_s
            if len(words) == 3 and not await _is_left(reader, wait_s):
                writer.write(answer(words[1].decode("latin-1"), request)[: faults.cut_after])
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    try:
        server = await asyncio.start_server(serve, host, port)
    except OSError as error:
        raise PortOpenError(f"cannot listen on {host}:{port}: {error}") from error
    async with server:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"


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
    try:
        import aiomqtt
    except ImportError as error:
        raise MissingExtra("a simulated MQTT device", library="aiomqtt", extra="mqtt") from error
    will = aiomqtt.Will(device.will.topic, device.will.payload, qos=1, retain=device.will.retain)
    try:
        async with aiomqtt.Client(host, port, will=will) as client:
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
