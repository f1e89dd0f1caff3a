"""What stands below a report: the alarms of its time, and what to change about a meter's connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Final

from wattrail.alarms import StoredAlarmEvent
from wattrail.ledger import By, midnight
from wattrail.network_meters.link_health import advice
from wattrail.publish.report_text import as_html_note, simulated_mark
from wattrail.publish.stored_reports import MAX_ALARMS, period_end
from wattrail.store import StoreReader
from wattrail.store.alarm_events import AlarmEvents
from wattrail.units import utc_text

__all__ = ["ReportNotes", "alarm_data", "alarm_note", "notes_of"]

_MAX_ALARM_LINES: Final = 20
_LINK_DAYS: Final = 4000
"""Days of a link that are looked through: more than ten years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportNotes:
    """Alarms that were raised, a hundred at most, and advice by the numbers of each day, with how many days gave it."""

    alarms: tuple[StoredAlarmEvent, ...]
    advice: tuple[tuple[str, int], ...]
    by: By
    zone: tzinfo

    def lines(self) -> list[str]:
        """For a person; empty where there is nothing to say."""
        return [*alarm_note(self.alarms, self.zone), *map(self._advice_line, self.advice)]

    def as_html_parts(self) -> list[str]:
        """The same as paragraphs."""
        return list(map(as_html_note, self.lines()))

    def as_object(self) -> dict[str, object]:
        """Fields beside those of the report."""
        return {
            "alarms": [alarm_data(alarm) for alarm in self.alarms],
            "advice": [{"text": text, "days": days} for text, days in self.advice],
        }

    def _advice_line(self, found: tuple[str, int]) -> str:
        text, days = found
        return text if self.by is By.DAY else f"{text} (on {days} day{'s' if days > 1 else ''})"


def notes_of(reader: StoreReader, meter: str, by: By, first_day: date, zone: tzinfo) -> ReportNotes:
    """The notes of one meter in a day or month. Raises StoreError."""
    start, end = midnight(first_day, zone), period_end(by, first_day, zone)
    with AlarmEvents(reader.path, read_only=True) as stored:
        raised = [event for event in stored.raised(start, end, MAX_ALARMS) if event.meter in {meter, None}]
    last = end.astimezone(zone).date()
    days = [link for link in reader.link_days(meter, limit=_LINK_DAYS) if first_day <= link.day < last]
    sentences = Counter(sentence for link in reversed(days) for sentence in advice(link))
    return ReportNotes(alarms=tuple(raised), advice=tuple(sentences.items()), by=by, zone=zone)


def alarm_note(alarms: Sequence[StoredAlarmEvent], zone: tzinfo) -> list[str]:
    """One note with a line for each alarm, as far as a person reads them; none without alarms."""
    shown = [
        f"{alarm.at.astimezone(zone):%Y-%m-%d %H:%M%z} {simulated_mark(alarm.simulated)}{alarm.severity}: {alarm.text}"
        for alarm in alarms[:_MAX_ALARM_LINES]
    ]
    more = [f"and {len(alarms) - len(shown)} more; wattrail alarm list --events 1000 lists them"]
    return ["\n".join(["alarms raised:", *shown, *(more if len(alarms) > len(shown) else [])])] if alarms else []


def alarm_data(event: StoredAlarmEvent) -> dict[str, object]:
    """An alarm event as an object."""
    return {
        "id": event.id, "rule": event.rule, "meter": event.meter, "change": event.change,
        "severity": event.severity, "value": event.value, "limit": event.limit, "unit": event.unit or None,
        "text": event.text, "at": utc_text(event.at), "simulated": event.simulated,
    }  # fmt: skip
