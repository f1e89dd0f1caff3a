"""A meter that publishes over MQTT, and may be asked there as well."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from wattrail.clock import Clock
from wattrail.errors import LinkError, PortError, PortLost, PortTimeout, UnexpectedReply, WattrailError
from wattrail.network_meters.decoded import Decoded, TopicLink
from wattrail.network_meters.payload import MAX_PAYLOAD_BYTES
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.sanitize import printable
from wattrail.sources.broker import Broker
from wattrail.sources.source import DecodingSource, SourceCadence
from wattrail.units import Reading

__all__ = ["PushedSource"]

MAX_WAITING: Final = 256
"""Readings that nobody has taken yet; of more the oldest go, totals hold what they said."""

MAX_MESSAGES: Final = 2000
MAX_BYTES: Final = 512 << 10
"""What one device may send in a second. A device of a hundred channels publishes all of them after it has connected;
what is more is a flood, and would keep the others waiting. Its topics are then left until the next ``read``."""

_WINDOW_S: Final = 1.0


class PushedSource(DecodingSource):
    """A device behind a broker. ``read`` gives what was published, one reading after the other.

    A device that floods is no longer listened to until the next ``read``, which subscribes again.
    ``ask_s`` is how often the device is asked while somebody reads, None for never.
    """

    is_polled: Final = False

    def __init__(
        self,
        url: str,
        broker: Broker,
        link: TopicLink,
        *,
        cadence: SourceCadence,
        clock: Clock,
        ask_s: float | None,
        unit_check: UnitCheck,
        max_watts: int,
        simulated: bool,
    ) -> None:
        super().__init__(
            url, cadence=cadence, clock=clock, unit_check=unit_check, max_watts=max_watts, simulated=simulated
        )
        self._broker = broker
        self.link = link
        self._ask_s = ask_s
        self._ask_at = 0.0 if ask_s else math.inf
        self._inbox: asyncio.Queue[Reading | None] = asyncio.Queue(MAX_WAITING)  # None wakes whoever reads
        self._problem: WattrailError | None = None
        self._is_listening = False
        self._topics: tuple[str, ...] = ()
        self._last_topic = ""
        self._connections = 0
        self._rate = _MessageRate()
        self._flood: PortLost | None = None
        self._leaving: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = math.inf

    @property
    def reconnects(self) -> int:
        """How often the device has said that it is online, after the first time."""
        return max(0, self._connections - 1)

    @property
    def broker_problem(self) -> PortError | None:
        """Why the broker cannot be reached."""
        return self._broker.problem

    async def read(self) -> Reading:
        """The next reading. Raises PortError and LinkError, as ``MeterSource`` says."""
        until = self._clock.monotonic() + self.cadence.silence_s
        if not self._is_listening:
            self._is_listening, self._topics = True, tuple(self.link.filters())
            self._rate = _MessageRate()
            await self._broker.add(self)
        while True:
            if (flood := self._flood) is not None:
                await self.close()
                self._flood = None
                raise flood
            await self._keep_up()
            # What was published before the problem is read first.
            if self._problem is not None and self._inbox.empty():
                problem, self._problem = self._problem, None
                raise problem
            now = self._clock.monotonic()
            if now >= until:
                raise self._silence()
            self._wake_within(min(until, self._ask_at) - now)
            if (item := await self._inbox.get()) is not None:
                return item

    async def close(self) -> None:
        """Stop listening."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_listening:
            self._is_listening = False
            await self._broker.remove(self)

    # What the broker calls

    def filters(self) -> tuple[str, ...]:
        """The topics of this meter."""
        return tuple(self.link.filters())

    def receive(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A message becomes a reading, an error, or nothing."""
        # It is being left: until then its messages cost no decoding.
        if self._flood is not None:
            return
        self._last_topic = topic
        try:
            if len(payload) > MAX_PAYLOAD_BYTES:
                raise UnexpectedReply(
                    f"{self.url} topic {printable(topic)}: {len(payload)} bytes, a meter sends at most "
                    f"{MAX_PAYLOAD_BYTES}",
                    hint="check the topic",
                )
            if self._rate.is_exceeded(asyncio.get_running_loop().time(), len(payload)):
                self._flood = self._flooded(topic)
                self._leaving = asyncio.ensure_future(self.close())  # at once: whoever reads may be waiting
                raise self._flood
            decoded = self.link.receive(topic, payload, is_retained=is_retained, at=self._clock.monotonic())
            self._put(None if decoded is None else self._item(decoded, is_retained=is_retained))
        except (LinkError, PortLost) as error:
            error.hide(self._broker.secrets)
            self._put(error)

    def connection_changed(self, problem: PortError | None) -> None:
        """Ask as soon as there is a connection; a broken one ends the wait of whoever reads."""
        if problem is None and self._ask_s:
            self._ask_at = 0.0
        self._put(problem)

    def _item(self, decoded: Decoded, *, is_retained: bool) -> Reading | WattrailError | None:
        if decoded.is_online is not None:
            self._connections += decoded.is_online
            if self._ask_s and not is_retained:  # a retained one comes with the connection, which has asked already
                self._ask_at = 0.0
            return None if decoded.is_online else self._offline()
        return self._reading(decoded)

    def _put(self, item: Reading | WattrailError | None) -> None:
        """Queue a reading, or note a problem: only the last one counts, and whatever comes after it ends it."""
        self._problem = item if isinstance(item, WattrailError) else None
        if self._inbox.full():
            # The oldest goes: registers count on, so what it had is in the next one.
            self._inbox.get_nowait()
        self._inbox.put_nowait(None if isinstance(item, WattrailError) else item)

    def _wake_within(self, seconds: float) -> None:
        """Wake whoever reads after that time, by the clock of the loop.

        One timer goes on through many readings and is set again only to ring earlier: a time-out for each costs as much
        as decoding the reading.
        """
        loop = asyncio.get_running_loop()
        self._wake_at = loop.time() + max(0.0, seconds)
        if self._timer is None or self._timer.when() > self._wake_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(self._wake_at, self._ring)

    def _ring(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        if loop.time() < self._wake_at:  # a reading came meanwhile
            self._timer = loop.call_at(self._wake_at, self._ring)
        elif self._inbox.empty():
            self._inbox.put_nowait(None)

    async def _keep_up(self) -> None:
        """Follow topics that were learnt meanwhile, and ask when it is time."""
        topics = tuple(self.link.filters())
        if topics != self._topics:
            self._topics = topics
            await self._broker.refresh(self)
            if self._ask_s:
                self._ask_at = 0.0
        if self._ask_s and self._clock.monotonic() >= self._ask_at:
            self._ask_at = self._clock.monotonic() + self._ask_s
            await self._broker.publish(self.link.commands())

    def _offline(self) -> PortLost:
        return PortLost(
            f"{self.url}: the broker says that the meter is offline (its last will)",
            hint="check its power and its Wi-Fi signal",
        )

    def _flooded(self, topic: str) -> PortLost:
        return PortLost(
            f"{self.url}: more than {MAX_MESSAGES} messages or {MAX_BYTES // 1024} kB in a second, the last on "
            f"{printable(topic)}; a meter sends a few",
            hint="find who publishes there: mosquitto_sub -v -t " + printable(topic),
        )

    def _silence(self) -> PortError:
        if self._broker.problem is not None:
            return self._broker.problem
        seconds, expected = f"{self.cadence.silence_s:g} s", f"expected every {self.cadence.expected_s:g} s"
        topics = printable(", ".join(self._topics), limit=200)
        if not self._last_topic:
            return PortTimeout(
                f"{self.url}: no message within {seconds} on any of {topics}, {expected}; the broker is connected",
                hint="check the name of the meter in the URL; mosquitto_sub -v -t '#' lists every topic",
            )
        return PortTimeout(
            f"{self.url}: no reading for {seconds}, {expected}; the last message came on {printable(self._last_topic)}",
            hint="check power and Wi-Fi of the meter, or set silence= to more",
        )


class _MessageRate:
    """Counts what one device sends in a second, by the clock of the loop that it would keep busy."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._messages = self._bytes = 0

    def is_exceeded(self, now: float, size: int) -> bool:
        """Whether a message of that size is one too many."""
        if now - self._since >= _WINDOW_S:
            self._since, self._messages, self._bytes = now, 0, 0
        self._messages += 1
        self._bytes += size
        return self._messages > MAX_MESSAGES or self._bytes > MAX_BYTES
