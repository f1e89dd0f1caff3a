"""The registers of an epoch as they were last accepted: what the rule needs to judge the next reading.

It also knows which way counts go. One register of either direction is split by the sign of power; of two, the first is
import and the second export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from wattrail.energy_register import Direction
from wattrail.ledger.boot import Boot, boot_between
from wattrail.ledger.entries import Entry, EntryKind, Epoch, Observation
from wattrail.ledger.register_rule import (
    MAX_SPARE_US,
    NEVER_FELL,
    Formers,
    RegisterCircumstances,
    RegisterRule,
    RegisterStep,
    former_count,
)
from wattrail.ledger.split import Split

__all__ = ["WatchedRegisters", "shown_counts"]

_US: Final = timedelta(microseconds=1)
_NONE: Final = timedelta()
_UNKNOWN_PAUSE_US: Final = timedelta(days=31) // _US
"""How long a pause may have been where the clock after it is behind: bounds what may be booked over it."""

_SEVERITY: Final = {EntryKind.COUNTED: 0, EntryKind.GAP: 1, EntryKind.RESTART: 2}


class WatchedRegisters:
    """One or two registers, what they showed last, and what they showed meanwhile that was not believed."""

    def __init__(self, epoch: Epoch) -> None:
        self.rules = tuple(RegisterRule(register) for register in epoch.registers)
        self.main = self.rules[0]
        self.is_chip = len(self.rules) == 1 and self.main.register.is_confirmed
        self._main_side = {Direction.IMPORT: (1, 0), Direction.EXPORT: (0, 1)}.get(self.main.register.direction)
        self.is_difference = self.rules[-1].register.name in self.main.register.name.split("+")[1:]
        self.last: Observation | None = None
        self.marks: Formers = NEVER_FELL
        self.misdeclared_note = ""
        """How a register fell last as none of its class does."""
        self.formers: Formers = NEVER_FELL
        """What each showed before its last fall."""
        self.waiting_us = 0
        """Time since the last reading that was accepted, while others are held."""
        self.held: tuple[int, ...] | None = None
        self.held_note = ""
        self.begins_again = False
        """Whether what is shown next belongs to another register than what was shown last."""
        self._began_at: tuple[int, ...] | None = None
        """What that other register showed first, where it was seen while it was held."""
        self._mark_age_us = 0
        self._spare_us = 0
        """Time that the steps before did not use up, at the fastest counting."""

    def require_possible(self, seen: Observation) -> None:
        """Raises ValueError for what no reading of these registers can be."""
        modulus = self.main.register.modulus
        if seen.at.tzinfo is None or (modulus is not None and not 0 <= seen.count < modulus):
            raise ValueError(f"not a reading of a counter: {seen}")
        if (seen.export_count is None) != (len(self.rules) == 1):
            raise ValueError(f"{len(self.rules)} registers are booked, and not those of this reading: {seen}")

    def step(self, seen: Observation, elapsed_us: int | None, *, pause: timedelta | None = None) -> RegisterStep:
        """What a reading means; with a second register its step is ``beside``. Nothing is changed.

        ``pause`` is what the wall clock says where no monotonic clock spans the two (``elapsed_us`` is None).
        """
        last = self.last
        assert last is not None
        if self.is_chip:
            if seen.algebraic and not seen.restarted:
                return RegisterStep(EntryKind.COUNTED, self.main.signed(last.count, seen.count), seen.count)
            return self.main.by_signs(last.count, seen.count, elapsed_us, is_reset=seen.restarted)
        if self.begins_again:
            return self._begin(
                seen, self.waiting_us + elapsed_us if elapsed_us is not None else (pause or _NONE) // _US
            )
        if elapsed_us is None:
            boot = boot_between(last.boot, seen.boot, None)
            elapsed_us = _UNKNOWN_PAUSE_US if pause is None or pause < timedelta() else pause // _US
        else:
            elapsed_us += self.waiting_us
            boot = boot_between(last.boot, seen.boot, elapsed_us / 1e6)
        step = self._judge(0, last.count, seen.count, seen, elapsed_us, boot)
        if seen.export_count is None or last.export_count is None:
            return step
        return self._with_export(step, self._judge(1, last.export_count, seen.export_count, seen, elapsed_us, boot))

    def count_on(self, seen: Observation, elapsed_us: int) -> int | None:
        """Go on from a reading that needs no judging, and give its counts; None, and no change, for any other.

        It comes to the same as ``step`` and ``accept``: one register moved forward by what time allows, and there is
        no sign, no evidence, no former value and nothing held that could give that another meaning.
        """
        last = self.last
        assert last is not None
        moved = seen.count - last.count
        if not 0 <= moved <= self.main.possible(elapsed_us) or seen.restarted or seen.algebraic or self.waiting_us:
            return None
        if not self.is_chip:
            if not self._has_no_past or boot_between(last.boot, seen.boot, elapsed_us / 1e6) is not Boot.NONE:
                return None
            self._mark_age_us += elapsed_us
            self._spare_us = self._spared(moved, elapsed_us)
        self.last = seen
        return moved

    @property
    def _has_no_past(self) -> bool:
        """Whether it is one register that never fell, and of which nothing is held."""
        is_alone, is_held = len(self.rules) == 1, self.held is not None
        return is_alone and not is_held and not self.begins_again and self.marks[0] is self.formers[0] is None

    def accept(self, seen: Observation, step: RegisterStep, elapsed_us: int) -> None:
        """Go on from a step that is booked; ``elapsed_us`` is the time since the one before, held readings included."""
        if self.is_chip:
            self.last = seen if seen.count == step.count else replace(seen, count=step.count)
            return
        beside = step.beside
        parts = (step,) if beside is None else (step, beside)
        self.formers = self._moved_on(parts, step.kind)
        marks = (step.mark, beside.mark if beside else None)
        if step.is_misdeclared:
            self.misdeclared_note = step.note
        has_new_mark = any(new is not None and old is None for new, old in zip(marks, self.marks, strict=True))
        is_restart = step.kind is not EntryKind.COUNTED
        self._mark_age_us = 0 if has_new_mark or is_restart else self._mark_age_us + elapsed_us
        counts = max(step.counts, beside.counts if beside else 0)
        self._spare_us = 0 if is_restart else self._spared(counts, elapsed_us)
        self.marks, self.held, self.held_note, self.waiting_us, self.begins_again = marks, None, "", 0, False
        export_count = beside.count if beside else None
        is_as_shown = (seen.count, seen.export_count) == (step.count, export_count)
        self.last = seen if is_as_shown else replace(seen, count=step.count, export_count=export_count)

    def hold(self, seen: Observation, step: RegisterStep, elapsed_us: int) -> None:
        """Wait for another reading before this one is booked."""
        shown = shown_counts(seen)
        self.waiting_us += elapsed_us
        if self.held is None or not self._goes_on(self.held, shown, self.waiting_us):
            self.held, self.held_note = shown, step.note

    def begin_again(self, last: Observation, former: WatchedRegisters | None = None) -> None:
        """Count from what is shown next; from what was held until now, where ``former`` showed the same registers."""
        self.last, self.begins_again = last, not self.is_chip
        if former is not None and self.begins_again:
            self._began_at, self.waiting_us = former.held, former.waiting_us

    def take_up(self, entry: Entry, formers: Formers) -> None:
        """Begin where an entry ends."""
        self.last, self.formers, self.marks = entry.observation, formers, (entry.mark, entry.export_mark)
        self.begins_again = entry.kind is EntryKind.EPOCH and not self.is_chip
        self.held, self.waiting_us, self._mark_age_us, self._spare_us = None, 0, 0, 0

    def sides(self, counts: int, beside: RegisterStep | None) -> tuple[int, int] | None:
        """Counts of import and export where the registers say which is which; None where power decides."""
        if beside is not None:
            return counts, beside.counts
        if self._main_side is None:
            return None
        return counts * self._main_side[0], counts * self._main_side[1]

    def shared(
        self, split: Split, seen: Observation, elapsed_us: int, counts: int, beside: RegisterStep | None
    ) -> tuple[int, int]:
        """Counts made while there were readings: (positive, negative)."""
        if (sides := self.sides(counts, beside)) is not None:
            return sides
        if seen.algebraic:
            return max(counts, 0), max(-counts, 0)
        split.integrate(seen.watt or 0, elapsed_us)
        return split.share(counts, last_pulse_negative=seen.last_pulse_negative)

    def directed(self, step: RegisterStep, watt_before: int | None, seen: Observation) -> tuple[int, int, int]:
        """Counts made while there was no reading: (positive, negative, undirected).

        Directed by power only if it stood on the same side before (None: nobody knows) and after, and the last pulse
        agrees.
        """
        counts = step.counts
        if (sides := self.sides(counts, step.beside)) is not None:
            return (*sides, 0)
        if seen.algebraic:
            return max(counts, 0), max(-counts, 0), 0
        if seen.watt is None and not self.is_chip:
            return counts, 0, 0  # a device without a sign of power measures what is used
        if watt_before is None or seen.watt is None:
            return 0, 0, counts
        # Power may have turned twice meanwhile and nobody knows:
        # the last pulse is the one witness from within the gap.
        if watt_before >= 0 and seen.watt >= 0 and not seen.last_pulse_negative:
            return counts, 0, 0
        if watt_before < 0 and seen.watt < 0 and (seen.last_pulse_negative or not self.is_chip):
            return 0, counts, 0
        return 0, 0, counts

    def _moved_on(self, steps: Sequence[RegisterStep], kind: EntryKind) -> Formers:
        assert self.last is not None
        moved = [
            former_count(former, before, step.count, kind, step.counts)
            for former, before, step in zip(self.formers, shown_counts(self.last), steps, strict=False)
        ]
        return moved[0], moved[1] if len(moved) == 2 else None

    def _judge(self, place: int, before: int, now: int, seen: Observation, elapsed_us: int, boot: Boot) -> RegisterStep:
        assert self.last is not None
        powers = [abs(watt) for watt in (self.last.watt, seen.watt) if watt is not None]
        circumstances = RegisterCircumstances(
            elapsed_us=elapsed_us, boot=boot, uptime_us=_longest_uptime_us(seen),
            mark=self.marks[place], recent=self.formers[place], mark_age_us=self._mark_age_us + elapsed_us,
            held=None if self.held is None else self.held[place], spare_us=self._spare_us,
            milliwatts=max(powers) if len(powers) == 2 else None,
        )  # fmt: skip
        return self.rules[place].judge(before, now, circumstances)

    def _spared(self, counts: int, elapsed_us: int) -> int:
        return min(max(self._spare_us + self.main.unused_us(elapsed_us, counts), 0), MAX_SPARE_US)

    def _with_export(self, step: RegisterStep, beside: RegisterStep) -> RegisterStep:
        """The two steps as one: what happened to either happened to the device."""
        # Both registers are kept by one device: a restart that one shows has happened to the other too.
        kind = step.kind if _SEVERITY[step.kind] >= _SEVERITY[beside.kind] else beside.kind
        rose = self.is_difference and beside.kind is not EntryKind.COUNTED and step.kind is EntryKind.COUNTED
        counts = 0 if rose else step.counts  # a difference rises where only what is subtracted fell
        note = "; ".join(note for note in (step.note, beside.note) if note)
        is_held = step.is_held or beside.is_held
        return RegisterStep(
            kind, counts, step.count, note, step.mark, is_held=is_held,
            is_misdeclared=step.is_misdeclared or beside.is_misdeclared, beside=beside,
        )  # fmt: skip

    def _begin(self, seen: Observation, since_us: int) -> RegisterStep:
        """The first step of another register: only what it proves to have counted itself."""
        shown = shown_counts(seen)
        if self._began_at is None or not self._goes_on(self._began_at, shown, since_us):
            kind, first, note = EntryKind.GAP, shown, "counting goes on from another register"
        else:
            kind, first = EntryKind.RESTART, self._began_at
            note = f"counting goes on from {' and '.join(map(str, first))}, which the other register showed first"
        step, *beside = (RegisterStep(kind, now - began, now) for now, began in zip(shown, first, strict=True))
        return replace(step, note=note, beside=beside[0] if beside else None)

    def _goes_on(self, first: tuple[int, ...], shown: tuple[int, ...], since_us: int) -> bool:
        """Whether held values moved on, so that the first ones stay what the next are compared with."""
        return all(
            0 <= now - began <= rule.possible(since_us)
            for now, began, rule in zip(shown, first, self.rules, strict=True)
        )


def shown_counts(seen: Observation) -> tuple[int, ...]:
    """The counts of a reading."""
    return (seen.count,) if seen.export_count is None else (seen.count, seen.export_count)


def _longest_uptime_us(seen: Observation) -> int | None:
    """For how long the device can have counted: the count may have been read after the uptime."""
    if seen.boot is None or seen.boot.uptime_s is None:
        return None
    return round((seen.boot.uptime_s + seen.boot.uptime_age_s) * 1e6)
