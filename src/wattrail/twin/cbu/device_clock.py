"""Device time: ticks of 26 MHz since power-on, and alarms that are called when theirs has come.

It moves with the instructions executed. It is exact at the start of a slice; within one only accesses to peripherals
move it. The alarms are part of a snapshot: a peripheral need not save them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["TickAlarm", "TickClock"]


class TickAlarm:
    """One thing that will be done at a time; set again, the earlier time is forgotten."""

    def __init__(self, clock: TickClock, number: int, call: Callable[[], None]) -> None:
        self._clock = clock
        self.number = number
        self.call = call
        self.due: int | None = None

    def set(self, tick: int) -> None:
        """Be called at this tick, or at once after the present slice if that is over."""
        self.due = tick
        clock = self._clock
        clock.waiting[self.number] = self
        if tick < clock.next_due:
            clock.next_due = tick

    def cancel(self) -> None:
        """Be called no more; the clock finds out later."""
        self.due = None
        self._clock.waiting.pop(self.number, None)


NEVER = 1 << 62


class TickClock:
    """Counts ticks. ``next_due`` is never later than the first alarm.

    Alarms that are due together are called in the order in which they were made.
    """

    def __init__(self) -> None:
        self.now = 0
        self.next_due = NEVER
        self._alarms: dict[str, TickAlarm] = {}
        self.waiting: dict[int, TickAlarm] = {}
        """Alarms that are set, by the number in which they were made."""

    def alarm(self, name: str, call: Callable[[], None]) -> TickAlarm:
        """A new alarm. Raises ValueError for a name that exists."""
        if name in self._alarms:
            raise ValueError(f"there is an alarm {name!r} already")
        self._alarms[name] = made = TickAlarm(self, len(self._alarms), call)
        return made

    def run_due(self) -> None:
        """Call every alarm whose time has come, in order of time. One that is set meanwhile waits for the next call."""
        now = self.now
        if self.next_due > now:
            return
        waiting = self.waiting
        due = [(alarm.due, number) for number, alarm in waiting.items() if alarm.due is not None and alarm.due <= now]
        if len(due) > 1:
            due.sort()
        for tick, number in due:
            alarm = waiting.get(number)
            if alarm is not None and alarm.due == tick:  # else one that was called before it moved it
                alarm.due = None
                del waiting[number]
                alarm.call()
        self._find_next()

    def _find_next(self) -> None:
        self.next_due = min([alarm.due for alarm in self.waiting.values() if alarm.due is not None], default=NEVER)

    def save(self) -> dict[str, object]:
        """The time, and the alarms that are set."""
        return {
            "now": self.now,
            "alarms": {name: alarm.due for name, alarm in self._alarms.items() if alarm.due is not None},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """The opposite."""
        # Alarms that this machine does not have are those of what was around it: a board makes its own.
        alarms = state["alarms"]
        self.now = int(state["now"])
        for name, alarm in self._alarms.items():
            if (due := alarms.get(name)) is None:
                alarm.cancel()
            else:
                alarm.set(due)
        self._find_next()
