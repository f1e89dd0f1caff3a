"""The import of the running quarter hour, from the register at its beginning."""

from __future__ import annotations

from datetime import datetime, tzinfo

from wattrail.ledger.periods import By, boundaries

__all__ = ["QuarterHour"]


class QuarterHour:
    """Follows one register. Between two readings around a boundary it is divided evenly, as the ledger divides it.

    Until the first boundary it counts from the first reading, unless ``register_at_start`` gives the register at the
    beginning of the quarter hour in which it starts.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._span: tuple[datetime, datetime] | None = None
        self._start_mwh = 0
        self._last: tuple[datetime, int] | None = None

    def begins(self, at: datetime) -> datetime:
        """Where the quarter hour of a moment begins."""
        return self._quarter(at)[0]

    def register_at_start(self, at: datetime, import_mwh: int) -> None:
        """The register at the beginning of the quarter hour that ``at`` lies in."""
        self._span = self._quarter(at)
        self._start_mwh, self._last = import_mwh, (self._span[0], import_mwh)

    def note(self, at: datetime, import_mwh: int) -> tuple[int, float]:
        """Take a register; gives the import of the quarter hour so far, and the seconds until its end."""
        if self._span is None or not self._span[0] <= at < self._span[1]:
            self._span = self._quarter(at)
            self._start_mwh = self._at(self._span[0], at, import_mwh)
        self._last = (at, import_mwh)
        return import_mwh - self._start_mwh, (self._span[1] - at).total_seconds()

    def _at(self, start: datetime, at: datetime, import_mwh: int) -> int:
        if self._last is None or not self._last[0] < at:
            return import_mwh
        before, before_mwh = self._last
        if before >= start:  # the clock was set
            return before_mwh
        return import_mwh - round((import_mwh - before_mwh) * ((at - start) / (at - before)))

    def _quarter(self, at: datetime) -> tuple[datetime, datetime]:
        start, end = boundaries(By.QUARTER_HOUR, at, at, self._zone)[:2]
        return start, end
