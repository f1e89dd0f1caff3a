"""Delivers messages to one consumer: in order, each until the consumer has it or refuses it, over restarts.

What comes next follows from cursors in the database: the last alarm event and the last reports that the consumer got.
A cursor moves after the consumer has acknowledged, so a message can come twice, with the same id, and none is lost.

A failure that concerns the message alone puts it aside, kept with its reason. One that concerns the consumer (away, a
wrong login or address) leaves everything waiting.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from wattrail.alarms import StoredAlarmEvent
from wattrail.clock import Clock, SystemClock
from wattrail.gateway import Subscription
from wattrail.gateway.timing import BackOff
from wattrail.publish.consumer import ConsumerContext, Publisher
from wattrail.publish.message import OutgoingMessage, alarm_message
from wattrail.publish.report_queue import DEFAULT_REPORTS, ReportPlan, ReportQueue
from wattrail.publish.status import DeliveryFailed
from wattrail.store.alarm_events import AlarmEvents
from wattrail.store.messages import RefusedMessage, StoredMessages

__all__ = ["DeliveryPacing", "MessagePlan", "MessageRefused", "MessageSender"]

MAX_RETRY_AFTER_S: Final = 3600.0
"""The longest wait that a consumer may ask for: a wrong date must not silence alarms for a year."""

_MAX_SHOWN: Final = 10
"""Refused messages in the state of a publisher; all that are kept are listed by a verb."""

_BATCH: Final = 20
"""Events taken at once: so many can come twice after the gateway was killed, each with its id."""

_MAX_COUNTED: Final = 1000
"""Of those that wait; a consumer that is away for months is shown with as many."""

logger = logging.getLogger(__name__)


class MessageRefused(Exception):
    """The consumer refuses this very message, or refuses it for some receivers: sending it again would not help."""


class MessageSender(Protocol):
    """How messages reach one consumer."""

    @property
    def target(self) -> str:
        """Where it is, as it may be shown."""
        ...

    def send(self, message: OutgoingMessage, clock: Clock) -> None:
        """Send a message and wait until it is acknowledged. Raises DeliveryFailed, MessageRefused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPacing:
    """Seconds until the next try to find something to send, and the delays after failures, which double."""

    tick_s: float = 1.0
    first_retry_s: float = 1.0
    max_retry_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePlan:
    """One consumer of messages. ``events`` are of ``alarms``, ``daily`` and ``monthly``."""

    name: str
    sender: MessageSender
    events: frozenset[str]
    reports: ReportPlan = DEFAULT_REPORTS
    pacing: DeliveryPacing = DeliveryPacing()
    clock: Clock = field(default_factory=SystemClock, compare=False)

    @property
    def target(self) -> str:
        """Where it is."""
        return self.sender.target

    def publisher(self, context: ConsumerContext) -> Publisher:
        """A function: see ``Publisher``."""

        def publish(events: Subscription) -> None:
            with StoredMessages(context.database) as stored, AlarmEvents(context.database) as alarms:
                delivery = Delivery(self, context, stored, alarms)
                while not events.ended:
                    events.get(self.pacing.tick_s)
                    events.take()  # readings are of no use here
                    delivery.step()

        return publish


class Delivery:
    """One consumer while it runs, in one thread."""

    def __init__(
        self, plan: MessagePlan, context: ConsumerContext, stored: StoredMessages, alarms: AlarmEvents
    ) -> None:
        self._plan, self._context, self._stored = plan, context, stored
        self._back_off = BackOff(plan.pacing.first_retry_s, plan.pacing.max_retry_s)
        self._next_s = float("-inf")
        self._token = stored.token(plan.name)
        self._alarms = AlarmQueue(plan.name, alarms, clock=plan.clock) if "alarms" in plan.events else None
        self._reports = ReportQueue(
            plan.name, plan.events, plan.reports, clock=plan.clock, context=context, stored=stored
        )
        self._show()

    def step(self) -> None:
        """Send what is due, until the consumer has it all or fails. Does nothing while it waits after a failure."""
        now_s = self._plan.clock.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._plan.pacing.tick_s
        try:
            while self._send_next():
                pass
        except DeliveryFailed as failed:
            # Whoever asks for a longer wait gets it; a shorter one would ask a server that fails too often.
            wait_s = max(self._back_off.fail(), min(failed.retry_after_s, MAX_RETRY_AFTER_S))
            self._next_s = self._plan.clock.monotonic() + wait_s
            self._context.board.failed(self._plan.name, failed.status, failed.error, waiting=self._waiting())

    def _send_next(self) -> bool:
        """Send the oldest alarm that waits, else the oldest report; returns whether there was something to send."""
        # An alarm is urgent, and a week of reports may wait.
        return self._send_alarm() or self._send_report()

    def _send_report(self) -> bool:
        found = self._reports.next()
        if found is None:
            return False
        self._deliver(found.message, lambda: self._reports.mark_sent(found))
        return True

    def _send_alarm(self) -> bool:
        event = self._alarms.next() if self._alarms else None
        if self._alarms is None or event is None:
            return False
        self._deliver(alarm_message(event, self._token, self._context.zone), self._alarms.mark_sent)
        return True

    def _deliver(self, message: OutgoingMessage, mark_done: Callable[[], None]) -> None:
        """Send a message; once the consumer has it, or it is kept as refused, it does not come again."""
        name = self._plan.name
        try:
            self._plan.sender.send(message, self._plan.clock)
        except MessageRefused as refused:
            logger.warning("%s refuses %r, which is kept: %s", name, message.subject, refused)
            self._stored.keep_refused(
                RefusedMessage(
                    consumer=name, message_id=message.id, at=message.at, subject=message.subject, text=message.text,
                    reason=str(refused),
                )
            )  # fmt: skip
        mark_done()
        self._back_off.succeed()
        self._context.board.reached(name)
        self._show(sent=True)

    def _show(self, *, sent: bool = False) -> None:
        refused = self._stored.refused(self._plan.name, limit=_MAX_SHOWN)
        held = {f"{message.subject} ({message.message_id})": message.reason for message in reversed(refused)}
        if sent:
            self._context.board.sent(self._plan.name, waiting=self._waiting(), held=held)
        else:
            self._context.board.holds(self._plan.name, held)

    def _waiting(self) -> int:
        return self._reports.waiting() + (self._alarms.waiting() if self._alarms else 0)


class AlarmQueue:
    """What waits for one consumer. A new one is not sent the past."""

    def __init__(self, consumer: str, alarms: AlarmEvents, *, clock: Clock) -> None:
        self._consumer, self._alarms, self._clock = consumer, alarms, clock
        self._batch: deque[StoredAlarmEvent] = deque()
        self._taken = clock.now()
        self._last_id = self._unmarked = 0
        if alarms.last_sent(consumer) is None:
            alarms.due(consumer, self._taken, 1)  # from here on it is known

    def next(self) -> StoredAlarmEvent | None:
        """The oldest event that may be sent now."""
        if not self._batch:
            self._taken = self._clock.now()
            self._batch.extend(self._alarms.due(self._consumer, self._taken, _BATCH))
        return self._batch[0] if self._batch else None

    def mark_sent(self) -> None:
        """The consumer has the event that ``next`` gave.

        The stored mark says for a whole batch which events of quiet hours were sent. Without any, it moves with each.
        """
        event = self._batch.popleft()
        self._last_id = max(self._last_id, event.id)
        self._unmarked += 1
        if not self._batch:
            self._alarms.mark_sent(self._consumer, self._last_id, self._taken)
            self._unmarked = 0
        elif event.deliver_at is None and self._unmarked == 1:
            self._alarms.mark_sent(self._consumer, event.id)
            self._unmarked = 0

    def waiting(self) -> int:
        """How many may be sent now."""
        due = self._alarms.due(self._consumer, self._clock.now(), _MAX_COUNTED)
        return max(0, len(due) - self._unmarked)
