"""One connection to an MQTT broker for all meters behind it.

A broker connects when its first listener comes, and connects again by itself, with growing pauses, until the last one
has gone. Listeners are called with each message of their topics, on the event loop, and must not block. Only MQTT 3.1.1
is spoken: every broker and every meter's firmware knows it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, PortError, PortLost, PortOpenError, needs_library
from wattrail.network_meters.decoded import MqttCommand
from wattrail.sanitize import printable
from wattrail.sources.read_ahead import read_ahead
from wattrail.transport.connection_reason import connection_reason
from wattrail.transport.frame_log import log_bytes

if TYPE_CHECKING:
    import aiomqtt

__all__ = ["Broker", "BrokerAddress", "BrokerListener", "BrokerPool"]

RETRY_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Pauses between attempts to connect; the last one repeats."""

MAX_PENDING: Final = 10_000
"""Commands that may be on their way at once before aiomqtt warns: each meter asks for itself."""

_TIMEOUT_S: Final = 10.0
_KEEPALIVE_S: Final = 30
_REFUSED: Final = {4, 5, 134, 135}
"""CONNACK codes: bad user or password, not authorised; in the numbers of MQTT 3.1.1 and of MQTT 5."""

_log = logging.getLogger(__name__)


class BrokerListener(Protocol):
    """What a broker tells of its connection."""

    def filters(self) -> Sequence[str]:
        """The topics of interest."""
        ...

    def receive(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A message."""
        ...

    def connection_changed(self, problem: PortError | None) -> None:
        """The connection stands (None) or does not."""
        ...


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is, and the name of the login that is used there."""

    host: str
    port: int
    is_encrypted: bool = False
    login: str = ""

    def __str__(self) -> str:
        return f"broker {self.host}:{self.port}"


class Broker:
    """A broker and its listeners. ``secrets`` are the forms of its login that no error may show."""

    def __init__(
        self, address: BrokerAddress, *, credentials: Credentials | None = None, retry_s: Sequence[float] = RETRY_S
    ) -> None:
        with needs_library("a meter over MQTT", "aiomqtt", extra="mqtt"):
            import aiomqtt  # noqa: F401 - only whether it is there
            from paho.mqtt.matcher import MQTTMatcher
        self.address = address
        self.reconnects = 0
        self.problem: PortError | None = PortOpenError(f"{address}: not connected yet")
        self.secrets = credentials.forms if credentials else ()
        self._credentials = credentials
        self._retry_s = retry_s
        self._listeners: dict[BrokerListener, tuple[str, ...]] = {}
        self._of_wildcard = MQTTMatcher()  # type: ignore[no-untyped-call]  # paho has types everywhere but there
        self._of_filter: dict[str, list[BrokerListener]] = {}
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None

    def separate(self) -> Broker:
        """The same broker with a connection of its own, which begins with its first listener."""
        return Broker(self.address, credentials=self._credentials, retry_s=self._retry_s)

    async def add(self, listener: BrokerListener) -> None:
        """Hand messages to a listener from now on."""
        self._listeners[listener] = ()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"{self.address}")
        await self.refresh(listener)
        if self._client is not None:
            listener.connection_changed(None)

    async def refresh(self, listener: BrokerListener) -> None:
        """Subscribe to what a listener wants now; what it wanted before is kept."""
        wanted = [topic for topic in listener.filters() if topic not in self._listeners[listener]]
        self._listeners[listener] += tuple(wanted)
        for topic in wanted:
            if topic not in self._of_filter:
                self._of_filter[topic] = []
                if _has_wildcard(topic):
                    self._of_wildcard[topic] = self._of_filter[topic]
            self._of_filter[topic].append(listener)
        with suppress(_mqtt_error()):  # a connection that broke is made again, and then subscribes to everything
            await self._subscribe(wanted)

    async def remove(self, listener: BrokerListener) -> None:
        """Forget a listener; the last one ends the connection."""
        unused = []
        for topic in self._listeners.pop(listener, ()):
            self._of_filter[topic].remove(listener)
            if not self._of_filter[topic]:
                del self._of_filter[topic]
                if _has_wildcard(topic):
                    del self._of_wildcard[topic]  # type: ignore[no-untyped-call]
                unused.append(topic)
        if not self._listeners:
            await self._stop()
        elif unused and self._client is not None:
            with suppress(_mqtt_error()):
                await self._client.unsubscribe(unused, timeout=_TIMEOUT_S)

    async def publish(self, commands: Iterable[MqttCommand]) -> None:
        """Publish, where the connection stands; a command that is lost is given again by whoever needs it."""
        for command in commands:
            if self._client is None:
                return
            log_bytes(f"-> {command.topic}", command.payload.encode(), str(self.address), secrets=self.secrets)
            with suppress(_mqtt_error()):
                # QoS 0: a question that is lost is asked again, and
                # a second delivery would only bring a second answer.
                await self._client.publish(command.topic, command.payload, qos=0, timeout=_TIMEOUT_S)
            _end_if_cancelled()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with self._connect() as client:
                    failures = 0
                    await self._serve(client)
            except _mqtt_error() as error:
                self._notify(self._problem_of(error))
            finally:
                self._client = None
            await asyncio.sleep(self._retry_s[min(failures, len(self._retry_s) - 1)])
            failures += 1
            self.reconnects += 1

    def _connect(self) -> aiomqtt.Client:
        import aiomqtt

        hand_out = self._hand_out

        class Handing(asyncio.Queue[aiomqtt.Message]):
            """In place of aiomqtt's queue: waiting for each message there takes a task and twice the time."""

            def put_nowait(self, item: aiomqtt.Message) -> None:
                hand_out(item)

        login = self._credentials
        client = aiomqtt.Client(
            self.address.host,
            self.address.port,
            username=login.user if login else None,
            password=login.password if login else None,
            protocol=aiomqtt.ProtocolVersion.V311,  # what every broker speaks; nothing of MQTT 5 is needed to listen
            tls_context=ssl.create_default_context() if self.address.is_encrypted else None,
            timeout=_TIMEOUT_S,
            keepalive=_KEEPALIVE_S,
            queue_type=Handing,
            logger=_log,
        )
        client.pending_calls_threshold = MAX_PENDING
        read_ahead(client._client)
        return client

    async def _serve(self, client: aiomqtt.Client) -> None:
        self._client = client
        # After each connection: the broker keeps no session for us, and has forgotten what was asked for.
        await self._subscribe(list(self._of_filter))
        self._notify(None)
        async for _ in client.messages:  # none comes this way; it ends with the connection, as an error
            pass

    def _hand_out(self, message: aiomqtt.Message) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        topic = message.topic.value
        log_bytes(f"<- {topic}", payload, str(self.address), secrets=self.secrets)
        exact = self._of_filter.get(topic, ())  # no topic has a wildcard: those are filters alone
        for listeners in (exact, *self._of_wildcard.iter_match(topic)):  # type: ignore[no-untyped-call]
            for listener in tuple(listeners):
                try:
                    listener.receive(topic, payload, is_retained=message.retain)
                except Exception:  # noqa: BLE001 - a bug in one meter's decoder must not end the others' connection
                    _log.exception("%s: topic %s", self.address, printable(topic))

    async def _subscribe(self, topics: Sequence[str]) -> None:
        if topics and self._client is not None:
            await self._client.subscribe([(topic, 0) for topic in topics], timeout=_TIMEOUT_S)
        _end_if_cancelled()

    def _problem_of(self, error: Exception) -> PortError:
        code = getattr(error, "rc", None)
        number = getattr(code, "value", code)
        reason = printable(connection_reason(error, f"{self.address.host}:{self.address.port}"), limit=120)
        if number in _REFUSED:
            user = self._credentials.user if self._credentials else "nobody"
            return AccessDenied(
                f"{self.address} refuses the login {self.address.login!r} (user {printable(user)!r}): {reason}",
                hint="docs/sources.md, credentials",
            )
        if self._client is not None:
            return PortLost(f"{self.address}: the connection broke: {reason}", hint="it is being connected again")
        return PortOpenError(f"{self.address}: cannot connect: {reason}", hint="check host, port and whether it runs")

    def _notify(self, problem: PortError | None) -> None:
        self.problem = problem
        _log.info("%s: %s", self.address, problem or "connected")
        for listener in tuple(self._listeners):
            listener.connection_changed(problem)


class BrokerPool:
    """Brokers by their address: meters behind the same one share a connection."""

    def __init__(self, *, retry_s: Sequence[float] = RETRY_S) -> None:
        self._retry_s = retry_s
        self._brokers: dict[BrokerAddress, Broker] = {}
        self._lock = threading.Lock()  # sources are opened in threads: a password store may block

    def broker(self, address: BrokerAddress, credentials: Credentials | None) -> Broker:
        """The broker at an address, made at the first call."""
        with self._lock:
            if address not in self._brokers:
                self._brokers[address] = Broker(address, credentials=credentials, retry_s=self._retry_s)
            return self._brokers[address]

    def separate(self) -> list[Broker]:
        """Each of these brokers with a connection of its own, for what must not reach the listeners of the others."""
        with self._lock:
            return [broker.separate() for broker in self._brokers.values()]


def _has_wildcard(topic: str) -> bool:
    return "+" in topic or "#" in topic


def _end_if_cancelled() -> None:
    """Python 3.11's wait_for, in which aiomqtt waits, loses a cancel that arrives together with the result."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _mqtt_error() -> type[Exception]:
    import aiomqtt

    return aiomqtt.MqttError
