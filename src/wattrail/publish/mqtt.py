"""A publisher over MQTT 5: one connection, made again for ever, that speaks the dialect of its consumer.

Order after each connection: topics that have no meter any more are cleared, meters are announced, then come registers
and availability, the gateway's own last. Registers leave the outbox when the broker has acknowledged them, so a broker
that is away costs none. A register may come twice when a connection breaks between the two: it carries its time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattrail.alarms import AlarmKey, StandingAlarm, take_event
from wattrail.errors import ConfigError, FileError
from wattrail.gateway import AlarmChanged, Subscription
from wattrail.gateway.timing import BackOff
from wattrail.publish.consumer import ConsumerContext, Publisher, is_set_within, task_beside
from wattrail.publish.dialect import ALARM, MqttDialect, MqttMessage
from wattrail.publish.mqtt_connection import MqttProblem, broker_client, publish_message, require_aiomqtt
from wattrail.publish.pending import DEFAULT_CADENCE, PendingMeter, PendingValues, PublishCadence
from wattrail.publish.status import PublisherStatus
from wattrail.publish.values import RegisterValues
from wattrail.sources.broker import BrokerAddress
from wattrail.store.alarm_events import AlarmEvents
from wattrail.store.outbox import Announced, Outbox, StoredRegisters

if TYPE_CHECKING:
    import aiomqtt

__all__ = ["MqttPacing", "MqttPlan"]

_COUNT_EVERY_S: Final = 1.0
"""While the broker is away, registers are stored and counted as often."""

_BATCH: Final = 200
"""Registers that are read from the outbox together."""

_IN_FLIGHT: Final = 10
"""Messages that wait for their acknowledgement together: with one more aiomqtt warns, and mosquitto takes 20."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPacing:
    """Times in seconds: between two rounds of what is due, after an announcement, before the answer to a birth.

    ``timeout_s``: the broker has as long for each answer.
    """

    tick_s: float = 0.5
    settle_s: float = 0.5  # Home Assistant needs it to make entities, before their first state comes
    birth_delay_s: float = 5.0  # at most: of a fleet not all answer at once
    first_retry_s: float = 1.0
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPlan:
    """A consumer behind a broker. ``ca_file`` signs the broker's certificate where the system's authorities do not."""

    name: str
    address: BrokerAddress
    dialect: MqttDialect
    cadence: PublishCadence = DEFAULT_CADENCE
    ca_file: Path | None = None
    pacing: MqttPacing = MqttPacing()

    @property
    def target(self) -> str:
        """The broker as it may be shown."""
        return f"mqtt{'s' if self.address.is_encrypted else ''}://{self.address.host}:{self.address.port}"

    def publisher(self, context: ConsumerContext) -> Publisher:
        """A coroutine function: see ``Publisher``."""

        async def publish(events: Subscription) -> None:
            with Outbox(context.database, self.name) as outbox:
                await _MqttSession(self, context, outbox).run(events)

        return publish


class _MqttSession:
    """One publisher while it runs: a task collects events, and connections come and go beside it."""

    def __init__(self, plan: MqttPlan, context: ConsumerContext, outbox: Outbox) -> None:
        self._plan, self._dialect, self._board = plan, plan.dialect, context.board
        self._outbox = outbox
        self._pending = PendingValues(outbox, plan.cadence, context.meters)
        self._retained = {one.topic: one for one in outbox.announced()}
        for one in self._retained.values():
            if meter := self._pending.by_id().get(one.meter_id):
                meter.quantities |= one.quantities
        self._watched, self._shown_alarms = context.watched, dict[str, tuple[StandingAlarm, ...]]()
        self._alarms: dict[AlarmKey, StandingAlarm] = {}
        if self._watched:  # what stands from the run before must not be shown as over
            with AlarmEvents(context.database, read_only=True) as stored:
                for event in stored.standing():
                    take_event(self._alarms, event)
        self._ended = asyncio.Event()
        # One for all connections of a run: the broker ends one that died unseen, and sends its will, before the next.
        self._identifier = f"wattrail{secrets.token_hex(6)}"
        self._state_topic = plan.dialect.gateway_state(online=True).topic
        self._wants_all = self._is_doubted = True

    async def run(self, events: Subscription) -> None:
        """Publish until the events end."""
        require_aiomqtt(self._plan.name)
        back_off = BackOff(self._plan.pacing.first_retry_s)
        async with task_beside(self._collect(events)) as collecting:
            while not self._ended.is_set():
                try:
                    await self._connect_and_serve(back_off.succeed, collecting)
                except MqttProblem as problem:
                    self._board.failed(self._plan.name, problem.status, problem.error, waiting=self._outbox.count())
                    await self._pause(back_off.fail(), collecting)

    async def _collect(self, events: Subscription) -> None:
        async for event in events:
            self._pending.note(event, time.monotonic())
            if isinstance(event, AlarmChanged):
                take_event(self._alarms, event.event)
        self._pending.store_newest(time.monotonic())
        self._ended.set()

    async def _connect_and_serve(self, on_success: Callable[[], None], collecting: asyncio.Task[None]) -> None:
        import aiomqtt

        plan, will, is_connected = self._plan, self._dialect.gateway_state(online=False), False
        try:
            opened = broker_client(
                plan.address, will, plan.ca_file, identifier=self._identifier, timeout_s=plan.pacing.timeout_s
            )
        except (ConfigError, FileError) as error:  # of the secrets, or of ca_file: registers are stored meanwhile
            raise MqttProblem(PublisherStatus.REFUSED, error) from error
        try:
            async with opened as client:
                is_connected = True
                async with task_beside(self._listen(client), ignored=(aiomqtt.MqttError,)) as listening:
                    try:
                        await self._serve(client, on_success, (listening, collecting))
                    except MqttProblem:
                        with suppress(MqttProblem, aiomqtt.MqttError):
                            # The broker sends no will for a connection that ends in order.
                            await self._publish(client, [will])
                        raise
        except aiomqtt.MqttError as error:
            raise MqttProblem.of(error, plan.address, name=plan.name, is_connected=is_connected) from error

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Wait for the consumer's birth and for what others say of our state; ends with an error with the connection.

        The will of an earlier connection that died unseen, in a power cut say, is sent up to a minute later.
        """
        from paho.mqtt.subscribeoptions import SubscribeOptions

        await client.subscribe(self._state_topic, options=SubscribeOptions(qos=1, noLocal=True))
        if self._dialect.birth_topic:
            await client.subscribe(self._dialect.birth_topic, qos=1)
        async for message in client.messages:
            is_online = message.payload == b"online"
            if message.topic.value == self._state_topic:
                self._is_doubted = self._is_doubted or not is_online
                if is_online and not message.retain:
                    self._say_shared()
            elif is_online and not message.retain:  # retained: it was born before we came
                delay_s = random.uniform(0, self._plan.pacing.birth_delay_s)
                asyncio.get_running_loop().call_later(delay_s, self._want_all)

    def _say_shared(self) -> None:
        name = self._plan.name
        error = ConfigError(
            f"another gateway publishes at {self._plan.target} too, and says so in {self._state_topic!r}",
            hint=f"give each gateway a topic of its own: topic in [publish.{name}]",
        )
        self._board.failed(name, PublisherStatus.LIVE, error)

    def _want_all(self) -> None:
        self._wants_all = True

    async def _serve(
        self, client: aiomqtt.Client, on_success: Callable[[], None], tasks: Sequence[asyncio.Task[None]]
    ) -> None:
        """Send what is due until the events end. It is a success once the broker has taken one round."""
        self._wants_all, is_first = True, True
        while True:
            is_last = self._ended.is_set()
            for task in tasks:
                if task.done():
                    task.result()
            if self._wants_all:
                self._wants_all = False
                await self._send_everything(client)
            else:
                await self._send_changes(client)
            await self._send_live(client)
            has_more = await self._send_registers(client)
            if is_first:
                is_first = False
                on_success()
                self._board.reached(self._plan.name)
            if is_last and not has_more:
                await self._publish(client, [self._dialect.gateway_state(online=False)])
                return
            if not has_more:
                await is_set_within(self._ended, self._plan.pacing.tick_s)

    async def _send_everything(self, client: aiomqtt.Client) -> None:
        await self._clear_orphans(client)
        for meter in self._pending.meters.values():
            meter.announced = meter.shown_online = meter.sent = None
            meter.sent_s = float("-inf")
        if await self._announce(client):
            await is_set_within(self._ended, self._plan.pacing.settle_s)
        self._pending.flush(time.monotonic())
        # Where the past is of use, a meter whose registers wait gets them from there, in their order.
        waiting = self._outbox.waiting_meters() if self._dialect.replays else frozenset()
        for meter in tuple(self._pending.meters.values()):
            if meter.meter_id not in waiting and (newest := self._pending.registers(meter)):
                await self._send(client, meter, self._dialect.registers(meter.who, newest))
        await self._show_states(client)
        self._shown_alarms.clear()
        await self._show_alarms(client)
        await self._show_gateway(client)

    async def _send_changes(self, client: aiomqtt.Client) -> None:
        if await self._announce(client):
            await is_set_within(self._ended, self._plan.pacing.settle_s)
        await self._show_states(client)
        await self._show_alarms(client)
        if self._is_doubted:
            await self._show_gateway(client)

    async def _show_gateway(self, client: aiomqtt.Client) -> None:
        self._is_doubted = False
        await self._publish(client, [self._dialect.gateway_state(online=True)])

    async def _announce(self, client: aiomqtt.Client) -> bool:
        """Announce meters that are new, or have shown a new quantity; returns whether anything was sent."""
        has_sent = False
        # A copy: another meter may appear while a message is on its way.
        for meter in tuple(self._pending.meters.values()):
            keys = meter.quantities | ({ALARM} if meter.who.name in self._watched else set())
            if meter.announced == keys:
                continue
            meter.announced = keys
            messages = self._dialect.announcement(meter.who, keys)
            await self._send(client, meter, messages, quantities=meter.quantities)
            has_sent = has_sent or bool(messages)
        return has_sent

    async def _show_states(self, client: aiomqtt.Client) -> None:
        for meter in tuple(self._pending.meters.values()):
            online = meter.is_online(time.monotonic())
            if online is not meter.shown_online:
                meter.shown_online = online
                await self._send(client, meter, self._dialect.meter_state(meter.who, online=online))

    async def _show_alarms(self, client: aiomqtt.Client) -> None:
        for meter in tuple(self._pending.meters.values()):
            name = meter.who.name
            alarms = tuple(alarm for (_, of), alarm in tuple(self._alarms.items()) if of == name)
            if name in self._watched and self._shown_alarms.get(name) != alarms:
                self._shown_alarms[name] = alarms
                await self._send(client, meter, self._dialect.alarms(meter.who, alarms))

    async def _send_live(self, client: aiomqtt.Client) -> None:
        for meter, live in tuple(self._pending.due(time.monotonic())):
            await self._send(client, meter, self._dialect.live(meter.who, live))
            self._pending.live_sent(meter, live, time.monotonic())

    async def _send_registers(self, client: aiomqtt.Client) -> bool:
        """Send registers that wait; returns whether there are more."""
        self._pending.flush(time.monotonic())
        rows = self._outbox.waiting(_BATCH)
        if not rows:
            return False
        for start in range(0, len(rows), _IN_FLIGHT):
            await self._send_some(client, rows[start : start + _IN_FLIGHT])
        # Only once the broker has every one of them: a register that comes twice does no harm, one that is lost does.
        self._outbox.acknowledged(rows[-1].id)
        has_more = len(rows) == _BATCH
        self._board.sent(self._plan.name, waiting=self._outbox.count() if has_more else 0, held=self._pending.held)
        return has_more

    async def _send_some(self, client: aiomqtt.Client, rows: Sequence[StoredRegisters]) -> None:
        """Registers together. What a meter that is not configured any more left behind goes nowhere."""
        meters = self._pending.by_id()
        messages: dict[tuple[str, int], MqttMessage] = {}
        for number, row in enumerate(rows):
            if (meter := meters.get(row.meter_id)) is None:
                continue
            registers = RegisterValues.of(row.totals, row.at)
            if not self._dialect.replays:  # an older one than was sent would be a fall
                number, registers = 0, self._pending.registers(meter) or registers
            of_row = self._dialect.registers(meter.who, registers)
            self._remember(meter, of_row)
            messages |= {(message.topic, number): message for message in of_row}
        await asyncio.gather(*(self._publish(client, [message]) for message in messages.values()))

    async def _send(
        self,
        client: aiomqtt.Client,
        meter: PendingMeter,
        messages: Iterable[MqttMessage],
        *,
        quantities: frozenset[str] = frozenset(),
    ) -> None:
        messages = tuple(messages)
        self._remember(meter, messages, quantities=quantities)
        await self._publish(client, messages)

    def _remember(
        self, meter: PendingMeter, messages: Iterable[MqttMessage], *, quantities: frozenset[str] = frozenset()
    ) -> None:
        """Store which retained topics a meter has, before they are sent."""
        wanted = (
            Announced(topic=message.topic, meter_id=meter.meter_id, quantities=quantities)
            for message in messages
            if message.retain
        )
        new = [one for one in wanted if self._retained.get(one.topic) != one]
        if new:
            self._outbox.announce(new)
            self._retained |= {one.topic: one for one in new}

    async def _clear_orphans(self, client: aiomqtt.Client) -> None:
        """Clear what belongs to a meter that is gone, or to a name or a topic that a meter had before."""
        meters = self._pending.by_id()
        orphans = [
            one.topic
            for one in self._retained.values()
            if one.meter_id not in meters or not self._is_wanted(meters[one.meter_id], one.topic)
        ]
        if not orphans:
            return
        await self._publish(client, [MqttMessage(topic=topic, payload="", retain=True) for topic in orphans])
        self._outbox.forget(orphans)
        for topic in orphans:
            del self._retained[topic]
        logger.info("%s: %d retained topics without a meter were cleared", self._plan.name, len(orphans))

    def _is_wanted(self, meter: PendingMeter, topic: str) -> bool:
        if topic.endswith(f"/{ALARM}") and meter.who.name not in self._watched:
            return False
        return self._dialect.owns(meter.who, topic)

    async def _publish(self, client: aiomqtt.Client, messages: Iterable[MqttMessage]) -> None:
        for message in messages:
            await publish_message(client, message, self._plan.address)

    async def _pause(self, seconds: float, collecting: asyncio.Task[None]) -> None:
        """Wait for the next attempt; what comes meanwhile is stored and counted."""
        until = time.monotonic() + seconds
        while not self._ended.is_set() and (left_s := until - time.monotonic()) > 0:
            await is_set_within(self._ended, min(left_s, _COUNT_EVERY_S))
            if collecting.done():
                collecting.result()
            self._pending.flush(time.monotonic())
            self._board.waiting(self._plan.name, self._outbox.count())
