"""The state of every alarm: one small state machine for each rule and meter.

| state        | beyond the limit                     | back by the hysteresis | between | unknown | acknowledged   |
|--------------|--------------------------------------|------------------------|---------|---------|----------------|
| normal       | pending                              | -                      | -       | -       | -              |
| pending      | raised after ``for_s`` -> ``raised`` | normal                 | normal  | waits   | -              |
| raised       | -                                    | normal -> ``cleared``  | -       | -       | acknowledged   |
| acknowledged | -                                    | normal -> ``cleared``  | -       | -       | -              |

An arrow gives an event. While a value is unknown, nothing changes, and the time counts for nothing. A pending alarm is
forgotten by a restart; raised and acknowledged ones are restored from the stored events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum

from wattrail.alarms.kinds import AlarmKind, MeterSnapshot, Side
from wattrail.alarms.quarter_hour import QuarterHour
from wattrail.alarms.rules import AlarmRule
from wattrail.alarms.standing import StoredAlarmEvent, standing_alarms

__all__ = ["AlarmState", "AlarmWatch"]

_MAX_STEP_S = 600.0
"""Time between two snapshots that is longer was not watched; it counts as this much towards ``for_s``."""


class AlarmState(StrEnum):
    """See the table above."""

    NORMAL = "normal"
    PENDING = "pending"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"

    @property
    def stands(self) -> bool:
        """Whether the alarm is raised, seen or not."""
        return self in {AlarmState.RAISED, AlarmState.ACKNOWLEDGED}


@dataclass(slots=True)
class _Alarm:
    rule: AlarmRule
    meter: str
    zone: tzinfo
    state: AlarmState = AlarmState.NORMAL
    lasted_s: float = 0.0
    beyond_at_s: float | None = None
    """The monotonic clock when it was last seen beyond the limit, None after anything else."""

    def see(self, snapshot: MeterSnapshot) -> StoredAlarmEvent | None:
        """Take a snapshot; gives the event that it causes."""
        value, is_beyond, is_back = self._judge(snapshot)
        if is_beyond is None:
            self.beyond_at_s = None
            return None
        if self.state.stands:
            return self._clear(snapshot, value) if is_back else None
        if not is_beyond:
            self.state, self.lasted_s, self.beyond_at_s = AlarmState.NORMAL, 0.0, None
            return None
        if self.beyond_at_s is not None:  # by the monotonic clock: a wall clock that is set raises no alarm
            self.lasted_s += min(max(0.0, snapshot.monotonic - self.beyond_at_s), _MAX_STEP_S)
        self.state, self.beyond_at_s = AlarmState.PENDING, snapshot.monotonic
        if self.lasted_s < self.rule.lasts_s and not self.rule.of_kind.is_certain(snapshot, self.rule.threshold):
            return None
        self.state = AlarmState.RAISED
        return self._event(snapshot, "raised", value, self._sentence(snapshot, value))

    def _judge(self, snapshot: MeterSnapshot) -> tuple[float | None, bool | None, bool]:
        """The value, whether it is beyond the limit (None: unknown), and whether it is back."""
        value = self.rule.of_kind.value(snapshot)
        if self.rule.kind is AlarmKind.METER_SILENT:
            return value, snapshot.is_silent, not snapshot.is_silent
        if self.rule.kind is AlarmKind.REGISTER_HELD:
            return None, None if snapshot.held is None else bool(snapshot.held), not snapshot.held
        if value is None or snapshot.is_silent:
            return None, None, False
        return value, self.rule.is_beyond(value), self.rule.is_back(value)

    def _clear(self, snapshot: MeterSnapshot, value: float | None) -> StoredAlarmEvent:
        self.state, self.lasted_s, self.beyond_at_s = AlarmState.NORMAL, 0.0, None
        kind = self.rule.of_kind
        if kind.side is Side.TRUE:
            return self._event(snapshot, "cleared", None, kind.cleared)
        return self._event(
            snapshot, "cleared", value, f"{kind.what} {self._shown(value)}, no longer {kind.side} {self._limit()}"
        )

    def _sentence(self, snapshot: MeterSnapshot, value: float | None) -> str:
        kind = self.rule.of_kind
        if self.rule.kind is AlarmKind.METER_SILENT:
            return f"{kind.sentence} {'since the start' if value is None else f'for {self._shown(value)}'}"
        if kind.side is Side.TRUE:
            return f"{kind.sentence}: {snapshot.held}"
        if self.rule.kind is AlarmKind.LOAD_STOPPED:
            return f"{kind.what} {kind.side} {self._limit()} for {_duration(self.lasted_s)}, now {self._shown(value)}"
        return f"{kind.what} {self._shown(value)}, {kind.side} {self._limit()}"

    def _shown(self, value: float | None) -> str:
        kind = self.rule.of_kind
        return "unknown" if value is None else f"{value:.{kind.decimals}f} {kind.unit}"

    def _limit(self) -> str:
        return f"{self.rule.threshold:g} {self.rule.of_kind.unit}"

    def _event(self, snapshot: MeterSnapshot, change: str, value: float | None, sentence: str) -> StoredAlarmEvent:
        rule = self.rule
        message = f"{rule.message}: " if rule.message else ""
        return StoredAlarmEvent(
            at=snapshot.at, rule=rule.name, meter=self.meter, change=change, severity=rule.severity, value=value,
            limit=None if rule.of_kind.side is Side.TRUE else rule.threshold, unit=rule.of_kind.unit,
            text=f"{message}{self.meter}: {sentence}", simulated=snapshot.simulated,
            deliver_at=rule.deliver_at(snapshot.at, self.zone),
        )  # fmt: skip


class AlarmWatch:
    """Every alarm of a configuration. ``meters`` are its meters, for rules that name none."""

    def __init__(self, rules: Sequence[AlarmRule], meters: Sequence[str], zone: tzinfo) -> None:
        self._alarms: dict[str, list[_Alarm]] = {
            meter: [_Alarm(rule, meter, zone) for rule in rules if rule.watches(meter)] for meter in meters
        }
        self.quarters = {
            meter: QuarterHour(zone)
            for meter, alarms in self._alarms.items()
            if any(alarm.rule.kind is AlarmKind.DEMAND for alarm in alarms)
        }
        """The quarter hour of every meter whose demand is watched."""

    def restore(self, events: Iterable[StoredAlarmEvent], at: datetime) -> tuple[StoredAlarmEvent, ...]:
        """Take the stored events of a former run; gives those that clear alarms of which there is no rule any more."""
        # From the events alone: a second table of states could disagree with them (ADR 34).
        left = []
        for standing in standing_alarms(events):
            alarm = self._find(standing.raised.rule, standing.raised.meter)
            if alarm is None:
                left.append(_withdrawn(standing.raised, at))
            else:
                alarm.state = AlarmState.RAISED if standing.acknowledged_at is None else AlarmState.ACKNOWLEDGED
        return tuple(left)

    def watches(self, meter: str) -> bool:
        """Whether any rule is about a meter."""
        return bool(self._alarms.get(meter))

    def see(self, snapshot: MeterSnapshot) -> tuple[StoredAlarmEvent, ...]:
        """Take a snapshot of a meter; gives the events that it causes."""
        quarter = self.quarters.get(snapshot.meter)
        if quarter is not None and snapshot.import_mwh is not None and not snapshot.is_silent:
            energy_mwh, left_s = quarter.note(snapshot.at, snapshot.import_mwh)
            snapshot = replace(snapshot, quarter_mwh=energy_mwh, quarter_left_s=left_s)
        seen = (alarm.see(snapshot) for alarm in self._alarms.get(snapshot.meter, ()))
        return tuple(event for event in seen if event is not None)

    def acknowledge(self, rule: str, meter: str | None) -> bool:
        """Someone has seen an alarm; returns whether it is raised and was not acknowledged before."""
        alarm = self._find(rule, meter)
        if alarm is None or alarm.state is not AlarmState.RAISED:
            return False
        alarm.state = AlarmState.ACKNOWLEDGED
        return True

    def state(self, rule: str, meter: str) -> AlarmState | None:
        """The state of one alarm, None where there is none."""
        alarm = self._find(rule, meter)
        return alarm.state if alarm else None

    def _find(self, rule: str, meter: str | None) -> _Alarm | None:
        return next((alarm for alarm in self._alarms.get(meter or "", ()) if alarm.rule.name == rule), None)


def _withdrawn(raised: StoredAlarmEvent, at: datetime) -> StoredAlarmEvent:
    text = f"{raised.meter or raised.rule}: the alarm {raised.rule} is not configured any more"
    return replace(raised, at=at, change="cleared", value=None, text=text, deliver_at=None, id=0)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
