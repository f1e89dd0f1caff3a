"""The alarm events that one consumer has yet to get, in their order; those of quiet hours once these have ended."""

from __future__ import annotations

from collections import deque
from typing import Final

from wattrail.alarms import StoredAlarmEvent
from wattrail.clock import Clock
from wattrail.store.alarm_events import AlarmEvents

__all__ = ["AlarmQueue"]

_BATCH: Final = 20
"""Events taken at once: so many can come twice after the gateway was killed, each with its id."""

_MAX_COUNTED: Final = 1000


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
