"""The ledger of one meter: everything its registers follow from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Final, NamedTuple, Self, TypeVar

from wattrail.errors import LedgerError
from wattrail.ledger.entries import BEGINNING, STATED, Entry, EntryKind, Epoch, Totals

__all__ = ["DAMAGED", "ByEpoch", "Counts", "Energy", "LedgerSlice", "in_order", "require_tail"]


class Counts(NamedTuple):
    """Counts by the chip's own sign of power, and those whose direction nothing proves."""

    positive: int
    negative: int
    undirected: int


DAMAGED: Final = "the ledger is damaged: wattrail ledger verify names every entry that cannot be"
"""The remedy where entries contradict each other, which no gateway writes."""

_Value = TypeVar("_Value")

_NONE: Final = Fraction(0)
"""Most counts of most meters are 0: fractions are neither multiplied nor added for them, which is asked each second."""


class Energy(NamedTuple):
    """Exact energy in milliwatt-hours, before anything is rounded."""

    import_: Fraction = _NONE
    export: Fraction = _NONE
    undirected: Fraction = _NONE

    @classmethod
    def of(cls, counts: Counts | Entry, epoch: Epoch) -> Self:
        """Energy of counts in the epoch they belong to."""
        positive, negative, undirected = (
            epoch.milliwatt_hours(count) if count else _NONE
            for count in (counts.positive, counts.negative, counts.undirected)
        )
        return cls(negative, positive, undirected) if epoch.inverted else cls(positive, negative, undirected)

    def plus(self, other: Energy, share: Fraction | int = 1) -> Energy:
        """The sum with another, or with a share of it."""
        return Energy(*(
            own if added is _NONE else own + (added if share == 1 else added * share)
            for own, added in zip(self, other, strict=True)
        ))  # fmt: skip

    def less(self, other: Energy) -> Energy:
        """The difference."""
        return self.plus(other, -1)

    def rounded_down(self) -> Totals:
        """Registers in whole milliwatt-hours."""
        return Totals(self.import_.__floor__(), self.export.__floor__(), self.undirected.__floor__())


class ByEpoch(dict[int, _Value]):
    """Something of each epoch by its number. One that is not there is a LedgerError, which says what is damaged."""

    def __missing__(self, number: int) -> _Value:
        raise LedgerError(f"an entry belongs to epoch {number}, which is not known", hint=DAMAGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSlice:
    """Entries of the counter and manual entries, each oldest first, with the epochs they belong to.

    ``before`` are counts, by epoch, of entries older than the first one here: a ledger need not be read whole to know
    what the registers show.
    """

    entries: tuple[Entry, ...]
    epochs: Mapping[int, Epoch]
    stated: tuple[Entry, ...] = ()
    before: Mapping[int, Counts] = field(default_factory=dict)
    began: datetime | None = field(init=False, repr=False, compare=False)
    """The earliest start of an entry; None if there is none. Not always the first one's: a clock can be ahead."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", ByEpoch(self.epochs))
        object.__setattr__(self, "began", min((entry.start for entry in self.entries), default=None))

    @classmethod
    def of(cls, entries: Iterable[Entry], epochs: Mapping[int, Epoch]) -> LedgerSlice:
        """A whole ledger; manual entries may stand anywhere among the others, in their own order."""
        counted, stated = list[Entry](), list[Entry]()
        for entry in entries:
            (stated if entry.kind in STATED else counted).append(entry)
        return cls(entries=tuple(counted), epochs=epochs, stated=tuple(stated))

    @property
    def booked_until(self) -> datetime | None:
        """End of the last entry; None if there is none."""
        return self.entries[-1].end if self.entries else None

    def epoch_of(self, entry: Entry) -> Epoch:
        """The epoch that an entry belongs to. Raises LedgerError for one that is not known."""
        if entry.epoch not in self.epochs:
            raise LedgerError(
                f"entry {entry.sequence} belongs to epoch {entry.epoch}, which is not known", hint=DAMAGED
            )
        return self.epochs[entry.epoch]

    def earliest(self, entry: Entry) -> datetime:
        """The earliest moment at which energy of one of these entries can have flowed; ``entry.end`` is the latest.

        Raises LedgerError for a reversal of what does not come before it.
        """
        if entry.kind is EntryKind.REVERSED:
            return self.earliest(self._reversed_by(entry))
        if entry.kind is EntryKind.ASSIGNED:
            gap = self.entry(entry.about)
            return BEGINNING if gap is None else gap.start
        return (self.began or BEGINNING) if entry.kind is EntryKind.ADJUSTED else entry.start

    def _reversed_by(self, entry: Entry) -> Entry:
        if 0 < entry.about < entry.sequence:  # one that reverses itself would be asked for its time without an end
            for wrong in self.stated:
                if wrong.sequence == entry.about:
                    return wrong
        raise LedgerError(
            f"manual entry {entry.sequence} reverses {entry.about}, which does not come before it", hint=DAMAGED
        )

    def entry(self, sequence: int) -> Entry | None:
        """The entry of the counter with that number, if it is among these."""
        place = sequence - self.entries[0].sequence if self.entries else -1
        if 0 <= place < len(self.entries) and self.entries[place].sequence == sequence:
            return self.entries[place]
        return next((entry for entry in self.entries if entry.sequence == sequence), None)  # not all are here


def in_order(entries: Iterable[Entry], sequence: int, until: datetime | None) -> Iterator[Entry]:
    """The same entries, each of which follows the one before. Raises LedgerError at the first that does not.

    The first of them comes after the entry with number ``sequence``, which ended at ``until`` (None: there is none).
    """
    for entry in entries:
        if entry.sequence != sequence + 1:
            raise LedgerError(f"entry {entry.sequence} follows entry {sequence}: one is missing or doubled")
        # Only a clock that was set may break the row; anything else is an entry that is missing or was changed.
        if entry.start != until and until is not None and entry.kind is not EntryKind.CLOCK:
            raise LedgerError(f"entry {entry.sequence} starts at {entry.start}, the one before ends at {until}")
        yield entry
        sequence, until = entry.sequence, entry.end


def require_tail(entries: Sequence[Entry], last: int) -> None:
    """Raises LedgerError unless these are the entries up to number ``last``, without a gap."""
    if entries and (entries[-1].sequence, len(entries)) != (last, last - entries[0].sequence + 1):
        raise LedgerError(
            f"the tail ends at entry {entries[-1].sequence} or has a hole; the last entry is {last}",
            hint="give every entry from the first wanted to the last one written",
        )
