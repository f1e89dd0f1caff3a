"""Values as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from wattrail.gateway import MeterView, State
from wattrail.units import QUANTITIES, Quantity, Reading

__all__ = ["DIRECTIONS", "POWER", "SIMULATED", "clock_time", "direction", "kilowatt_hours", "quantity", "state_line"]

SIMULATED = "Simulated – digital twin"

DIRECTIONS = ("Import", "Export")

POWER = next(quantity for quantity in QUANTITIES if quantity.key == "watts")

_STATES = {
    State.CONNECTING: "Connecting",
    State.LIVE: "Live",
    State.STALE: "Stale",
    State.LOST: "Lost",
    State.FAILED: "Failed",
}


def quantity(known: Quantity, reading: Reading | None) -> str:
    """One quantity of a reading, without its unit."""
    return known.format(None if reading is None else getattr(reading, known.key)).replace("-", "−")


def direction(reading: Reading | None) -> str:
    """Which way energy flows; the amount is shown without a sign beside it."""
    if reading is None:
        return "No reading yet"
    if float(POWER.format(reading.watts)) == 0:
        return "No load"
    return DIRECTIONS[reading.watts < 0]


def kilowatt_hours(milliwatt_hours: int | None) -> str:
    """Energy in kilowatt-hours, rounded down so that what is shown never falls."""
    if milliwatt_hours is None:
        return "–"
    whole, rest = divmod(milliwatt_hours, 1_000_000)
    return f"{whole}.{rest // 1000:03d}"


def clock_time(moment: datetime, zone: ZoneInfo | None) -> str:
    """A moment as the local clock shows it."""
    return moment.astimezone(zone).strftime("%H:%M:%S")


def state_line(view: MeterView, zone: ZoneInfo | None) -> tuple[str, str]:
    """The state in a word, and what a person wants to know about it."""
    detail = ""
    if view.state is not State.LIVE and view.reading is not None:
        detail = f"last reading {clock_time(view.reading.at, zone)}"
    elif view.state is State.CONNECTING:
        detail = "waiting for the first reading"
    return _STATES[view.state], detail
