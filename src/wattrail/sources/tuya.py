"""A meter with Tuya's stock firmware, over a connection of its own.

A device pushes what has changed, and answers a question out of its cache. It is asked all the same: one that nobody
asks closes the connection, and plugs measure only when they are asked to. An answer that repeats the one before gives
no reading, for nobody can tell it from a device that has stopped measuring. Times of the connection are those of the
loop.
"""

from __future__ import annotations

import asyncio
import math
import secrets as randomness
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from wattrail.clock import Clock
from wattrail.errors import LinkError, PortError, PortLost, PortOpenError, PortTimeout
from wattrail.network_meters.decoded import TopicLink
from wattrail.network_meters.tuya_meter import ANSWER, PUSH
from wattrail.network_meters.tuya_session import TuyaReport, TuyaSession
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.sources.source import DecodingSource, SourceCadence
from wattrail.sources.tuya_key import TuyaAccess
from wattrail.transport.connection_reason import connection_reason
from wattrail.transport.frame_log import log_bytes
from wattrail.units import Reading

__all__ = ["TuyaPlace", "TuyaSource"]

_BEAT_S: Final = 9.0
"""A device closes a connection on which nothing came for 30 s; the app sends a heartbeat every 8 to 10 s."""

_READ_SIZE: Final = 4096
MAX_WAITING: Final = 256
"""Readings of one piece of what arrived that are kept; of more the oldest go, registers hold what they said."""

# A client too many is accepted and closed at once: the SDK takes three, most devices one (localtuya#725). What it
# sends before that, or does not, cannot be told apart from the answer to a wrong key.
_BUSY: Final = "it is busy with another client, or the local key, id= or version= is wrong: they look alike"
_BUSY_HINT: Final = "end the app and other programs that read this device (most serve one), then check the key"


@dataclass(frozen=True, slots=True)
class TuyaPlace:
    """Where a device is, and how long a connection and an answer may take."""

    host: str
    port: int
    timeout_s: float

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _TuyaConnection:
    """One connection, its session, and when what is due on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: TuyaSession) -> None:
        self.reader, self.writer, self.session = reader, writer, session
        self.ask_at = -math.inf
        self.sent_at = asyncio.get_running_loop().time()
        self.answer_by = math.inf
        self.is_update_due = False

    async def send(self, data: bytes) -> None:
        """Send, where there is something."""
        if data:
            self.writer.write(data)
            await self.writer.drain()
            self.sent_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """End it."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class TuyaSource(DecodingSource):
    """A device with Tuya's stock firmware. ``read`` gives the next thing that it says and did not say before.

    ``ask_s`` is how often it is asked, 0 for never. ``updates``: it is asked to measure again where it only repeats
    itself. ``access`` finds the local key when it is needed.
    """

    is_polled: Final = False
    broker_problem: Final = None

    def __init__(
        self,
        url: str,
        place: TuyaPlace,
        access: TuyaAccess,
        link: TopicLink,
        *,
        cadence: SourceCadence,
        clock: Clock,
        points: tuple[int, ...],
        ask_s: float,
        updates: bool,
        unit_check: UnitCheck,
        max_watts: int,
        simulated: bool,
        random: Callable[[int], bytes] = randomness.token_bytes,
    ) -> None:
        super().__init__(
            url, cadence=cadence, clock=clock, unit_check=unit_check, max_watts=max_watts, simulated=simulated
        )
        self.link = link
        self._where = url.partition("?")[0]
        self._place, self._access = place, access
        self._points, self._ask_s, self._updates, self._random = points, ask_s, updates, random
        self._connection: _TuyaConnection | None = None
        self._connections = 0
        self._asks_by_point = False
        self._inbox: deque[Reading] = deque(maxlen=MAX_WAITING)
        self._said: bytes | None = None
        self._news_at: float | None = None

    @property
    def reconnects(self) -> int:
        """How often it was connected to after the first time."""
        return max(0, self._connections - 1)

    async def read(self) -> Reading:
        """The next reading. Raises PortError and LinkError, as ``MeterSource`` says."""
        try:
            while not self._inbox:
                connection = self._connection or await self._connect()
                await self._keep_up(connection)
                await self._wait(connection)
        except (PortError, LinkError) as error:
            await self.close()
            error.hide(self._access.secrets)
            raise
        return self._inbox.popleft()

    async def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> _TuyaConnection:
        session = self._access.session(
            self._where, random=self._random, points=self._points, asks_by_point=self._asks_by_point
        )
        try:
            async with asyncio.timeout(self._place.timeout_s):
                reader, writer = await asyncio.open_connection(self._place.host, self._place.port)
        except TimeoutError as error:
            raise PortOpenError(
                f"{self._where}: cannot connect within {self._place.timeout_s:g} s",
                hint="check the address, and that the meter has power",
            ) from error
        except OSError as error:
            raise PortOpenError(
                f"{self._where}: cannot connect: {connection_reason(error, str(self._place))}",
                hint="check the address: a device with Tuya's firmware listens on port 6668",
            ) from error
        self._connection = connection = _TuyaConnection(reader, writer, session)
        start = session.start()
        if start:
            connection.answer_by = connection.sent_at + self._place.timeout_s
        await self._send(connection, start)
        return connection

    async def _keep_up(self, connection: _TuyaConnection) -> None:
        """Ask when it is time, and keep the connection."""
        now, session = asyncio.get_running_loop().time(), connection.session
        if not session.is_ready:
            return
        if connection.ask_at == -math.inf:
            self._connections += 1
            self._news_at = now if self._news_at is None else self._news_at
        if session.asks_by_point and not self._asks_by_point:
            self._asks_by_point, connection.ask_at = True, -math.inf
        if now >= connection.ask_at:
            connection.ask_at = now + self._ask_s if self._ask_s else math.inf
            # Out of the cache of the module: its microcontroller is not asked, so most answers repeat the one before.
            session.query(int(self._clock.now().timestamp()))
            if connection.is_update_due and self._updates:
                session.request_update()
            # One that has said nothing since the last question may measure only when it is asked to.
            connection.is_update_due = True
            connection.answer_by = min(connection.answer_by, now + self._place.timeout_s)
        elif now - connection.sent_at >= _BEAT_S:
            session.beat()
            connection.answer_by = min(connection.answer_by, now + self._place.timeout_s)
        await self._send(connection, session.data_to_send())

    async def _wait(self, connection: _TuyaConnection) -> None:
        """Take in what comes, until something else is due."""
        loop = asyncio.get_running_loop()
        silent_at = math.inf if self._news_at is None else self._news_at + self.cadence.silence_s
        due = min(connection.answer_by, silent_at)
        if connection.session.is_ready:  # nothing is asked before
            due = min(due, connection.ask_at, connection.sent_at + _BEAT_S)
        try:
            async with asyncio.timeout_at(due):
                data = await connection.reader.read(_READ_SIZE)
        except TimeoutError:
            now = loop.time()
            if now >= connection.answer_by:
                raise self._no_answer(connection) from None
            if now >= silent_at:
                self._news_at = None  # whoever reads again waits as long again
                raise self._silence() from None
            return
        except OSError as error:
            reason = connection_reason(error, str(self._place))
            raise self._lost(connection, f"the connection broke: {reason}") from error
        if not data:
            raise self._lost(connection, "the device closed the connection")
        log_bytes("<-", data, self._where)
        reports = connection.session.receive(data)
        if connection.session.is_answered:  # a heartbeat is answered whatever the key
            connection.answer_by = math.inf
        await self._send(connection, connection.session.data_to_send())
        for report in reports:
            self._take(report, connection, loop.time())

    async def _send(self, connection: _TuyaConnection, data: bytes) -> None:
        if data:
            log_bytes("->", data, self._where)
        try:
            await connection.send(data)
        except OSError as error:
            reason = connection_reason(error, str(self._place))
            raise self._lost(connection, f"the connection broke: {reason}") from error

    def _take(self, report: TuyaReport, connection: _TuyaConnection, now: float) -> None:
        if not report.is_push:
            if report.payload == self._said:
                return
            self._said = report.payload
        topic = PUSH if report.is_push else ANSWER
        decoded = self.link.receive(topic, report.payload, is_retained=False, at=self._clock.monotonic())
        if decoded is None:
            return
        self._news_at, connection.is_update_due = now, False
        self._inbox.append(self._reading(decoded))

    def _hint(self, connection: _TuyaConnection) -> str:
        return "check the Wi-Fi signal at the meter" if connection.session.is_answered else _BUSY_HINT

    def _lost(self, connection: _TuyaConnection, how: str) -> PortLost:
        why = "" if connection.session.is_answered else f" without an answer: {_BUSY}"
        return PortLost(f"{self._where}: {how}{why}", hint=self._hint(connection))

    def _no_answer(self, connection: _TuyaConnection) -> PortTimeout:
        why = "" if connection.session.is_answered else f": {_BUSY}"
        seconds = f"{self._place.timeout_s:g} s"
        return PortTimeout(f"{self._where}: no answer within {seconds}{why}", hint=self._hint(connection))

    def _silence(self) -> PortTimeout:
        return PortTimeout(
            f"{self._where}: the device answers, and nothing has changed for {self.cadence.silence_s:g} s",
            hint="check power and the microcontroller of the meter, map a voltage, or set silence= to more",
        )
