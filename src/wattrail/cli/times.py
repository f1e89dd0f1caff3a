"""Moments as a person types and reads them."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from wattrail.cli.exits import UsageError
from wattrail.ledger import parse_moment

__all__ = ["local", "moment", "span_between"]


def moment(text: str, zone: tzinfo, option: str) -> datetime:
    """What was typed as a local day or time, in UTC. Raises UsageError."""
    try:
        return parse_moment(text, zone)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a time", hint="write a day such as 2026-03-01, or 2026-03-01T06:00"
        ) from error


def span_between(first: str | None, until: str | None, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """What was typed as ``--from`` and ``--to``, in UTC; None for what was not. Raises UsageError."""
    return (
        moment(first, zone, "--from") if first else None,
        moment(until, zone, "--to") if until else None,
    )


def local(at: datetime, zone: tzinfo) -> str:
    """A moment as a person reads it, to the minute where that says it all; the offset tells the two nights apart."""
    shown = at.astimezone(zone)
    form = "%Y-%m-%d %H:%M%z" if shown.time() == time(shown.hour, shown.minute) else "%Y-%m-%d %H:%M:%S%z"
    return f"{shown:{form}}"
