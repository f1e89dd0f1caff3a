"""Books made to be checked by hand: in this epoch nine counts are exactly one watt-hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.ledger import Entry, EntryKind, Epoch, LedgerSlice, midnight

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def chip_epoch(number: int, counts_per_watt: float, *, inverted: bool = False) -> Epoch:
    """An epoch of a BL0942 with that calibration constant."""
    return Epoch(
        number=number, registers=(BL0942.energy_register(Calibration(1, 1, counts_per_watt)),), inverted=inverted
    )


NINTHS = chip_epoch(1, 1_048.576)
"""A count is 419430.4e6 / 3600e3 / 1048.576 = 1000/9 mWh."""

EPOCHS = {1: NINTHS, 2: chip_epoch(2, 524.288, inverted=True)}


def entry(
    before: Entry,
    end: datetime,
    *,
    positive: int = 0,
    negative: int = 0,
    undirected: int = 0,
    kind: EntryKind = EntryKind.COUNTED,
) -> Entry:
    """The entry that follows another, with a counter that moved by what it books."""
    return Entry(
        sequence=before.sequence + 1, kind=kind, start=before.end, end=end, epoch=before.epoch,
        count=(before.count + positive + negative + undirected) % (1 << 24),
        positive=positive, negative=negative, undirected=undirected,
        elapsed_us=(end - before.end) // timedelta(microseconds=1), readings=kind is EntryKind.COUNTED, mode=0x87,
    )  # fmt: skip


def start(at: datetime, *, count: int = 0, epoch: int = 1) -> Entry:
    return Entry(sequence=1, kind=EntryKind.START, start=at, end=at, epoch=epoch, count=count, mode=0x87)


def ledger_slice(entries: Iterable[Entry], stated: Iterable[Entry] = ()) -> LedgerSlice:
    return LedgerSlice(entries=tuple(entries), epochs=EPOCHS, stated=tuple(stated))


def watched(
    first: date, until: date, load: Callable[[datetime], tuple[int, int]], *, zone: ZoneInfo = BERLIN
) -> list[Entry]:
    """A meter watched every minute of local days; ``load`` gives counts of import and export for a local minute."""
    entries = [start(midnight(first, zone))]
    end = midnight(until, zone)
    while entries[-1].end < end:
        at = entries[-1].end
        imported, exported = load(at.astimezone(zone))
        entries.append(entry(entries[-1], at + MINUTE, positive=imported, negative=exported))
    return entries


def forgotten(entries: list[Entry], first: datetime, last: datetime, *, directed: bool = False) -> list[Entry]:
    """The same account if nobody had looked between two moments: their entries as one gap."""
    kept = [one for one in entries if one.end <= first]
    inside = [one for one in entries if first <= one.start and one.end <= last and one.kind is EntryKind.COUNTED]
    counts = sum(one.positive + one.negative for one in inside)
    direction = {"positive": counts} if directed else {"undirected": counts}
    kept.append(entry(kept[-1], last, kind=EntryKind.GAP, **direction))  # type: ignore[arg-type]
    for one in entries:
        if one.start >= last and one.kind is EntryKind.COUNTED:
            kept.append(replace(one, sequence=len(kept) + 1))
    return kept


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]
