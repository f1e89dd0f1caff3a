"""One alarm as a person wrote it: what is watched, its limit, and when nobody wants to hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum

from wattrail.alarms.kinds import KINDS, AlarmKind, KindOfAlarm, Side

__all__ = ["AlarmRule", "QuietHours", "Severity"]


class Severity(StrEnum):
    """How much an alarm matters. Quiet hours do not hold back what is critical."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Local times between which events wait, over midnight where ``end`` is earlier than ``begin``."""

    begin: time
    end: time

    def until(self, at: datetime, zone: tzinfo) -> datetime | None:
        """The end, in UTC, of the quiet hours that a moment lies in; None where it lies in none.

        An hour that the clocks skip ends when they do; of one that they repeat, quiet hours last until its second end.
        """
        local = at.astimezone(zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            last = day if self.begin < self.end else day + timedelta(days=1)
            begin = datetime.combine(day, self.begin, zone).astimezone(UTC)
            # An hour that comes twice ends the second time: better an event late than one in somebody's sleep.
            end = datetime.combine(last, self.end, zone).replace(fold=1).astimezone(UTC)
            if begin <= at < end:
                return end
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """A rule, for each of ``meters``; all meters where it names none.

    ``limit`` and ``clear`` are in the unit of the kind: the alarm is raised beyond ``limit`` after ``for_s`` seconds,
    and cleared once the value is back by ``clear``. None is what is usual for the kind. ``message`` goes before the
    sentence.
    """

    name: str
    kind: AlarmKind
    meters: tuple[str, ...] = ()
    limit: float | None = None
    clear: float | None = None
    for_s: float | None = None
    severity: Severity = Severity.WARNING
    quiet: QuietHours | None = None
    message: str = ""

    @property
    def of_kind(self) -> KindOfAlarm:
        """The row of its kind."""
        return KINDS[self.kind]

    @property
    def threshold(self) -> float:
        """The limit, or the usual one."""
        return self.limit if self.limit is not None else self.of_kind.limit or 0.0

    @property
    def hysteresis(self) -> float:
        """How far back within the limit a value must be."""
        return self.clear if self.clear is not None else self.of_kind.clear_share * self.threshold

    @property
    def lasts_s(self) -> float:
        """How long it must last before it is raised."""
        return self.for_s if self.for_s is not None else self.of_kind.for_s

    def deliver_at(self, at: datetime, zone: tzinfo) -> datetime | None:
        """When an event of ``at`` may be sent to a person; None for at once."""
        if self.quiet is None or self.severity is Severity.CRITICAL:
            return None
        return self.quiet.until(at, zone)

    def watches(self, meter: str) -> bool:
        """Whether it is a rule for a meter."""
        return not self.meters or meter in self.meters

    def is_beyond(self, value: float) -> bool:
        """Whether a value raises it."""
        return value > self.threshold if self.of_kind.side is Side.ABOVE else value < self.threshold

    def is_back(self, value: float) -> bool:
        """Whether a value clears it."""
        if self.of_kind.side is Side.ABOVE:
            return value <= self.threshold - self.hysteresis
        return value >= self.threshold + self.hysteresis
