"""``wattrail alarm list``, ``acknowledge`` and ``test``.

They read and append stored events; a running gateway reads what is appended within a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, tzinfo
from json import dumps
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from wattrail.alarms import TEST_RULE, StandingAlarm, StoredAlarmEvent
from wattrail.app.config import database_of, demo_database, load_config
from wattrail.cli import clock
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.times import local
from wattrail.clock import zone_of
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.sanitize import printable
from wattrail.store import open_to_read
from wattrail.store.alarm_events import AlarmEvents

__all__ = ["acknowledge", "list_alarms", "send_test"]

_TEST_TEXT = "This is a test of the alarms of wattrail. Nothing is wrong."


@dataclass(frozen=True, slots=True)
class _AlarmBook:
    path: DatabaseAddress
    stored: AlarmEvents
    zone: tzinfo

    def line(self, event: StoredAlarmEvent, note: str) -> str:
        """One alarm or event; texts may name a meter, which is a stranger's word."""
        simulated = f"  {SIMULATED}" if event.simulated else ""
        at = local(event.at.replace(microsecond=0), self.zone)
        return f"{event.id:>6}  {at}  {event.severity:<8}  {note:<12}  {printable(event.text)}{simulated}"


def list_alarms(
    *,
    events: Annotated[
        int | None,
        Parameter(help="The last so many events instead, newest first.", validator=validators.Number(gte=1, lte=10**6)),
    ] = None,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """List the alarms that are raised now, or the last events.

    Each line begins with the number by which an alarm is acknowledged.
    """
    with _opened(options) as book:
        if events is not None:
            newest = book.stored.newest(events)
            if json:
                print(dumps([_fields(event) for event in newest]))
            else:
                lines = [book.line(event, event.change) for event in newest]
                print("\n".join(lines) or f"no alarm was ever raised in {book.path}")
            return
        alarms = book.stored.standing_alarms()
        if json:
            print(dumps([_alarm_fields(alarm) for alarm in alarms]))
        else:
            lines = [book.line(alarm.raised, "acknowledged" if alarm.acknowledged_at else "raised") for alarm in alarms]
            print("\n".join(lines) or "no alarm is raised")


def acknowledge(
    number: Annotated[tuple[int, ...], Parameter(help="Numbers of alarms, as 'alarm list' shows them.")] = (),
    *,
    all_: Annotated[bool, Parameter(name="--all", help="Every alarm that is raised now.")] = False,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Say that you have seen an alarm.

    It stays raised until its cause is gone. Alarms that were acknowledged before are left as they are.
    """
    if bool(number) is all_:
        raise UsageError("which alarms?", hint="name their numbers, as 'wattrail alarm list' shows them, or --all")
    with _opened(options) as book:
        alarms = {alarm.raised.id: alarm for alarm in book.stored.standing_alarms()}
        for one in number:
            _check(alarms, one)
        stored = book.stored.acknowledge(number or tuple(alarms), clock.CLOCK.now())
    if json:
        print(dumps([_fields(event) for event in stored]))
        return
    for event in stored:
        print(f"acknowledged: {printable(event.text)}" + (f"  {SIMULATED}" if event.simulated else ""))
    if not stored:
        print("no alarm is raised" if not alarms else "nothing changed: acknowledged before")


def send_test(
    *,
    severity: Annotated[
        Literal["info", "warning", "critical"], Parameter(help="Severity of the event (info).")
    ] = "info",
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Send a test event to every consumer of alarms.

    It is raised and cleared at once, so nothing stands afterwards. Quiet hours do not hold it back.
    """
    with _opened(options) as book:
        raised = StoredAlarmEvent(
            at=clock.CLOCK.now(), rule=TEST_RULE, meter=None, change="raised", severity=severity, value=None,
            limit=None, unit="", text=_TEST_TEXT, simulated=False,
        )  # fmt: skip
        stored = book.stored.append([raised, replace(raised, change="cleared", text="The test of the alarms is over.")])
        path = book.path
    if json:
        print(dumps([_fields(event) for event in stored]))
        return
    print(f"a test event is stored in {path}; a gateway that runs on this file passes it on within seconds")


@contextmanager
def _opened(options: BooksOptions | None) -> Iterator[_AlarmBook]:
    """The events of the database that is meant: the one named, that of the configuration, or that of the twin."""
    options = options or BooksOptions()
    config = load_config(options.config)
    places = [options.database] if options.database else [database_of(config), demo_database()]
    path = next((place for place in places if is_there(place)), None)
    if path is None:
        raise UsageError(f"found no database: {' nor '.join(map(str, places))}", hint="wattrail run makes one")
    with open_to_read(path):
        pass  # it is ours, and of this version
    with AlarmEvents(path) as stored:
        yield _AlarmBook(path, stored, zone_of(config.site.timezone if config else None))


def _check(alarms: dict[int, StandingAlarm], number: int) -> None:
    if number not in alarms:
        known = ", ".join(f"{one} ({alarm.raised.rule})" for one, alarm in alarms.items())
        raise UsageError(f"no raised alarm has the number {number}; raised: {known or 'none'}")


def _fields(event: StoredAlarmEvent) -> dict[str, object]:
    found = {field.name: getattr(event, field.name) for field in fields(event)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}


def _alarm_fields(alarm: StandingAlarm) -> dict[str, object]:
    """As /api/v1/alarms gives it."""
    event = _fields(alarm.raised)
    shown = {name: event[name] for name in ("id", "rule", "meter", "severity", "value", "limit", "unit", "text")}
    seen = alarm.acknowledged_at
    return shown | {
        "since": event["at"], "acknowledged": seen is not None,
        "acknowledged_at": seen.isoformat() if seen else None, "simulated": event["simulated"],
    }  # fmt: skip
