"""Messages to people and programs: changes of alarms, reports, and a test. What is sent, never how.

A message has an id that stays the same however often it is sent, so that a receiver can drop a duplicate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from wattrail.alarms import StoredAlarmEvent
from wattrail.ledger import By
from wattrail.publish import report_text
from wattrail.publish.report_notes import alarm_data, alarm_note
from wattrail.publish.stored_reports import MadeReports
from wattrail.units import utc_text

__all__ = [
    "FIELDS",
    "SAMPLE",
    "OutgoingMessage",
    "alarm_message",
    "as_json",
    "fields",
    "probe_message",
    "report_message",
]

_PRIORITIES: Final = {"info": 2, "warning": 5, "critical": 8}
"""Of 0 to 10, as Gotify counts them: from 4 it makes a sound, from 8 it insists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message. ``data`` is what a program reads of it; ``html`` is None where ``text`` says everything.

    ``type`` is ``alarm.raised``, ``alarm.cleared``, ``alarm.acknowledged``, ``report.daily``, ``report.monthly`` or
    ``test``. ``meter`` is None for a message of several meters or of none.
    """

    id: str
    type: str
    at: datetime
    subject: str
    text: str
    data: Mapping[str, object]
    simulated: bool
    meter: str | None = None
    severity: str = "info"
    html: str | None = None


def alarm_message(event: StoredAlarmEvent, token: str, zone: tzinfo) -> OutgoingMessage:
    """The message of a change of an alarm. ``token`` is that of the consumer."""
    subject = f"{report_text.simulated_mark(event.simulated)}alarm {event.change}: {event.text}"
    when = event.at.astimezone(zone)
    return OutgoingMessage(
        # The same however often it is sent, so that a receiver knows a repetition by it.
        id=f"msg_{token}_alarm-{event.id}",
        type=f"alarm.{event.change}",
        at=event.at,
        subject=subject,
        text=f"{subject}\n{event.severity}, rule {event.rule}, {when:%Y-%m-%d %H:%M:%S%z}",
        data=alarm_data(event),
        simulated=event.simulated,
        meter=event.meter,
        severity=event.severity,
    )


def report_message(
    made: MadeReports, first_day: date, token: str, *, by: By, at: datetime, not_sent: Sequence[date] = ()
) -> OutgoingMessage:
    """The message of a day or a month with the report of every meter; ``at`` is the end of the period.

    ``not_sent`` are the first days of earlier periods whose reports are not sent, since they are too many.
    """
    reports = made.reports
    is_simulated = any(report.meter.simulated for report in reports)
    when = f"{first_day:%Y-%m}" if by is By.MONTH else f"{first_day:%Y-%m-%d}"
    kind = "monthly" if by is By.MONTH else "daily"
    is_of_one = len(reports) == 1 and not made.without
    subject = (
        report_text.title(reports[0]) if is_of_one else f"{report_text.simulated_mark(is_simulated)}energy of {when}"
    )
    notes = [
        *_without(made.without),
        *alarm_note(made.alarms, at.tzinfo or UTC),
        *(f"{meter}: {sentence}" for meter, sentences in made.advice.items() for sentence in sentences),
        *_missed(not_sent, by),
    ]
    parts = [report_text.as_html_part(report) for report in reports]
    return OutgoingMessage(
        id=f"msg_{token}_{kind}-{when}",
        type=f"report.{kind}",
        at=at,
        subject=subject,
        text="\n\n".join([*([] if is_of_one else [subject]), *map(report_text.as_text, reports), *notes]),
        html=report_text.as_html_page(subject, [*parts, *map(report_text.as_html_note, notes)]),
        data={
            "period": by.value,
            "first_day": first_day.isoformat(),
            "reports": [report_text.as_object(report) for report in reports],
            "without": list(made.without),
            "alarms": [alarm_data(alarm) for alarm in made.alarms],
            "advice": {meter: list(sentences) for meter, sentences in made.advice.items()},
            "not_sent": [not_sent[0].isoformat(), not_sent[-1].isoformat()] if not_sent else None,
        },
        simulated=is_simulated,
        meter=reports[0].meter.name if is_of_one else None,
    )


def probe_message(consumer: str, token: str, at: datetime) -> OutgoingMessage:
    """A message that only shows that messages arrive. Each has an id of its own, by its time."""
    text = f"A test of {consumer}: messages arrive here."
    return OutgoingMessage(
        id=f"msg_{token}_test-{int(at.timestamp() * 1000)}", type="test", at=at, subject="wattrail: test",
        text=text, data={"consumer": consumer}, simulated=False,
    )  # fmt: skip


def as_json(message: OutgoingMessage) -> bytes:
    """The message as JSON. ``type``, ``timestamp`` and ``data`` are as Standard Webhooks recommends.

    Fields are only ever added.
    """
    return json.dumps(
        {
            "type": message.type,
            "timestamp": utc_text(message.at),
            "id": message.id,
            "subject": message.subject,
            "text": message.text,
            "simulated": message.simulated,
            "data": message.data,
        },
        ensure_ascii=False,
    ).encode()


def fields(message: OutgoingMessage) -> dict[str, str | int | bool | None]:
    """The fields that a template can name."""
    return {
        "id": message.id,
        "type": message.type,
        "time": utc_text(message.at),
        "subject": message.subject,
        "text": message.text,
        "meter": message.meter,
        "severity": message.severity,
        "priority": _PRIORITIES[message.severity],
        "simulated": message.simulated,
    }


def _without(meters: Sequence[str]) -> list[str]:
    return [f"nothing is booked for {', '.join(meters)}"] if meters else []


def _missed(not_sent: Sequence[date], by: By) -> list[str]:
    if not not_sent:
        return []
    option, length = ("--month", 7) if by is By.MONTH else ("--day", 10)
    first, last = (day.isoformat()[:length] for day in (not_sent[0], not_sent[-1]))
    return [
        f"not sent after a long outage: {len(not_sent)} earlier reports, {first} to {last}; "
        f"wattrail ledger report {option} {first} prints the first of them"
    ]


SAMPLE: Final = probe_message("webhook", "000000000000", datetime(2026, 6, 21, tzinfo=UTC))
"""A message to try a template on."""

FIELDS: Final = tuple(fields(SAMPLE))
"""Names of the fields of a template."""
