"""What a step of an energy register means: counted, wrapped, restarted, held, or not to be known. One rule for all.

The register says what it can do (`EnergyRegister`), the device what happened to it (`Boot`). In this order:

    evidence    what is shown              KEPT     SAVED and others       VOLATILE
    reset, or changed firmware             restart, books nothing; counting goes on from what it shows
    restarted   goes on, believable        counted  counted [1]            restart: what it shows since
    restarted   anything else              held     restart, nothing       restart: what it shows, if believable
    -           goes on, believable        counted
    -           falls within its slack     counted: nothing; the higher value stays
    -           falls, a wrap fits         counted
    -           its former value again     gap: what it shows beyond that value
    -           rises too far              held; if a second reading stands by it, a gap: with its energy where late
                                           delivery explains the rise, else with none
    -           falls                      held; if a second reading stands by it, as "restarted, anything else" [2]

[1] but a restart that books nothing after a power cut of a register that may rise by itself.
[2] and of a PERIODIC register that falls to more than it can have counted since 0 it is said that it is none.

A value that is held is not booked and changes nothing; time goes on, and the next reading is judged from the last
accepted one. After a restart the former value is kept as a mark: firmware that restores its total late jumps to it, and
such a jump books nothing. Of several falls within an hour the highest value stays as the mark, and beside it that of
the last fall (``recent``): a cached zero ends there, whatever fell before.

A chip on a wire is read twice before a count is given, so nothing is held. A restart of it looks like a wrap: from 2636
to 3 is 16 774 583 counts forward, three megawatt-hours out of nothing. No single sign tells them apart: MODE at its
reset value may be somebody else's setting, a counter that fell may be a late frame, time may not be known. So it takes
two of three signs:

    the counter fell   a setting at its reset value   forward is more than time allows
          x                      x                                                   restart
          x                                                     x                    restart
                                 x                              x                    restart
          x                                                                          wrap
                                 x                                                   counted on, noted

Where no monotonic clock spans the two readings, time proves nothing; then a fall is either a wrap or a restart,
and the smaller of the two energies is booked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wattrail.energy_register import EnergyRegister, Persistence
from wattrail.ledger.boot import Boot
from wattrail.ledger.entries import Entry, EntryKind, Observation

__all__ = [
    "MARK_HOLDS_US",
    "MAX_SPARE_US",
    "NEVER_FELL",
    "Formers",
    "RegisterCircumstances",
    "RegisterRule",
    "RegisterStep",
    "former_count",
    "formers_after",
]

_SLACK: Final = 2
"""Counts allowed beyond the fastest: one that was nearly full before, one for the clock's own error."""

MARK_HOLDS_US: Final = 3_600_000_000
"""How long after a restart a jump to the former value is taken for a late restore, however small: an hour. Firmware
restores once its clock is set, which takes seconds on most networks and minutes on some."""

MAX_SPARE_US: Final = 300_000_000
"""How late a total may be delivered so that the next one, close behind it, is still believed: five minutes. A stalled
connection keeps what was sent and delivers all of it in one moment. As long may a value from a cache hide the total."""

_POWER_MARGIN: Final = 1.5
_POWER_FLOOR_MW: Final = 20_000
"""A jump is not counted where it exceeds one and a half times the power before and after it, and 20 W more."""

_MW_US_PER_MWH: Final = 3_600_000_000


Formers = tuple[int | None, int | None]
"""What two registers showed before their last fall, with what was counted since; None for one that never fell."""

NEVER_FELL: Final[Formers] = (None, None)


@dataclass(frozen=True, slots=True)
class RegisterStep:
    """How far a register moved, why, and the reason as text where there is one to give.

    ``count`` is where counting goes on: what was shown, or the value before where that is an older one. ``mark`` is the
    former value to which the register may jump back. ``is_held``: nothing is booked until another reading.
    ``is_misdeclared``: it fell as no register of its class does. ``beside`` is the step of the second register, where
    there are two.
    """

    kind: EntryKind
    counts: int
    count: int
    note: str = ""
    mark: int | None = None
    is_held: bool = False
    is_misdeclared: bool = False
    beside: RegisterStep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCircumstances:
    """What is known beside the two counts.

    ``elapsed_us`` is the time since the last accepted reading, None where no monotonic clock spans the two.
    ``uptime_us`` is since when the device counts. ``mark`` and ``held`` come from earlier steps, ``recent`` is as
    ``former_count`` gives it, ``mark_age_us`` is how long ago the mark was set. ``spare_us`` is time that earlier
    steps left unused: a total that came late leaves its counts to the next one, which follows at once.
    ``milliwatts`` is the larger power of before and after, None where it is not known.
    """

    elapsed_us: int | None
    boot: Boot = Boot.NONE
    uptime_us: int | None = None
    mark: int | None = None
    recent: int | None = None
    mark_age_us: int = 0
    held: int | None = None
    spare_us: int = 0
    milliwatts: int | None = None


class RegisterRule:
    """The rule for one register."""

    def __init__(self, register: EnergyRegister) -> None:
        self.register = register
        self._speed = register.max_counts_per_us.numerator
        self._per_us = register.max_counts_per_us.denominator

    # Arithmetic

    def possible(self, elapsed_us: int | None) -> int:
        """The largest number of counts in that time; half the range where time is not known."""
        if elapsed_us is None:
            # Beyond half the range a step is as likely backwards; chips were seen to wake at 0x800000.
            return (self.register.modulus or 0) // 2 - 1
        return elapsed_us * self._speed // self._per_us + _SLACK

    def unused_us(self, elapsed_us: int, counts: int) -> int:
        """What the fastest counting would leave of that time."""
        return elapsed_us - counts * self._per_us // self._speed

    def forward(self, before: int, now: int) -> int:
        """Counts from one value to another, through the end of the range where there is one."""
        return now - before if self.register.modulus is None else (now - before) % self.register.modulus

    def signed(self, before: int, now: int) -> int:
        """Counts from one value to the next where export counts downwards."""
        if self.register.modulus is None:
            return now - before
        half = self.register.modulus // 2
        return (now - before + half) % self.register.modulus - half

    # The rule

    def judge(self, before: int, now: int, seen: RegisterCircumstances) -> RegisterStep:
        """What happened between two values of the register."""
        if self.register.is_confirmed and self.register.modulus is not None:
            return self.by_signs(before, now, seen.elapsed_us, is_reset=seen.boot is Boot.SIGN)
        # First of all: a total that was set may stand where counting could have brought it.
        if seen.boot in {Boot.RESET, Boot.CHANGED}:
            what = "its total was set" if seen.boot is Boot.RESET else "its firmware or configuration changed"
            return RegisterStep(EntryKind.RESTART, 0, now, f"{what}: counting goes on from {now}, after {before}")
        if seen.boot.is_restart and self.register.persistence is not Persistence.KEPT:
            return self._after_restart(before, now, seen)
        return self._without_evidence(before, now, seen)

    def _after_restart(self, before: int, now: int, seen: RegisterCircumstances) -> RegisterStep:
        if self.register.persistence is Persistence.VOLATILE:
            return self._from_zero(before, now, seen.uptime_us if seen.uptime_us is not None else seen.elapsed_us)
        # A fast load between two saves looks like a total that rose by itself. Not to book it lost that load each time
        # (ADR 30): only a register that is known to rise (Tasmota#16791) is distrusted, and not after a soft restart.
        believable = 0 <= now - before <= self.possible(seen.elapsed_us)
        if believable and (seen.boot is Boot.SOFT or not self.register.may_rise):
            return RegisterStep(EntryKind.COUNTED, now - before, now, mark=_moved(seen.mark, now - before))
        note = f"the device restarted: it shows {now} after {before}; what it lost is not known"
        if now >= before:
            return RegisterStep(EntryKind.RESTART, 0, now, note)
        return self._fallen(RegisterStep(EntryKind.RESTART, 0, now, note, mark=_new_mark(before, seen)), now, seen)

    def _without_evidence(self, before: int, now: int, seen: RegisterCircumstances) -> RegisterStep:
        moved, possible = now - before, self.possible(seen.elapsed_us)
        # Before a plain rise: a young total that is restored lies
        # within what 23 kW can do, and was booked twice (ADR 30).
        if (former := self._restored(before, now, seen)) is not None:
            counts = max(now - former, 0)
            note = f"the register went from {before} back to its former value {former}, and shows {now}"
            mark = None if former == seen.mark else _moved(seen.mark, counts)
            return RegisterStep(EntryKind.GAP, counts, now, note, mark)
        if 0 <= moved <= possible:
            was_passing = seen.held is not None and not before <= seen.held <= now
            note = f"{seen.held} was shown meanwhile, and is not booked" if was_passing else ""
            return RegisterStep(EntryKind.COUNTED, moved, now, note, _moved(seen.mark, moved))
        # The higher value stays: what is counted from the lower one up to it was booked before.
        if -self.register.slack <= moved < 0:
            return RegisterStep(EntryKind.COUNTED, 0, before, mark=seen.mark)
        # Only where a register declares its end: after 2.9 h of
        # silence any fall of a total at 23 kW fits a wrap of 2**16 Wh.
        if moved < 0 and self.register.modulus is not None and moved + self.register.modulus <= possible:
            return RegisterStep(EntryKind.COUNTED, moved + self.register.modulus, now, "the register wrapped")
        if not self._is_confirmed(now, seen):
            return self._held(before, now, possible, seen)
        return self._accepted(before, now, possible, seen)

    def _restored(self, before: int, now: int, seen: RegisterCircumstances) -> int | None:
        """The former value at which the register is back, the highest that fits; None where it has counted so far."""
        if seen.mark is not None and self._is_restored(seen.mark, before, now, seen):
            return seen.mark
        # A cached zero, twice, soon after midnight: a day register came back to 36, and
        # 36 were booked again, for only the highest former value was tried (ADR 30).
        is_fresh, recent = seen.mark_age_us <= MARK_HOLDS_US, seen.recent
        if recent is not None and is_fresh and recent > before and self._is_restored(recent, before, now, seen):
            return recent
        return None

    def _is_restored(self, mark: int, before: int, now: int, seen: RegisterCircumstances) -> bool:
        """Whether the register is back at a former value, rather than having counted so far."""
        is_fresh, moved = seen.mark_age_us <= MARK_HOLDS_US, now - before
        if now - mark < -1 - self.register.slack:
            return False
        # Whatever fits the hour since was tried first: a leap within it became 6 kWh in a minute (ADR 30).
        hidden_us = min(seen.mark_age_us, (seen.elapsed_us or 0) + MAX_SPARE_US) if is_fresh else seen.elapsed_us
        if now - mark > self.possible(hidden_us):
            return False
        if mark < before:  # it had risen too far, and a second reading stood by that
            return is_fresh and moved < -self.register.slack
        return moved > self.possible(seen.elapsed_us) or (is_fresh and before < mark and moved > self._by_power(seen))

    def _by_power(self, seen: RegisterCircumstances) -> int:
        """The most counts that the power seen explains; less than any where power is not known."""
        if seen.milliwatts is None or seen.elapsed_us is None:
            return -1
        mwh = (seen.milliwatts * _POWER_MARGIN + _POWER_FLOOR_MW) * seen.elapsed_us / _MW_US_PER_MWH
        return int(mwh / self.register.step_mwh) + _SLACK

    def _is_confirmed(self, now: int, seen: RegisterCircumstances) -> bool:
        if self.register.is_confirmed:
            return True
        # A billing register rises too far by a wrong word order, or
        # because it is another meter: that stands by itself for ever.
        if seen.held is None or self.register.persistence is Persistence.KEPT:
            return False
        return 0 <= now - seen.held <= self.possible(seen.elapsed_us)

    def _held(self, before: int, now: int, possible: int, seen: RegisterCircumstances) -> RegisterStep:
        why = f"more than the {possible} counts that time allows" if now > before else "and nothing says why"
        until = "returns" if self.register.persistence is Persistence.KEPT else "is confirmed"
        note = f"{self.register.name} went from {before} to {now}, {why}: not booked until it {until}"
        return RegisterStep(EntryKind.COUNTED, 0, before, note, seen.mark, is_held=True)

    def _accepted(self, before: int, now: int, possible: int, seen: RegisterCircumstances) -> RegisterStep:
        """A second reading stands by a value that is not believable."""
        first = now if seen.held is None else seen.held
        if now > before:
            if seen.elapsed_us is not None and now - before <= self.possible(seen.elapsed_us + seen.spare_us):
                note = f"the register went from {before} to {now}: the reading before came late"
                return RegisterStep(EntryKind.GAP, now - before, now, note, _moved(seen.mark, now - before))
            note = f"the register went from {before} to {now}, more than the {possible} counts that time allows"
            return RegisterStep(EntryKind.GAP, 0, now, note, mark=before)
        if self.register.persistence is Persistence.VOLATILE:
            return self._from_zero(before, now, seen.elapsed_us)
        note = f"the register fell from {before} to {first}, and a second reading stands by it: assumed a restart"
        counts = now - first if now - first <= self._by_power(seen) else 0  # or a late restore stood beside it
        step = RegisterStep(EntryKind.RESTART, counts, now, note, mark=_new_mark(before, seen) + counts)
        return self._fallen(step, first, seen)

    def _fallen(self, step: RegisterStep, to: int, seen: RegisterCircumstances) -> RegisterStep:
        """The step of a fall; of a periodic register to more than it can have counted since 0, that is said."""
        if self.register.persistence is not Persistence.PERIODIC or to <= self.possible(seen.elapsed_us):
            return step
        note = f"{step.note}; {self.register.name} is declared class D, and did not begin at 0: booked as class B"
        return replace(step, note=note, is_misdeclared=True)

    def _from_zero(self, before: int, now: int, since_us: int | None) -> RegisterStep:
        if now > self.possible(since_us):
            note = f"the register began again and shows {now} after {before}, more than it can have counted since"
            return RegisterStep(EntryKind.RESTART, 0, now, note, mark=before)
        note = f"the register began again: it shows {now} after {before}"
        return RegisterStep(EntryKind.RESTART, now, now, note, mark=before + now)

    # A chip on a wire: two of three signs

    def by_signs(self, before: int, now: int, elapsed_us: int | None, *, is_reset: bool) -> RegisterStep:
        """What happened between two counts of a chip; ``is_reset``: a setting was found at its reset value."""
        possible = self.possible(elapsed_us)
        if not is_reset and 0 <= now - before <= possible:  # nearly every reading: no sign speaks against it
            return RegisterStep(EntryKind.COUNTED, now - before, now)
        forward = self.forward(before, now)
        fell, too_far = now < before, forward > possible
        if not is_reset and -self.register.slack <= self.signed(before, now) < 0:
            note = f"the counter showed {now} after {before}: an older value, not booked"
            return RegisterStep(EntryKind.COUNTED, 0, before, note)
        # MODE alone was the first rule: other programs write its reset value, and 54 kWh were booked for 6 (ADR 6).
        if fell + is_reset + too_far >= 2:
            return _chip_restarted(before, now, possible, is_reset=is_reset)
        moved = f"the counter went from {before} to {now}"
        if too_far:
            allowed = (
                "that time allows" if elapsed_us is not None else "that can be told apart when no clock spans them"
            )
            return RegisterStep(EntryKind.GAP, 0, now, f"{moved}, more than the {possible} counts {allowed}")
        if fell and elapsed_us is None:
            readings = f"it wrapped ({forward} counts) or began again ({now})"
            note = f"{moved}, and no clock says in what time: {readings}; the smaller is booked"
            return RegisterStep(EntryKind.RESTART, now, now, note)
        if is_reset:
            readings = "somebody set MODE, or the chip restarted"
            note = f"MODE was at its reset value, and {moved}: {readings}; the smaller, {forward} counts, is booked"
            return RegisterStep(EntryKind.COUNTED, forward, now, note)
        return RegisterStep(EntryKind.COUNTED, forward, now, "the counter wrapped" if fell else "")


def _chip_restarted(before: int, now: int, possible: int, *, is_reset: bool) -> RegisterStep:
    sign = "the chip restarted" if is_reset else f"the counter fell from {before} to {now}"
    if now > possible:
        if not is_reset:
            note = f"{sign}, and {now} is more than the {possible} counts that time allows"
            return RegisterStep(EntryKind.GAP, 0, now, note)
        return RegisterStep(EntryKind.RESTART, 0, now, f"{sign}; its counter shows {now}, which proves nothing")
    note = f"{sign}; its counter began again and shows {now}" if is_reset else f"{sign}: it began again"
    return RegisterStep(EntryKind.RESTART, now, now, note)


def former_count(former: int | None, before: int, now: int, kind: EntryKind, counts: int) -> int | None:
    """What a register showed before its last fall, with what was counted since; None where it never fell.

    ``former`` is that before a step or an entry, which went from one count to another and booked ``counts``.
    """
    if kind in {EntryKind.RESTART, EntryKind.GAP} and now - counts < before:
        return before + counts
    return _moved(former, counts)


def formers_after(formers: Formers, before: Observation | Entry, entry: Entry) -> Formers:
    """What both registers showed before their last fall once an entry is booked; ``before`` is where it begins."""
    if entry.kind is EntryKind.COUNTED and formers == NEVER_FELL:
        return formers
    if entry.export_count is None:
        counts = entry.positive + entry.negative + entry.undirected
        return former_count(formers[0], before.count, entry.count, entry.kind, counts), None
    return (
        former_count(formers[0], before.count, entry.count, entry.kind, entry.positive),
        former_count(formers[1], before.export_count or 0, entry.export_count, entry.kind, entry.negative),
    )


def _new_mark(before: int, seen: RegisterCircumstances) -> int:
    """The former value after a fall; of several falls within the hour the highest."""
    is_fresh = seen.mark is not None and seen.mark_age_us <= MARK_HOLDS_US
    return max(before, seen.mark or before) if is_fresh else before


def _moved(mark: int | None, counts: int) -> int | None:
    """The mark moves with what is counted: a total restored later has counted it too."""
    return None if mark is None else mark + counts
