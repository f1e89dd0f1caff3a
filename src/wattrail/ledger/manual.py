"""Entries that a person states: an opening, an adjustment, a direction for a gap, a reset of the register, a reversal.

They are made here and nowhere else, so that no register can fall: energy is only ever added, a direction is only given
to counts that have none, and what is reversed stays in the registers.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from wattrail.energy_register import MWH_PER_KWH, Persistence
from wattrail.errors import LedgerError
from wattrail.ledger.entries import BEGINNING, STATED, Entry, EntryKind
from wattrail.ledger.ledger_slice import LedgerSlice
from wattrail.ledger.reversals import reversals

__all__ = [
    "EnergyDirection",
    "StatedEntries",
    "adjustment",
    "assignment",
    "milliwatt_hours",
    "opening",
    "reset",
    "reversal",
    "unassigned",
]

_MAX_KWH = 10**9
"""More than any display of eight digits shows, and far less than an integer in the database holds."""

_NEVER_FALL = (
    "registers never fall, as what was shown may have been billed or published: reverse the manual entry that was "
    "wrong, or begin a new account (another name for the meter) with an opening"
)


class EnergyDirection(StrEnum):
    """Which register."""

    IMPORT = "import"
    EXPORT = "export"


def milliwatt_hours(kwh: Decimal) -> int:
    """Kilowatt-hours as whole milliwatt-hours, exactly. Raises LedgerError for what is none, too fine or too large."""
    if not kwh.is_finite() or abs(kwh) > _MAX_KWH:
        raise LedgerError(f"{kwh} is not an energy in kWh that a meter could show")
    mwh = kwh.scaleb(6)
    if mwh != mwh.to_integral_value():
        raise LedgerError(f"{kwh} kWh is finer than a milliwatt-hour", hint="give six decimals at most")
    return int(mwh)


def opening(
    ledger_slice: LedgerSlice, *, import_mwh: int, export_mwh: int, at: datetime, who: str, reason: str
) -> Entry:
    """What an older meter showed when this one took over. LedgerError if there is an opening, or no reading yet."""
    undone = reversals(ledger_slice.stated)
    for entry in ledger_slice.stated:
        if entry.kind is EntryKind.OPENING and entry.sequence not in undone:
            raise LedgerError(
                "the account has an opening, and an entry is never edited",
                hint=f"reverse manual entry {entry.sequence}, then state the opening as it was",
            )
    _refuse_fall(import_mwh, export_mwh)
    began = _began(ledger_slice)
    return _stated(
        ledger_slice, EntryKind.OPENING, BEGINNING, began,
        import_mwh=import_mwh, export_mwh=export_mwh, at=at, who=who, reason=reason,
    )  # fmt: skip


def adjustment(
    ledger_slice: LedgerSlice, *, import_mwh: int, export_mwh: int, at: datetime, who: str, reason: str
) -> Entry:
    """Energy that belongs to the account and was never counted. Raises LedgerError where a register would fall."""
    if import_mwh == export_mwh == 0:
        raise LedgerError("an adjustment of nothing", hint="state the import, the export, or both")
    _refuse_fall(import_mwh, export_mwh)
    moment = _moment(ledger_slice, at)
    return _stated(
        ledger_slice, EntryKind.ADJUSTED, moment, moment,
        import_mwh=import_mwh, export_mwh=export_mwh, at=at, who=who, reason=reason,
    )  # fmt: skip


def assignment(
    ledger_slice: LedgerSlice,
    about: int,
    direction: EnergyDirection,
    *,
    at: datetime,
    who: str,
    reason: str,
    counts: int | None = None,
) -> Entry:
    """A direction for counts of the entry ``about`` that have none; for all of them if ``counts`` is None.

    Raises LedgerError if that entry has no such counts, or fewer.
    """
    left = unassigned(ledger_slice)
    counts = left.get(about, 0) if counts is None else counts
    gap = ledger_slice.entry(about)
    if gap is None or not 0 < counts <= left.get(about, 0):
        known = ", ".join(f"{sequence} ({rest} counts)" for sequence, rest in left.items()) or "none"
        raise LedgerError(
            f"entry {about} has {left.get(about, 0)} counts without a direction", hint=f"entries that have: {known}"
        )
    positive = (direction is EnergyDirection.IMPORT) != ledger_slice.epochs[gap.epoch].inverted
    moment = max(_moment(ledger_slice, at), gap.end)
    return _stated(
        ledger_slice, EntryKind.ASSIGNED, moment, moment, about=about, epoch=gap.epoch,
        positive=counts if positive else 0, negative=0 if positive else counts, undirected=-counts,
        at=at, who=who, reason=reason,
    )  # fmt: skip


def reset(ledger_slice: LedgerSlice, *, at: datetime, who: str, reason: str) -> Entry:
    """That the register was reset, or the meter exchanged: it adds nothing, and an epoch begins that no count crosses.

    Raises LedgerError for a register whose falls are booked without a person, and where one was stated already.
    """
    _began(ledger_slice)
    last = ledger_slice.entries[-1]
    registers = ledger_slice.epochs[last.epoch].registers
    if all(register.persistence is not Persistence.KEPT for register in registers):
        raise LedgerError(
            f"register {registers[0].name} is of class {registers[0].persistence.value}: when it begins again, that is "
            "booked without a person",
            hint="a reset is stated for registers of class A only, which hold their value over a power cut",
        )
    if waiting := next((one for one in ledger_slice.stated if one.is_reset and one.epoch == last.epoch), None):
        raise LedgerError(
            f"manual entry {waiting.sequence} states a reset already, and no reading was booked since",
            hint="the gateway takes it up with the next reading; start it if it does not run",
        )
    moment = _moment(ledger_slice, at)
    return _stated(ledger_slice, EntryKind.ADJUSTED, moment, moment, about=last.sequence, at=at, who=who, reason=reason)


def reversal(ledger_slice: LedgerSlice, number: int, *, at: datetime, who: str, reason: str) -> Entry:
    """That a manual entry was wrong: its numbers with the other sign, at its time. No register falls for it.

    Raises LedgerError for one that is not there, is reversed already, states a reset, or is itself a reversal.
    """
    wrong = next((entry for entry in ledger_slice.stated if entry.sequence == number), None)
    if wrong is None:
        known = f"1 to {len(ledger_slice.stated)}" if ledger_slice.stated else "none"
        raise LedgerError(f"there is no manual entry {number}", hint=f"manual entries: {known}")
    if wrong.kind is EntryKind.REVERSED:
        raise LedgerError(
            f"manual entry {number} is a reversal itself",
            hint=f"what manual entry {wrong.about} said can be stated again",
        )
    if (earlier := reversals(ledger_slice.stated).get(number)) is not None:
        raise LedgerError(
            f"manual entry {number} is reversed already, by manual entry {earlier.sequence}",
            hint="state what is right as an entry of its own",
        )
    if wrong.is_reset:
        raise LedgerError(
            f"manual entry {number} states a reset: counting goes on from another value since, and cannot go back",
            hint="state energy that is missing as an adjustment",
        )
    return _stated(
        ledger_slice, EntryKind.REVERSED, wrong.start, wrong.end, about=number, epoch=wrong.epoch,
        positive=-wrong.positive, negative=-wrong.negative, undirected=-wrong.undirected,
        import_mwh=-wrong.import_mwh, export_mwh=-wrong.export_mwh, at=at, who=who, reason=reason,
    )  # fmt: skip


def unassigned(ledger_slice: LedgerSlice) -> dict[int, int]:
    """Counts that still have no direction, by the number of the entry that booked them."""
    left = {entry.sequence: entry.undirected for entry in ledger_slice.entries if entry.undirected}
    gaps: dict[int, int] = {}
    for entry in ledger_slice.stated:
        gap = gaps.get(entry.about) if entry.kind is EntryKind.REVERSED else entry.about
        if entry.undirected and gap is not None:  # a reversal of nothing is named by the audit
            gaps[entry.sequence] = gap
            left[gap] = left.get(gap, 0) + entry.undirected
    return {sequence: counts for sequence, counts in left.items() if counts}


class StatedEntries:
    """What people stated about one account, and the last reset among it. Grows by one entry at a time."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._reset: Entry | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, oldest first."""
        return tuple(self._entries)

    def take(self, entry: Entry, epochs: Collection[int]) -> None:
        """Take up the next one. Raises LedgerError if it does not follow, or belongs to none of these epochs."""
        if entry.kind not in STATED:
            raise LedgerError(f"entry {entry.sequence} is {entry.kind}, which only a reading causes")
        if entry.sequence != len(self) + 1:
            raise LedgerError(f"manual entry {entry.sequence} follows {len(self)}: one is missing or doubled")
        if entry.kind is EntryKind.REVERSED and not 0 < entry.about <= len(self):
            raise LedgerError(f"manual entry {entry.sequence} reverses {entry.about}, which does not come before it")
        if entry.epoch not in epochs:
            raise LedgerError(f"manual entry {entry.sequence} belongs to epoch {entry.epoch}, which is not known")
        self._entries.append(entry)
        self._reset = entry if entry.is_reset else self._reset

    def reset_in(self, epoch: int) -> Entry | None:
        """The last reset that was stated, if it was in this epoch."""
        return self._reset if self._reset is not None and self._reset.epoch == epoch else None


def _refuse_fall(import_mwh: int, export_mwh: int) -> None:
    for direction, mwh in ((EnergyDirection.IMPORT, import_mwh), (EnergyDirection.EXPORT, export_mwh)):
        if mwh < 0:
            raise LedgerError(f"the {direction} register would fall by {_kwh(-mwh)} kWh", hint=_NEVER_FALL)


def _began(ledger_slice: LedgerSlice) -> datetime:
    if ledger_slice.began is None:
        raise LedgerError("the meter was never read", hint="an account begins with its first reading: wattrail run")
    return ledger_slice.began


def _moment(ledger_slice: LedgerSlice, at: datetime) -> datetime:
    """When it is booked: now, but never before the account, or before what was stated last."""
    return max([at, _began(ledger_slice), *(entry.end for entry in ledger_slice.stated)])


def _stated(
    ledger_slice: LedgerSlice, kind: EntryKind, start: datetime, end: datetime, *, at: datetime, who: str, reason: str,
    import_mwh: int = 0, export_mwh: int = 0, about: int = 0, epoch: int | None = None,
    positive: int = 0, negative: int = 0, undirected: int = 0,
) -> Entry:  # fmt: skip
    if not reason.strip():
        raise LedgerError("no reason was given", hint="say why: whoever reads the account later will ask")
    return Entry(
        sequence=len(ledger_slice.stated) + 1, kind=kind, start=start, end=end, count=0,
        epoch=ledger_slice.entries[-1].epoch if epoch is None else epoch,
        positive=positive, negative=negative, undirected=undirected,
        import_mwh=import_mwh, export_mwh=export_mwh, about=about, who=who, stated_at=at, note=reason.strip(),
    )  # fmt: skip


def _kwh(mwh: int) -> Decimal:
    return Decimal(mwh) / MWH_PER_KWH
