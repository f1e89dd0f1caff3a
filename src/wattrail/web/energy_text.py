"""Energy by period as JSON text, put together by hand: a model, or a dictionary, of each hour of a year takes longer.

It is what the encoder would write of an ``EnergyByPeriodJson``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from pydantic_core import to_json

from wattrail.ledger import By, EstimatedTimes, ImportedPart, Interval, Totals
from wattrail.store.tiers import zone_name
from wattrail.web.spans import period_label

__all__ = ["energy_json"]

_NOTHING: Final = '"import_wh":0.0,"export_wh":0.0,"undirected_wh":0.0'
_THOUSANDTHS: Final = [str(number / 1000)[1:] for number in range(1000)]
_EXACT: Final = 10**15
"""Below it a float has more digits than thousandths need, and is written without an exponent."""

_HOURS: Final = [f"{hour:02}" for hour in range(24)]


def energy_json(
    intervals: Iterable[Interval], estimated: EstimatedTimes, *, name: str, simulated: bool, by: By, zone: tzinfo
) -> bytes:
    """An ``EnergyByPeriodJson`` as its text."""
    head = to_json({"name": name, "simulated": simulated, "by": by, "zone": zone_name(zone) or None})[:-1].decode()
    moments, parts, before = _Moments(), [head, ',"periods":['], ""
    until, end_text = None, ""
    for start, end, energy, gaps, stated, _, complete, imported in intervals:
        start_text = end_text if start is until else moments.utc(start)
        until, end_text = end, moments.utc(end)
        label = moments.local(start.astimezone(zone)) if by is By.HOUR else period_label(by, start, zone)
        parts.append(
            f'{before}{{{_energy(energy)},"start":"{start_text}","end":"{end_text}","label":"{label}",'
            f'"complete":{"true" if complete else "false"},'
            f'"estimated":{"true" if estimated and estimated.touches(start, end) else "false"},'
            f'"gaps":{{{_energy(gaps)}}},"stated":{{{_energy(stated)}}},'
            f'"imported":{"null" if imported is None else _imported(imported)}}}'
        )
        before = ","
    parts.append("]}")
    return "".join(parts).encode()


class _Moments:
    """Moments as text. Many share their day, and with it most of what is written."""

    def __init__(self) -> None:
        self._days: dict[date, list[str]] = {}
        self._offsets: dict[timedelta | None, str] = {}

    def utc(self, at: datetime) -> str:
        """A moment in UTC, as the encoder writes it."""
        if at.second or at.microsecond:
            return f"{at.replace(tzinfo=None).isoformat()}Z"
        return f"{self._minute(at)}:00Z"

    def local(self, at: datetime) -> str:
        """The label of an hour, see ``period_label``."""
        offset = at.utcoffset()
        text = self._offsets.get(offset)
        if text is None:
            text = self._offsets[offset] = at.isoformat(timespec="minutes")[len("2026-01-01T00:00") :]
        return f"{self._minute(at)}{text}"

    def _minute(self, at: datetime) -> str:
        day = at.date()
        hours = self._days.get(day)
        if hours is None:
            hours = self._days[day] = [f"{day.isoformat()}T{hour}:00" for hour in _HOURS]
        return hours[at.hour] if not at.minute else f"{hours[at.hour][:-2]}{at.minute:02}"


def _energy(totals: Totals) -> str:
    """The members of an ``EnergyJson``. Most periods have no gap, and nothing stated."""
    imported, exported, undirected = totals.import_mwh, totals.export_mwh, totals.undirected_mwh
    if not (imported or exported or undirected):
        return _NOTHING
    return (
        f'"import_wh":{_watt_hours(imported)},"export_wh":{_watt_hours(exported) if exported else "0.0"},'
        f'"undirected_wh":{_watt_hours(undirected) if undirected else "0.0"}'
    )


def _watt_hours(mwh: int) -> str:
    """A thousandth, as the shortest text of its float."""
    if not 0 <= mwh < _EXACT:
        return repr(mwh / 1000)
    whole, part = divmod(mwh, 1000)
    return f"{whole}{_THOUSANDTHS[part]}"


def _imported(part: ImportedPart) -> str:
    return to_json({
        "import_wh": None if part.import_mwh is None else part.import_mwh / 1000,
        "export_wh": None if part.export_mwh is None else part.export_mwh / 1000, "origins": part.origins,
    }).decode()  # fmt: skip
