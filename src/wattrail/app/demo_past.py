"""Gives the demo twin a past: 400 days of its house in the ledger, so that the first page a newcomer sees shows a year.

It is written once, into the database of the demo, whose only meter is simulated. The epoch that it begins says so.
Energy is booked as the twin's chip would have counted it, by the quarter hour for the last weeks and by the hour
before, with the times at which nobody watched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Final

import numpy as np

from wattrail.chips import CHIPS
from wattrail.energy_register import EnergyRegister
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import MeterPlan
from wattrail.ledger import Entry, EntryKind
from wattrail.store import Store
from wattrail.store.tiers import RollupStats
from wattrail.twin.past import QUARTER_S, Extremes, QuarterHours, generate_past
from wattrail.twin.scenario import load_scenario
from wattrail.urls import innermost

__all__ = ["PAST_DAYS", "store_past"]

PAST_DAYS: Final = 400
_FINE_DAYS: Final = 35
"""Days ago until which entries are quarter hours: a year of them would take a small board half a minute."""

_GAPS: Final = ((11, 20), (47, 12), (118, 36), (203, 60), (322, 16))
"""Times without the gateway: so many days ago, and for how many quarter hours."""

logger = logging.getLogger(__name__)


def store_past(
    store: Store, meter: MeterPlan, *, until: datetime, zone: tzinfo | None = None, days: int = PAST_DAYS
) -> None:
    """Write the past of a twin that follows a scenario; nothing for one that the store knows already."""
    if store.meter(meter.name) is not None:
        return
    twin = innermost(meter.url)
    scenario, front_end = twin.query["scenario"], FRONT_ENDS[twin.host]
    chip = CHIPS[front_end.chips[0]]
    calibration = chip.scaling.calibration_of(front_end)
    register = chip.energy_register(calibration)
    quarters = generate_past(load_scenario(scenario), until=until, days=days, zone=zone)
    row = store.register_meter(
        meter.name, meter.url, simulated=True, calibration=calibration, registers=(register,),
        at=_moment(int(quarters.starts[0])),
        evidence=f"generated past of {days} days of the scenario {scenario}: simulated, nothing was measured",
    )  # fmt: skip
    store.add_past(row.id, tuple(past_entries(quarters, register)), tuple(_statistics(quarters)))
    logger.info("%s was given a generated past of %d days, all of it simulated", meter.name, days)


def past_entries(quarters: QuarterHours, register: EnergyRegister) -> Iterator[Entry]:
    """The ledger of these quarter hours."""
    counting = _Counting(register)
    began = _moment(int(quarters.starts[0]))
    yield Entry(sequence=1, kind=EntryKind.START, start=began, end=began, epoch=1, count=0, note="generated past")
    ends, start = _ends(quarters), began
    for place in range(len(quarters.starts)):
        counting.add(quarters.import_wh[place], quarters.export_wh[place])
        if place in ends:
            end = _moment(int(quarters.starts[place]) + QUARTER_S)
            yield counting.entry(ends[place], start, end, watts=quarters.watts.mean[place])
            start = end


def _ends(quarters: QuarterHours) -> dict[int, EntryKind]:
    """The quarter hours with which an entry ends, and its kind."""
    count = len(quarters.starts)
    fine = count - _FINE_DAYS * 96
    ends = {
        place: EntryKind.COUNTED for place in range(count)
        if place >= fine or quarters.starts[place] % 3600 == 3600 - QUARTER_S
    }  # fmt: skip
    for days_ago, length in _GAPS:
        first = count - days_ago * 96
        if first > 0:
            for place in range(first, first + length):
                ends.pop(place, None)
            ends |= {first - 1: EntryKind.COUNTED, first + length - 1: EntryKind.GAP}
    return ends


class _Counting:
    """The chip's counter: it counts what passes either way, and the sign of power tells the ways apart."""

    def __init__(self, register: EnergyRegister) -> None:
        self._register, self._modulus = register, register.modulus or 1 << 63
        self._passed_uwh = [0, 0]
        self._booked = [0, 0]
        self._sequence = 1

    def add(self, import_wh: float, export_wh: float) -> None:
        """Let energy pass."""
        for way, watt_hours in enumerate((import_wh, export_wh)):
            # In whole millionths of a watt-hour: sums of floats would drift over a year of entries.
            self._passed_uwh[way] += round(watt_hours * 1e6)

    def entry(self, kind: EntryKind, start: datetime, end: datetime, *, watts: float) -> Entry:
        """An entry with all that has passed since the last one. Over a gap only its sum is known."""
        self._sequence += 1
        shown = [int(Fraction(passed, 1000) / self._register.step_mwh) for passed in self._passed_uwh]
        counts = [now - before for now, before in zip(shown, self._booked, strict=True)]
        self._booked = shown
        is_gap = kind is EntryKind.GAP
        elapsed_us = (end - start) // timedelta(microseconds=1)
        return Entry(
            sequence=self._sequence, kind=kind, start=start, end=end, epoch=1, count=sum(shown) % self._modulus,
            positive=0 if is_gap else counts[0], negative=0 if is_gap else counts[1],
            undirected=sum(counts) if is_gap else 0, elapsed_us=elapsed_us,
            readings=0 if is_gap else elapsed_us // 1_000_000,
            watt=round(watts), note="nobody watched (generated)" if is_gap else "",
        )  # fmt: skip


def _statistics(quarters: QuarterHours) -> Iterator[tuple[int, tuple[RollupStats, ...]]]:
    """Power, voltage and frequency of each quarter hour, as if it had been read each second."""
    columns = [_thousandths(of) for of in (quarters.watts, quarters.volts, quarters.hertz)]
    for place, start in enumerate(quarters.starts):
        yield (
            int(start) * 1_000_000,
            tuple(
                RollupStats(QUARTER_S, lowest[place], mean[place] * QUARTER_S, highest[place])
                for lowest, mean, highest in columns
            ),
        )


def _thousandths(of: Extremes) -> tuple[list[int], ...]:
    return tuple(np.rint(values * 1000).astype(int).tolist() for values in (of.lowest, of.mean, of.highest))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
