"""Local time: that of the configuration, else that of this machine with all its changes of clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from wattrail.cli.exits import UsageError
from wattrail.ledger import midnight

__all__ = ["MachineZone", "local", "moment", "zone_of"]


class MachineZone(tzinfo):
    """The time zone of this machine, by whatever means the system knows it."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Distance from UTC at a local time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Not told apart from the zone's own offset."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """The zone's short name at a local time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """Local time of a moment; of an hour that comes twice, the right one."""
        shown = moment.replace(tzinfo=UTC).astimezone()
        offset, wall = shown.utcoffset(), shown.replace(tzinfo=self, fold=0)
        return wall if wall.utcoffset() == offset else wall.replace(fold=1)


def zone_of(name: str | None) -> tzinfo:
    """The zone of that name, which was checked; that of this machine for None."""
    return ZoneInfo(name) if name else MachineZone()


def moment(text: str, zone: tzinfo, option: str) -> datetime:
    """What was typed as a local day or time, in UTC. Raises UsageError."""
    try:
        if len(text) <= len("2026-03-01"):
            return midnight(date.fromisoformat(text), zone)
        typed = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is no time", hint="write a day such as 2026-03-01, or 2026-03-01T06:00"
        ) from error
    return (typed if typed.tzinfo else typed.replace(tzinfo=zone)).astimezone(UTC)


def local(at: datetime, zone: tzinfo) -> str:
    """A moment as a person reads it, to the minute where that says it all; the offset tells the two nights apart."""
    shown = at.astimezone(zone)
    form = "%Y-%m-%d %H:%M%z" if shown.time() == time(shown.hour, shown.minute) else "%Y-%m-%d %H:%M:%S%z"
    return f"{shown:{form}}"
