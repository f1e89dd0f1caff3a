"""Whether the books are right: every entry against the one before, against what a chip can do, and against the totals.

Totals are made twice, by means that share no sums: the ledger replays the entries, and the registers that people are
shown are added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from wattrail.errors import LedgerError
from wattrail.ledger.books import Books
from wattrail.ledger.counter import COUNTER_RANGE, MAX_UNTIMED_COUNTS, most_counts
from wattrail.ledger.entries import STATED, Entry, Kind, Totals
from wattrail.ledger.ledger import Ledger
from wattrail.ledger.register_at import registers_at
from wattrail.ledger.stated import unassigned

__all__ = ["Audit", "Finding", "audit"]

_SLACK_PER_LOOK = 2
_THE_END = datetime.max.replace(tzinfo=UTC)
_ABSOLUTE_BIT = 1 << 7
"""MODE bit that says the counter counts either direction upwards. Source: bl0942-ds/registers"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that differs: in which entry (0: in none), what was looked at, and got against wanted.

    ``name`` says what differs where it is no single entry.
    """

    sequence: int
    check: str
    got: str
    wanted: str
    stated: bool = False
    name: str = ""

    def __str__(self) -> str:
        """In a sentence."""
        name = f"{'stated ' if self.stated else ''}entry {self.sequence}" if self.sequence else "totals"
        return f"{self.name or name}: {self.check} is {self.got}, should be {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found, over how many entries, and the registers as replayed (None where they cannot be)."""

    entries: int
    stated: int
    findings: tuple[Finding, ...]
    totals: Totals | None


def audit(books: Books) -> Audit:
    """Check whole books, entry by entry, and replay them."""
    findings = [*_first(books)]
    for before, entry in pairwise(books.entries):
        findings += _follows(before, entry)
    for entry in books.entries:
        findings += _by_itself(entry, books)
    findings += _stated(books)
    totals = None
    if books.entries:
        totals, differences = _replayed(books)
        findings += differences
    return Audit(entries=len(books.entries), stated=len(books.stated), findings=tuple(findings), totals=totals)


def _first(books: Books) -> Iterator[Finding]:
    if not books.entries:
        return
    first = books.entries[0]
    if first.sequence != 1:
        yield Finding(first.sequence, "the first sequence", str(first.sequence), "1")
    if first.kind is not Kind.START:
        yield Finding(first.sequence, "the kind of the first entry", first.kind, Kind.START)


def _follows(before: Entry, entry: Entry) -> Iterator[Finding]:
    name = entry.sequence
    if entry.sequence != before.sequence + 1:
        yield Finding(name, "its sequence", str(entry.sequence), str(before.sequence + 1))
    if entry.start != before.end and entry.kind is not Kind.CLOCK:
        yield Finding(name, "its start", f"{entry.start}", f"{before.end}, where the one before ends")
    if entry.kind is Kind.START:
        yield Finding(name, "its kind", entry.kind, "another: an account begins once")
    if entry.epoch != before.epoch and entry.kind is not Kind.EPOCH:
        yield Finding(name, "its epoch", str(entry.epoch), f"{before.epoch}, for no epoch begins here")
    booked, wanted = entry.positive + entry.negative + entry.undirected, _movements(before, entry)
    if booked not in wanted and not (_is_algebraic(entry) and _moved_algebraically(before, entry)):
        texts = " or ".join(str(counts) for counts in wanted)
        moved = f"{texts}: the counter went from {before.count} to {entry.count}"
        yield Finding(name, "the sum of its counts", str(booked), moved)


def _movements(before: Entry, entry: Entry) -> tuple[int, ...]:
    """The sums of counts that an entry of its kind may book."""
    forward = (entry.count - before.count) % COUNTER_RANGE
    possible = _possible(entry)
    match entry.kind:
        case Kind.RESTART:
            return (entry.count if entry.count <= possible else 0,)
        case Kind.GAP:
            return (forward if forward <= possible else 0,)
        case Kind.START | Kind.EPOCH | Kind.CLOCK:
            return (0,)
        case _:
            return (forward,)


def _possible(entry: Entry) -> int:
    """The most counts that an entry's time allows; a gap or a restart that no clock spans has no time."""
    if entry.kind in {Kind.GAP, Kind.RESTART} and entry.elapsed_us == 0:
        return MAX_UNTIMED_COUNTS
    return most_counts(entry.elapsed_us)


def _is_algebraic(entry: Entry) -> bool:
    return entry.kind in {Kind.COUNTED, Kind.GAP} and not entry.mode & _ABSOLUTE_BIT and not entry.undirected


def _moved_algebraically(before: Entry, entry: Entry) -> bool:
    return (entry.positive - entry.negative - entry.count + before.count) % COUNTER_RANGE == 0


def _by_itself(entry: Entry, books: Books) -> Iterator[Finding]:
    name = entry.sequence
    if entry.epoch not in books.epochs:
        yield Finding(name, "its epoch", str(entry.epoch), f"one of {', '.join(map(str, sorted(books.epochs)))}")
    if entry.end < entry.start:
        yield Finding(name, "its end", f"{entry.end}", f"{entry.start} or later")
    if entry.kind in STATED or entry.import_mwh or entry.export_mwh:
        yield Finding(name, "stated energy", f"in an entry of kind {entry.kind}", "in a stated entry")
    if not 0 <= entry.count < COUNTER_RANGE:
        yield Finding(name, "its counter", str(entry.count), "within 24 bits")
    if min(entry.positive, entry.negative, entry.undirected) < 0:
        yield Finding(
            name, "its smallest count", str(min(entry.positive, entry.negative, entry.undirected)), "0 or more"
        )
    booked = entry.positive + entry.negative + entry.undirected
    possible = _possible(entry) + _SLACK_PER_LOOK * entry.readings
    if booked > possible:
        seconds = entry.elapsed_us / 1e6
        yield Finding(name, "the sum of its counts", str(booked), f"{possible} at most: it took {seconds:.1f} s")


def _stated(books: Books) -> Iterator[Finding]:
    left = unassigned(books)
    openings = 0
    for number, entry in enumerate(books.stated, start=1):
        openings += entry.kind is Kind.OPENING
        for check, got, wanted in _stated_alone(entry, number, books):
            yield Finding(entry.sequence, check, got, wanted, stated=True)
        if entry.about and left.get(entry.about, 0) < 0:
            rest = f"{-left[entry.about]} more than entry {entry.about} had"
            yield Finding(entry.sequence, "what it assigns", rest, "no more", stated=True)
    if openings > 1:
        yield Finding(0, "the number of openings", str(openings), "1")


def _stated_alone(entry: Entry, number: int, books: Books) -> Iterator[tuple[str, str, str]]:
    if entry.sequence != number:
        yield "its sequence", str(entry.sequence), str(number)
    if entry.kind not in STATED:
        yield "its kind", entry.kind, ", ".join(sorted(STATED))
    if not entry.note:
        yield "its reason", "missing", "given"
    if min(entry.import_mwh, entry.export_mwh, entry.positive, entry.negative) < 0:
        yield "its energy", "negative", "0 or more: registers never fall"
    if entry.epoch not in books.epochs:
        yield "its epoch", str(entry.epoch), f"one of {', '.join(map(str, sorted(books.epochs)))}"
    moved = entry.positive + entry.negative + entry.undirected
    if moved:
        yield "the sum of its counts", str(moved), "0: it gives a direction, and adds nothing"
    if entry.kind is Kind.ASSIGNED:
        gap = books.entry(entry.about)
        if gap is None or gap.epoch != entry.epoch:
            yield "the entry it is about", str(entry.about), "an entry of the same epoch with undirected counts"


def _replayed(books: Books) -> tuple[Totals | None, list[Finding]]:
    try:
        replayed = Ledger.replay([*books.entries, *books.stated], books.epochs).totals()
        shown = registers_at(books, [_THE_END])[0].total.rounded_down()
    except (LedgerError, KeyError) as error:
        return None, [Finding(0, "the replay", f"refused ({error})", "possible")]
    if replayed != shown:
        return replayed, [Finding(0, "what a replay gives", f"{replayed}", f"{shown}, the sum of the entries")]
    return replayed, []
