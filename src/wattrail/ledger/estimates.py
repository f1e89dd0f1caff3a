"""When the energy of a meter is an estimate: a meter without an energy register, whose power was added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from wattrail.ledger.entries import THE_END

__all__ = ["NEVER_ESTIMATED", "EstimatedTimes"]


@dataclass(frozen=True, slots=True)
class EstimatedTimes:
    """Times ``[start, end)`` in UTC, in order and apart; an end of None is still to come.

    Registers go on through them: what they show includes every estimate since the account began.
    """

    spans: tuple[tuple[datetime, datetime | None], ...] = ()

    @classmethod
    def of(cls, spans: Iterable[tuple[datetime, datetime | None]]) -> Self:
        """Times of several meters or epochs together."""
        joined: list[tuple[datetime, datetime | None]] = []
        for start, end in sorted(spans, key=lambda span: span[0]):
            if joined and (joined[-1][1] is None or start <= joined[-1][1]):
                first, until = joined.pop()
                start, end = first, None if until is None or end is None else max(until, end)
            joined.append((start, end))
        return cls(tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def touches(self, start: datetime, end: datetime) -> bool:
        """Whether some energy of ``[start, end)`` is estimated."""
        return any(first < end and start < (until or THE_END) for first, until in self.spans)


NEVER_ESTIMATED: Final = EstimatedTimes()
"""Of a meter that counts its energy itself."""
