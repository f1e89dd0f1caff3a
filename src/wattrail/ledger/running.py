"""The energy of a span that is still being counted, such as today, for whoever asks every second.

What ``by_interval`` says of the span. The registers at its ends are made once from the entries; from then on one
subtraction is enough, as long as everything that is added lies within the span.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from wattrail.ledger.entries import Totals
from wattrail.ledger.ledger_slice import Energy, LedgerSlice
from wattrail.ledger.register_at import registers_at

__all__ = ["RunningInterval"]

_THE_END: Final = datetime.max.replace(tzinfo=UTC)


class RunningInterval:
    """``[start, end)`` of books that go on. It holds until a clock is set, or a person states an entry."""

    def __init__(self, ledger_slice: LedgerSlice, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        first, last, whole = registers_at(ledger_slice, (start, end, _THE_END))
        self._before = first.total.rounded_down()
        later = whole.total.less(last.total)  # by a clock that was ahead
        self._booked_later = later if any(later) else None

    def covers(self, moment: datetime) -> bool:
        """Whether a moment lies within."""
        return self._start <= moment < self._end

    def energy(self, registers: Energy) -> Totals:
        """The energy of the span, where the registers show that now."""
        own = registers if self._booked_later is None else registers.less(self._booked_later)
        return own.rounded_down().less(self._before)
