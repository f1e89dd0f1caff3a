"""The account of one meter: readings come in, entries come out, energy is derived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta

from wattrail.errors import LedgerError
from wattrail.ledger.energy_sum import EnergySum
from wattrail.ledger.entries import BEGINNING, Entry, EntryKind, Epoch, Observation, Totals
from wattrail.ledger.ledger_slice import Counts, Energy, LedgerSlice, in_order, require_tail
from wattrail.ledger.manual import StatedEntries
from wattrail.ledger.register_rule import NEVER_FELL, Formers, RegisterStep, formers_after
from wattrail.ledger.reversals import left_in_registers
from wattrail.ledger.span import ENTRY_SPAN, Away, Span, kind_and_note
from wattrail.ledger.split import Split
from wattrail.ledger.timeline import MAX_PLAIN_PAUSE, Arrival, Timeline
from wattrail.ledger.watched import WatchedRegisters, shown_counts

__all__ = ["ENTRY_SPAN", "GAP_AFTER_US", "Ledger"]

_MICROSECOND = timedelta(microseconds=1)

GAP_AFTER_US = 10_000_000
"""Time without a reading of a chip after which the time between counts as a gap: ten polls of a second."""


class Ledger:
    """An append-only account. Pure: it knows neither clock nor database; entries it returns are yours to keep.

    Rebuild it with ``replay``: the same entries give the same totals, and counting goes on where they end.
    ``longest_silence_us`` is how long the source may be silent before the time between two readings counts as a gap.
    """

    def __init__(self, epoch: Epoch, *, longest_silence_us: int = GAP_AFTER_US) -> None:
        self.longest_silence_us = longest_silence_us
        self._epochs = {epoch.number: epoch}
        self._epoch = epoch
        self._registers = WatchedRegisters(epoch)
        self._sums = EnergySum()
        self._stated = StatedEntries()
        self._left: Energy | None = None
        self._sequence = 0
        self._watt: int | None = None
        self._is_untimed = False
        self._span: Span | None = None
        self._away: Away | None = None
        self._timeline = Timeline(BEGINNING)
        self._split = Split()

    @classmethod
    def replay(
        cls, entries: Iterable[Entry], epochs: Mapping[int, Epoch], *, longest_silence_us: int = GAP_AFTER_US
    ) -> Ledger:
        """The ledger as it stood when the last entry was written; see ``LedgerSlice.of``. Raises LedgerError."""
        return cls.resume(LedgerSlice.of(entries, epochs), longest_silence_us=longest_silence_us)

    @classmethod
    def resume(cls, ledger_slice: LedgerSlice, *, longest_silence_us: int = GAP_AFTER_US) -> Ledger:
        """As ``replay``, from a ledger that may begin later: what is older counts by its sums and is not read."""
        if not ledger_slice.entries:
            raise LedgerError("no entries to replay", hint="a ledger begins with its first reading")
        first = ledger_slice.entries[0]
        ledger = cls(ledger_slice.epoch_of(first), longest_silence_us=longest_silence_us)
        if ledger_slice.before:
            ledger._sequence = first.sequence - 1
            ledger._sums = EnergySum(ledger_slice.before)
            ledger._epochs.update({number: ledger_slice.epochs[number] for number in ledger_slice.before})
        ledger.replay_entries(ledger_slice.entries, ledger_slice)
        for entry in ledger_slice.stated:
            ledger.take(entry)
        return ledger

    @property
    def epoch(self) -> Epoch:
        """The calibration epoch that holds now."""
        return self._epoch

    @property
    def booked_until(self) -> datetime | None:
        """End of the last entry; None before the first."""
        return self._span.start if self._span else None

    @property
    def now(self) -> datetime | None:
        """The ledger's own time at the last reading: the wall clock's, unless that jumped; None before the first."""
        if self._span is None:
            return None
        return self._timeline.now if self._away is None else self._away.clock.now

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the wall clock is ahead of the ledger's own time (negative: behind); None while they agree."""
        return self._timeline.offset if self._away is None else None

    @property
    def doubted(self) -> str:
        """What the device shows that is not booked until another reading stands by it; empty if nothing."""
        return self._registers.held_note

    @property
    def misdeclared(self) -> str:
        """How a register fell last as none of its class does, since the ledger was opened; empty if none did."""
        return self._registers.misdeclared_note

    @property
    def shown(self) -> tuple[int, ...] | None:
        """The counts from which the next reading is judged; None before the first."""
        return None if self._registers.last is None else shown_counts(self._registers.last)

    @property
    def held(self) -> tuple[int, ...] | None:
        """The counts that the device shows and that are not booked, as it showed them first; None if there are none."""
        return self._registers.held

    @property
    def open_reset(self) -> Entry | None:
        """A reset that a person stated, and after which no epoch has begun yet."""
        return self._stated.reset_in(self._epoch.number)

    @property
    def stated(self) -> int:
        """How many manual entries have been taken up."""
        return len(self._stated)

    def take(self, entry: Entry) -> None:
        """Take up an entry that a person stated. Raises LedgerError if it does not follow the one before."""
        self._stated.take(entry, self._epochs)
        self._sums.add(entry)
        if entry.kind is EntryKind.REVERSED or self._left is not None:
            self._left = left_in_registers(self._stated.entries, self._epochs)

    def totals(self) -> Totals:
        """The energy registers, with what is counted but not yet written into an entry, and what was stated."""
        return self.registers(self.energy())

    def registers(self, energy: Energy) -> Totals:
        """The energy registers where ``energy`` is all energy: they also show what reversed entries left in them."""
        return (energy if self._left is None else energy.plus(self._left)).rounded_down()

    def energy(self) -> Energy:
        """All energy, exactly: counted, counted and not yet written into an entry, and stated."""
        positive, negative, undirected = self._away.counts if self._away else (0, 0, 0)
        if self._span:
            positive, negative = positive + self._span.positive, negative + self._span.negative
        return self._sums.energy_with(self._epoch.number, Counts(positive, negative, undirected), self._epochs)

    def observe(self, seen: Observation) -> tuple[Entry, ...]:
        """Account for one reading; returns the entries it caused, oldest first.

        A reading at or before the last one (late, or doubled) changes nothing. Raises ValueError for a counter
        outside its range or a naive time.
        """
        self._registers.require_possible(seen)
        if self._registers.last is None or self._span is None:
            return self._begin(seen)
        elapsed_us = seen.elapsed_us
        if elapsed_us is None or self._is_untimed:
            return self._come_back(seen)
        if elapsed_us <= 0:
            return ()
        # Nearly every reading: it shows what it should, and nothing has to be judged.
        is_watched = elapsed_us <= self.longest_silence_us
        if is_watched and (counts := self._registers.count_on(seen, elapsed_us)) is not None:
            jumped = self._pass(seen.at, elapsed_us)
            entries = self._count(seen, elapsed_us, counts, None)
            return (*entries, *self._follow(seen.at)) if jumped else entries
        return self._account(seen, elapsed_us)

    def close(self) -> tuple[Entry, ...]:
        """Write what is counted but not yet an entry, as before a shutdown."""
        entries = [] if self._away is None else self._settle(self._away)
        if self._span is not None and self._span.readings:
            entries.append(self._close_span())
        return tuple(entries)

    def ledger_slice(self, tail: Sequence[Entry]) -> LedgerSlice:
        """The ledger as a stop would leave it now. It begins with ``tail``: what is older is only added up.

        ``tail`` are the last entries that were given out, without a gap up to the last of them. Raises LedgerError.
        """
        closed = copy(self)
        closed._sums = self._sums.copy()
        closed._span = replace(self._span) if self._span else None
        closed._timeline = replace(self._timeline)
        entries = (*tail, *closed.close())
        require_tail(entries, closed._sequence)
        for entry in (*entries, *self._stated.entries):
            closed._sums.add_counts(entry.epoch, -entry.positive, -entry.negative, -entry.undirected)
        return LedgerSlice(
            entries=entries, epochs=dict(self._epochs), stated=self._stated.entries, before=closed._sums.counts()
        )

    def begin_epoch(self, epoch: Epoch) -> tuple[Entry, ...]:
        """From the last reading on, another calibration holds. Raises LedgerError if its number is not new.

        A chip counts on through it. Counts of any other register do not: the next reading is where counting goes on,
        or what was held until now where the epoch follows a reset that a person stated.
        """
        if epoch.number in self._epochs:
            raise LedgerError(f"epoch {epoch.number} exists; the next is {max(self._epochs) + 1}")
        entries, reset = self.close(), self.open_reset
        self._epochs[epoch.number] = self._epoch = epoch
        former, self._registers = self._registers, WatchedRegisters(epoch)
        if former.last is None or self._span is None:
            return entries
        moment, why = self._span.start, f": manual entry {reset.sequence} states a reset" if reset else ""
        entry = self._entry(EntryKind.EPOCH, moment, moment, former.last, note=f"epoch {epoch.number} begins{why}")
        self._registers.begin_again(former.last, former if reset else None)
        return (*entries, replace(entry, watt=self._watt))

    def _begin(self, seen: Observation) -> tuple[Entry, ...]:
        self._registers.last, self._watt, self._span = seen, seen.watt, Span(seen.at)
        self._timeline = Timeline(seen.at)
        return (self._entry(EntryKind.START, seen.at, seen.at, seen),)

    def _account(self, seen: Observation, elapsed_us: int) -> tuple[Entry, ...]:
        step = self._registers.step(seen, elapsed_us)
        if step.is_held:
            jumped = self._pass(seen.at, elapsed_us)
            self._registers.hold(seen, step, elapsed_us)
            return self._follow(seen.at) if jumped else ()
        since_us = elapsed_us + self._registers.waiting_us
        # The silence that is normal differs by source, from 1 s to an hour:
        # a limit for all would make every reading of a slow one a gap.
        if step.kind is EntryKind.COUNTED and since_us <= self.longest_silence_us:
            jumped = self._pass(seen.at, elapsed_us)
            self._registers.accept(seen, step, since_us)
            entries = self._count(seen, since_us, step.counts, step)
        else:
            closed = self.close()
            jumped = self._pass(seen.at, elapsed_us)
            entries = (*closed, self._interrupt(seen, since_us, step))
        return (*entries, *self._follow(seen.at)) if jumped else entries

    def _pass(self, wall: datetime, elapsed_us: int) -> bool:
        """Let time pass by the ledger's clock; returns whether a jump of the wall clock has become certain."""
        if self._away is not None:
            self._away.clock.advance(wall, elapsed_us)
            return False
        agreed, jumped = self._timeline.offset is None, self._timeline.advance(wall, elapsed_us)
        if agreed and self._timeline.offset is not None and self._span is not None:
            self._span.notes.append(f"the wall clock jumped to {wall.isoformat()}")
        return jumped

    def _count(self, seen: Observation, elapsed_us: int, counts: int, step: RegisterStep | None) -> tuple[Entry, ...]:
        """Add what was counted since the last accepted reading; ``step`` is there where that had to be judged."""
        span = self._span
        assert span is not None
        positive, negative = self._registers.shared(self._split, seen, elapsed_us, counts, step and step.beside)
        span.positive += positive
        span.negative += negative
        span.elapsed_us += elapsed_us
        span.readings += 1
        if step is not None and step.note:
            span.notes.append(step.note)
        self._watt = seen.watt
        if self._away is not None:
            return self.close() if self._away.clock.is_sure or self._away.clock.is_late else ()
        return (self._close_span(),) if self._timeline.now - span.minute >= ENTRY_SPAN else ()

    def _accept(self, seen: Observation, step: RegisterStep, elapsed_us: int) -> None:
        self._registers.accept(seen, step, elapsed_us)
        self._watt = seen.watt

    def _interrupt(self, seen: Observation, elapsed_us: int, step: RegisterStep) -> Entry:
        """Book what the counter proves over the time nobody watched, up to now."""
        assert self._span is not None
        # Power before a gap says nothing of power in it. The fraction of a count is left from what was shared, and
        # stays.
        self._split = Split(carry=self._split.carry)
        counts = self._registers.directed(step, self._watt, seen)
        self._accept(seen, step, elapsed_us)
        end = max(self._timeline.now, self._span.start)
        kind, note = kind_and_note(step, f"no reading for {elapsed_us / 1e6:.0f} s")
        last = self._registers.last
        entry = self._entry(kind, self._span.start, end, last, counts=counts, elapsed_us=elapsed_us, note=note)
        self._span = Span(end)
        return entry

    def _come_back(self, seen: Observation) -> tuple[Entry, ...]:
        """The first reading after a pause that no monotonic clock spans: how long it was, only the wall clock says."""
        step = self._registers.step(seen, None, pause=seen.at - self._timeline.now)
        if step.is_held:
            self._registers.hold(seen, step, max(seen.elapsed_us or 0, 0))
            self._is_untimed = True
            return ()
        held, self._is_untimed = self.close(), False
        pause = seen.at - self._timeline.now
        self._split = Split(carry=self._split.carry)
        counts = self._registers.directed(step, self._watt, seen)
        self._accept(seen, step, self._registers.waiting_us)
        last = self._registers.last
        assert last is not None
        kind, note = kind_and_note(step, "no reading, and no clock says for how long")
        self._away = away = Away(held, Arrival(seen.at), last, kind, counts, note)
        possible = self._registers.main.possible(max(pause // _MICROSECOND, 0))
        if timedelta() <= pause <= MAX_PLAIN_PAUSE and abs(step.counts) <= possible:
            return tuple(self._settle(away, plain=True))
        return ()

    def _settle(self, away: Away, *, plain: bool = False) -> list[Entry]:
        """Book the pause, now that its end is known; an end that is not known is an instant after its start."""
        assert self._span is not None
        began, first = self._timeline.now, away.clock.first
        sure = plain or away.clock.is_sure
        end = max(first, began) if sure else began
        unsure = "" if end == first else "; the clock was not right, so its end is not known"
        self._away = None
        note = away.note + unsure
        entries = [*away.held, self._entry(away.kind, began, end, away.seen, counts=away.counts, note=note)]
        self._span.begin_at(end)
        self._timeline = Timeline(end)
        if sure and first < began:
            entries.append(self._set_clock(first, away.seen))
        self._timeline.now += timedelta(microseconds=away.clock.since_us)
        return entries

    def _follow(self, wall: datetime) -> tuple[Entry, ...]:
        """Close what was counted by the old time, and go on by the new one."""
        entries = self.close()
        last = self._registers.last
        assert last is not None
        return (*entries, self._set_clock(wall, last))

    def _set_clock(self, wall: datetime, last: Observation) -> Entry:
        assert self._span is not None
        before = self._timeline.now
        note = f"the clock was set from {before.isoformat()} to {wall.isoformat()}"
        entry = replace(self._entry(EntryKind.CLOCK, min(before, wall), wall, last, note=note), watt=self._watt)
        self._span.begin_at(wall)
        self._timeline.follow(wall)
        return entry

    def _close_span(self) -> Entry:
        span, seen = self._span, self._registers.last
        assert span is not None
        assert seen is not None
        end = max(self._timeline.now, span.start)
        entry = self._entry(
            EntryKind.COUNTED, span.start, end, seen,
            counts=(span.positive, span.negative, 0), elapsed_us=span.elapsed_us, readings=span.readings,
            note="; ".join(span.notes),
        )  # fmt: skip
        self._span = Span(end)
        return entry

    def _entry(
        self,
        kind: EntryKind,
        start: datetime,
        end: datetime,
        seen: Observation | None,
        *,
        counts: tuple[int, int, int] = (0, 0, 0),
        elapsed_us: int = 0,
        readings: int = 0,
        note: str = "",
    ) -> Entry:
        assert seen is not None
        self._sequence += 1
        self._sums.add_counts(self._epoch.number, *counts)
        positive, negative, undirected = counts
        mark, export_mark = self._registers.marks
        return Entry(
            sequence=self._sequence, kind=kind, start=start, end=end, epoch=self._epoch.number, count=seen.count,
            positive=positive, negative=negative, undirected=undirected, elapsed_us=elapsed_us, readings=readings,
            watt_us_positive=self._split.watt_us_positive, watt_us_negative=self._split.watt_us_negative,
            carry=self._split.carry, mode=seen.mode, status=seen.status, watt=seen.watt, note=note,
            export_count=seen.export_count, mark=mark, export_mark=export_mark, algebraic=seen.algebraic,
            boot=seen.boot,
        )  # fmt: skip

    def replay_entries(self, entries: Iterable[Entry], ledger_slice: LedgerSlice) -> None:
        """Follow stored entries, of epochs that the slice has. Raises LedgerError at the first that does not follow."""
        registers, number, entry = self._registers, self._epoch.number, None
        before: Observation | Entry | None = registers.last
        formers, until = registers.formers, self._span.start if self._span else None
        for entry in in_order(entries, self._sequence, until):
            if entry.epoch != number:
                self._epochs[entry.epoch] = ledger_slice.epoch_of(entry)
                number, formers = entry.epoch, NEVER_FELL
            elif before is not None:
                formers = formers_after(formers, before, entry)
            self._sums.add(entry)
            before = entry
        if entry is not None:
            self._stand_at(entry, formers)

    def _stand_at(self, entry: Entry, formers: Formers) -> None:
        """Count on where an entry ends."""
        if entry.epoch != self._epoch.number:
            self._epoch = self._epochs[entry.epoch]
            self._registers = WatchedRegisters(self._epoch)
        self._registers.take_up(entry, formers)
        self._sequence = entry.sequence
        self._split = Split(entry.watt_us_positive, entry.watt_us_negative, entry.carry)
        self._span, self._watt, self._timeline = Span(entry.end), entry.watt, Timeline(entry.end)
