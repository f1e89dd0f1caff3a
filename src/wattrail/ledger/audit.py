"""Whether a ledger is right: every entry against the one before, against what a chip can do, and against the totals.

Totals are made twice, by means that share no sums: the ledger replays the entries, and the registers that people are
shown are added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wattrail.energy_register import Persistence
from wattrail.errors import LedgerError
from wattrail.ledger.energy_sum import EnergySum
from wattrail.ledger.entries import STATED, THE_END, Entry, EntryKind, Totals
from wattrail.ledger.ledger import Ledger
from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.manual import unassigned
from wattrail.ledger.register_at import registers_at
from wattrail.ledger.register_rule import MAX_SPARE_US, NEVER_FELL, RegisterRule, formers_after
from wattrail.ledger.reversals import reversals

__all__ = ["Audit", "AuditFinding", "Auditor", "audit"]

_SLACK_PER_LOOK = 2


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something that differs: in which entry (0: in none), what was looked at, and got against wanted.

    ``name`` says what differs where that is not a single entry.
    """

    sequence: int
    check: str
    got: str
    wanted: str
    stated: bool = False
    name: str = ""

    def __str__(self) -> str:
        """In a sentence."""
        name = f"{'manual ' if self.stated else ''}entry {self.sequence}" if self.sequence else "totals"
        return f"{self.name or name}: {self.check} is {self.got}, should be {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found, over how many entries, and the registers as replayed (None where they cannot be)."""

    entries: int
    stated: int
    findings: tuple[AuditFinding, ...]
    totals: Totals | None


def audit(ledger_slice: LedgerSlice) -> Audit:
    """Check a whole ledger, entry by entry, and replay it."""
    auditor = Auditor(ledger_slice)
    auditor.take(ledger_slice.entries)
    return auditor.audit()


class Auditor:
    """Checks a ledger a part at a time: that of years need not be in memory at once.

    ``outline`` has all epochs, all manual entries, and at least the entries that these are about.
    """

    def __init__(self, outline: LedgerSlice) -> None:
        self._outline, self.entries = outline, 0
        self._findings: list[AuditFinding] = []
        self._before: Entry | None = None
        self._formers = NEVER_FELL
        self._rules = {
            number: tuple(RegisterRule(register) for register in epoch.registers)
            for number, epoch in outline.epochs.items()
        }
        self._sums = EnergySum()
        self._ledger: Ledger | None = None
        self._refused: LedgerError | None = None

    def take(self, entries: Sequence[Entry]) -> None:
        """Check the entries that follow."""
        self._replay(entries)
        for entry in entries:
            before, self._before = self._before, entry
            self._sums.add(entry)
            # Half a million entries a year, of which a few hundred do more than count on: without this one condition
            # the audit of a year took 11 s, and takes 1 s (docs/numbers.md). Tests hold that both ways find the same.
            if before is None or not _only_counts(before, entry, self._rules.get(entry.epoch, ())):
                self._findings += self._checked(before, entry)
            if before is not None:
                is_same = entry.epoch == before.epoch
                self._formers = formers_after(self._formers, before, entry) if is_same else NEVER_FELL
        self.entries += len(entries)

    def _checked(self, before: Entry | None, entry: Entry) -> Iterator[AuditFinding]:
        rules = self._rules.get(entry.epoch)
        if before is None:
            yield from _first(entry)
        else:
            yield from _follows(before, entry)
            if rules is not None and before.epoch in self._rules:
                yield from _moved(before, entry, rules, self._formers)
        yield from _by_itself(entry, self._outline)
        if rules is not None:
            yield from _within_reach(entry, rules)

    def audit(self) -> Audit:
        """What was found, manual entries and totals included."""
        found, totals = [*self._findings, *_stated(self._outline)], None
        if self._before is not None:
            totals, differences = self._replayed()
            found += differences
        return Audit(entries=self.entries, stated=len(self._outline.stated), findings=tuple(found), totals=totals)

    def _replay(self, entries: Sequence[Entry]) -> None:
        if self._refused is not None or not entries:
            return
        try:
            self._ledger = self._ledger or Ledger(self._outline.epoch_of(entries[0]))
            self._ledger.replay_entries(entries, self._outline)
        except LedgerError as error:
            self._refused = error

    def _replayed(self) -> tuple[Totals | None, list[AuditFinding]]:
        try:
            if self._refused is not None:
                raise self._refused
            assert self._ledger is not None  # there were entries
            for entry in self._outline.stated:
                self._ledger.take(entry)
            replayed = self._ledger.totals()
            whole = replace(self._outline, entries=(), before=self._sums.counts())
            shown = registers_at(whole, [THE_END])[0].register.rounded_down()
        except LedgerError as error:
            return None, [AuditFinding(0, "the replay", f"refused ({error})", "possible")]
        if replayed != shown:
            return replayed, [AuditFinding(0, "what a replay gives", f"{replayed}", f"{shown}, the sum of the entries")]
        return replayed, []


def _only_counts(before: Entry, entry: Entry, rules: Sequence[RegisterRule]) -> bool:
    """Whether an entry of one register passes every check by counting on, as nearly all do; the others find out why."""
    if entry.kind is not EntryKind.COUNTED or len(rules) != 1:
        return False
    rule, modulus = rules[0], rules[0].register.modulus
    booked = entry.positive + entry.negative + entry.undirected
    return (
        entry.sequence == before.sequence + 1
        and entry.epoch == before.epoch
        and entry.start == before.end <= entry.end
        and entry.positive >= 0
        and entry.negative >= 0
        and entry.undirected >= 0
        and not (entry.import_mwh or entry.export_mwh)
        and booked == rule.forward(before.count, entry.count)
        and (modulus is None or 0 <= entry.count < modulus)
        and booked <= rule.possible(entry.elapsed_us) + _SLACK_PER_LOOK * entry.readings
    )


def _first(first: Entry) -> Iterator[AuditFinding]:
    if first.sequence != 1:
        yield AuditFinding(first.sequence, "the first sequence", str(first.sequence), "1")
    if first.kind is not EntryKind.START:
        yield AuditFinding(first.sequence, "the kind of the first entry", first.kind, EntryKind.START)


def _follows(before: Entry, entry: Entry) -> Iterator[AuditFinding]:
    name = entry.sequence
    if entry.sequence != before.sequence + 1:
        yield AuditFinding(name, "its sequence", str(entry.sequence), str(before.sequence + 1))
    if entry.start != before.end and entry.kind is not EntryKind.CLOCK:
        yield AuditFinding(name, "its start", f"{entry.start}", f"{before.end}, where the one before ends")
    if entry.kind is EntryKind.START:
        yield AuditFinding(name, "its kind", entry.kind, "another: an account begins once")
    if entry.epoch != before.epoch and entry.kind is not EntryKind.EPOCH:
        yield AuditFinding(name, "its epoch", str(entry.epoch), f"{before.epoch}, for no epoch begins here")


def _moved(
    before: Entry, entry: Entry, rules: Sequence[RegisterRule], formers: tuple[int | None, int | None]
) -> Iterator[AuditFinding]:
    """Every register against what it showed at the end of the entry before."""
    main = rules[0]
    if len(rules) == 2:
        export = rules[1]
        ends = before.export_count or 0, entry.export_count or 0
        marks, export_marks = (before.mark, formers[0]), (before.export_mark, formers[1])
        yield from _booked_as_moved(entry, entry.positive, (before.count, entry.count), marks, main)
        yield from _booked_as_moved(entry, entry.negative, ends, export_marks, export)
        return
    signed = entry.positive - entry.negative - main.forward(before.count, entry.count)
    if _may_be_algebraic(entry) and signed % (main.register.modulus or 1 << 63) == 0:
        return
    booked = entry.positive + entry.negative + entry.undirected
    yield from _booked_as_moved(entry, booked, (before.count, entry.count), (before.mark, formers[0]), main)


def _booked_as_moved(
    entry: Entry, booked: int, ends: tuple[int, int], marks: tuple[int | None, int | None], rule: RegisterRule
) -> Iterator[AuditFinding]:
    wanted = _movements(entry, ends, marks, rule)
    if wanted and booked not in wanted:
        texts = " or ".join(str(counts) for counts in dict.fromkeys(wanted))
        moved = f"{texts}: the counter went from {ends[0]} to {ends[1]}"
        yield AuditFinding(entry.sequence, "the sum of its counts", str(booked), moved)


def _movements(
    entry: Entry, ends: tuple[int, int], marks: tuple[int | None, int | None], rule: RegisterRule
) -> tuple[int, ...]:
    """The sums of counts that an entry of its kind may book; empty where any that time allows may be."""
    before, now = ends
    forward, register, possible = rule.forward(before, now), rule.register, _possible(entry, rule)
    is_believable = possible is None or forward <= possible
    restored = [max(now - mark, 0) for mark in marks if mark is not None]
    match entry.kind:
        case EntryKind.START | EntryKind.EPOCH | EntryKind.CLOCK:
            return (0,)
        case EntryKind.RESTART if register.is_confirmed:
            return (now if possible is None or now <= possible else 0,)
        case EntryKind.RESTART if register.persistence is Persistence.VOLATILE:  # of two registers one may have gone on
            return (now, 0, *((forward,) if forward >= 0 else ()), *restored)
        case EntryKind.RESTART:
            return ()
        case EntryKind.GAP if register.is_confirmed:
            return (forward if is_believable else 0,)
        case EntryKind.GAP:
            return (*((forward,) if is_believable and forward >= 0 else ()), 0, *restored)
        case _:
            return (forward,)


def _possible(entry: Entry, rule: RegisterRule) -> int | None:
    """The most counts that an entry's time allows; None where no clock spans it and the register has no end."""
    if entry.kind in {EntryKind.GAP, EntryKind.RESTART} and entry.elapsed_us == 0:
        return rule.possible(None) if rule.register.modulus is not None else None
    came_late = entry.kind in {EntryKind.GAP, EntryKind.RESTART} and not rule.register.is_confirmed
    return rule.possible(entry.elapsed_us + (MAX_SPARE_US if came_late else 0))


def _may_be_algebraic(entry: Entry) -> bool:
    """Whether its register counted export downwards; older versions did not write that down."""
    return entry.kind in {EntryKind.COUNTED, EntryKind.GAP} and entry.algebraic is not False and not entry.undirected


def _by_itself(entry: Entry, ledger_slice: LedgerSlice) -> Iterator[AuditFinding]:
    name = entry.sequence
    if entry.epoch not in ledger_slice.epochs:
        yield AuditFinding(
            name, "its epoch", str(entry.epoch), f"one of {', '.join(map(str, sorted(ledger_slice.epochs)))}"
        )
    if entry.end < entry.start:
        yield AuditFinding(name, "its end", f"{entry.end}", f"{entry.start} or later")
    if entry.kind in STATED or entry.import_mwh or entry.export_mwh:
        yield AuditFinding(name, "stated energy", f"in an entry of kind {entry.kind}", "in a manual entry")
    if min(entry.positive, entry.negative, entry.undirected) < 0:
        yield AuditFinding(
            name, "its smallest count", str(min(entry.positive, entry.negative, entry.undirected)), "0 or more"
        )


def _within_reach(entry: Entry, rules: Sequence[RegisterRule]) -> Iterator[AuditFinding]:
    modulus = rules[0].register.modulus
    if modulus is not None and not 0 <= entry.count < modulus:
        yield AuditFinding(entry.sequence, "its counter", str(entry.count), f"0 to {modulus - 1}")
    possible = [_possible(entry, rule) for rule in rules]
    booked = entry.positive + entry.negative + entry.undirected
    limit = sum(each or 0 for each in possible) + _SLACK_PER_LOOK * entry.readings
    if None not in possible and booked > limit:
        seconds = entry.elapsed_us / 1e6
        yield AuditFinding(
            entry.sequence, "the sum of its counts", str(booked), f"{limit} at most: it took {seconds:.1f} s"
        )


def _stated(ledger_slice: LedgerSlice) -> Iterator[AuditFinding]:
    left = unassigned(ledger_slice)
    openings = 0
    for number, entry in enumerate(ledger_slice.stated, start=1):
        openings += entry.is_opening * (-1 if entry.kind is EntryKind.REVERSED else 1)
        for check, got, wanted in _stated_alone(entry, number, ledger_slice):
            yield AuditFinding(entry.sequence, check, got, wanted, stated=True)
        if entry.kind is EntryKind.ASSIGNED and left.get(entry.about, 0) < 0:
            rest = f"{-left[entry.about]} more than entry {entry.about} had"
            yield AuditFinding(entry.sequence, "what it assigns", rest, "no more", stated=True)
    if openings > 1:
        yield AuditFinding(0, "the number of openings", str(openings), "1")


def _stated_alone(entry: Entry, number: int, ledger_slice: LedgerSlice) -> Iterator[tuple[str, str, str]]:
    if entry.sequence != number:
        yield "its sequence", str(entry.sequence), str(number)
    if entry.kind not in STATED:
        yield "its kind", entry.kind, ", ".join(sorted(STATED))
    if not entry.note:
        yield "its reason", "missing", "given"
    if entry.kind is EntryKind.REVERSED:
        yield from _reversal(entry, ledger_slice)
    elif min(entry.import_mwh, entry.export_mwh, entry.positive, entry.negative) < 0:
        yield "its energy", "negative", "0 or more: registers never fall"
    if entry.is_reset and (entry.import_mwh or entry.export_mwh):
        yield "its energy", f"{entry.import_mwh} and {entry.export_mwh} mWh", "none: it states a reset"
    if entry.epoch not in ledger_slice.epochs:
        yield "its epoch", str(entry.epoch), f"one of {', '.join(map(str, sorted(ledger_slice.epochs)))}"
    moved = entry.positive + entry.negative + entry.undirected
    if moved:
        yield "the sum of its counts", str(moved), "0: it gives a direction, and adds nothing"
    if entry.kind is EntryKind.ASSIGNED:
        gap = ledger_slice.entry(entry.about)
        if gap is None or gap.epoch != entry.epoch:
            yield "the entry it is about", str(entry.about), "an entry of the same epoch with undirected counts"


def _reversal(entry: Entry, ledger_slice: LedgerSlice) -> Iterator[tuple[str, str, str]]:
    wrong = next(
        (one for one in ledger_slice.stated[: max(entry.sequence - 1, 0)] if one.sequence == entry.about), None
    )
    if wrong is None or wrong.kind is EntryKind.REVERSED or wrong.is_reset:
        yield "the entry it reverses", str(entry.about), "an opening, an adjustment or a direction before it"
        return
    if (first := reversals(ledger_slice.stated[: entry.sequence - 1]).get(entry.about)) is not None:
        yield "the entry it reverses", f"{entry.about}, which entry {first.sequence} reverses", "one that holds"
    if (entry.start, entry.end, entry.epoch) != (wrong.start, wrong.end, wrong.epoch):
        yield "its time", f"{entry.start} to {entry.end}", f"{wrong.start} to {wrong.end}, as entry {entry.about} has"
    numbers = [(one.positive, one.negative, one.undirected, one.import_mwh, one.export_mwh) for one in (entry, wrong)]
    if any(own + its for own, its in zip(*numbers, strict=True)):
        yield "its energy", f"{numbers[0]}", f"that of entry {entry.about} with the other sign, {numbers[1]}"
