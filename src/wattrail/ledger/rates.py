"""The import register of each rate, as a meter with several registers would show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from itertools import pairwise

from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.register_at import registers_at
from wattrail.ledger.tariff import Tariff, Timetable

__all__ = ["rate_registers"]


def rate_registers(
    ledger_slice: LedgerSlice, tariff: Tariff, moments: Sequence[datetime], zone: tzinfo
) -> tuple[dict[str, int], ...]:
    """Milliwatt-hours imported at each rate since the account began, at each of the moments, which come in order.

    Energy that may have flowed at several rates is in none of them, and neither is an opening.
    """
    if ledger_slice.began is None or not moments or moments[-1] <= ledger_slice.began:
        return tuple(dict.fromkeys(tariff.rates, 0) for _ in moments)
    tariff = replace(tariff, market=None)  # whatever the market's price is, the rate is the same
    first = min(ledger_slice.began, moments[0])
    timetable = Timetable(tariff, first, moments[-1], zone)
    marks = sorted({first, *moments, *(span.start for span in timetable.spans)})
    points = registers_at(
        ledger_slice, marks, asides=[lambda entry: not timetable.one_rate(ledger_slice.earliest(entry), entry.end)]
    )
    known = [(point.total.import_ - point.asides[0].import_).__floor__() for point in points]
    sums = dict.fromkeys(tariff.rates, 0)
    at = {first: dict(sums)}
    for (mark, until), (before, after) in zip(pairwise(marks), pairwise(known), strict=True):
        sums[tariff.key_at(mark, zone).rate] += after - before
        at[until] = dict(sums)
    return tuple(at[moment] for moment in moments)
