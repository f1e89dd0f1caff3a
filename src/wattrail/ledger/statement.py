"""What a person wants to state, before it is an entry: the same for the command line and the page.

A statement makes its entry of the ledger as it stands, shows what the registers and some periods would be, and can tell
whether the entry with a number is the one that it made before. That number makes a statement safe to send twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from wattrail.errors import LedgerError
from wattrail.ledger.entries import THE_END, Entry, Totals
from wattrail.ledger.intervals import Interval, by_interval
from wattrail.ledger.ledger import Ledger
from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.manual import EnergyDirection, adjustment, assignment, opening, reset, reversal
from wattrail.ledger.register_at import registers_at

__all__ = ["Foreseen", "ResetOutlook", "Statement", "StatementKind", "foresee", "kept_before", "reset_outlook"]


class StatementKind(StrEnum):
    """What is stated."""

    OPENING = "opening"
    ADJUSTMENT = "adjustment"
    DIRECTION = "direction"
    RESET = "reset"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of one kind, with who makes it and why.

    Energy in milliwatt-hours is that of an opening or an adjustment. ``about`` is the entry of the counter that gets a
    ``direction``, or the manual entry that is reversed.
    """

    kind: StatementKind
    who: str
    reason: str
    import_mwh: int = 0
    export_mwh: int = 0
    about: int = 0
    direction: EnergyDirection | None = None

    def entry(self, ledger_slice: LedgerSlice, at: datetime) -> Entry:
        """The entry of the ledger as it stands. Raises LedgerError for what must not be stated."""
        match self.kind:
            case StatementKind.OPENING | StatementKind.ADJUSTMENT:
                make = opening if self.kind is StatementKind.OPENING else adjustment
                return make(
                    ledger_slice, import_mwh=self.import_mwh, export_mwh=self.export_mwh,
                    at=at, who=self.who, reason=self.reason,
                )  # fmt: skip
            case StatementKind.DIRECTION:
                if self.direction is None:
                    raise LedgerError("no direction was given", hint="say import or export")
                return assignment(ledger_slice, self.about, self.direction, at=at, who=self.who, reason=self.reason)
            case StatementKind.RESET:
                return reset(ledger_slice, at=at, who=self.who, reason=self.reason)
            case StatementKind.REVERSAL:
                return reversal(ledger_slice, self.about, at=at, who=self.who, reason=self.reason)


def kept_before(statement: Statement, ledger_slice: LedgerSlice, number: int) -> Entry | None:
    """The manual entry ``number`` if it is this very statement, sent once more; None if it is another one."""
    if not 0 < number <= len(ledger_slice.stated):
        return None
    kept = ledger_slice.stated[number - 1]
    former = replace(ledger_slice, stated=ledger_slice.stated[: number - 1])
    try:
        made = statement.entry(former, kept.stated_at or kept.end)
    except LedgerError:
        return None
    if made.is_reset and kept.is_reset:  # it names the entry that was the last one then
        made = replace(made, about=kept.about)
    return kept if replace(made, start=kept.start, end=kept.end, epoch=kept.epoch) == kept else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Registers, what reversed entries left in them, and the energy of periods, before an entry or after it."""

    registers: Totals
    left: Totals
    periods: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class ResetOutlook:
    """One register of a meter that was reset: up to what it is booked, and from where counting goes on, in mWh.

    ``goes_on_from_mwh`` is None where no reading waits: then it is what the meter shows next.
    """

    register: str
    booked_mwh: int
    goes_on_from_mwh: int | None


def reset_outlook(ledger: Ledger) -> tuple[ResetOutlook, ...]:
    """What follows for each register if a reset is stated now."""
    shown = zip(ledger.epoch.registers, ledger.shown or (), ledger.held or (None,) * 2, strict=False)
    return tuple(
        ResetOutlook(
            register.name, int(register.milliwatt_hours(before)),
            None if held is None else int(register.milliwatt_hours(held)),
        )
        for register, before, held in shown
    )  # fmt: skip


def foresee(ledger_slice: LedgerSlice, moments: Sequence[datetime], entry: Entry | None = None) -> Foreseen:
    """What is shown once ``entry`` is kept; without one, what is shown now. ``moments`` bound the periods."""
    if entry is not None:
        ledger_slice = replace(ledger_slice, stated=(*ledger_slice.stated, entry))
    (point,) = registers_at(ledger_slice, [THE_END])
    return Foreseen(
        registers=point.register.rounded_down(), left=point.left.rounded_down(),
        periods=by_interval(ledger_slice, moments),
    )  # fmt: skip
