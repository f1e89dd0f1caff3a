"""What the ledger's part of the REST interface gives: entries with their evidence, manual entries, previews, proofs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field

from wattrail.ledger import (
    Audit,
    EnergyDirection,
    Entry,
    EntryKind,
    Epoch,
    Foreseen,
    LedgerSlice,
    ResetOutlook,
    StatementKind,
    energy_of_entry,
    reversals,
)
from wattrail.sanitize import printable
from wattrail.web.energy_api import MEANING, EnergyJson

__all__ = [
    "AssignableJson",
    "EntryJson",
    "EvidenceJson",
    "Kwh",
    "LedgerJson",
    "ManualEntryJson",
    "PreviewJson",
    "PreviewPeriodJson",
    "StatementJson",
    "VerificationJson",
]

Kwh = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,12})?$", examples=["12.345"],
        description="Kilowatt-hours as text, so that they stay decimal; six decimals at most, never negative.",
    ),
]  # fmt: skip


_MEANING: Final = {**MEANING, EntryKind.COUNTED: "counted"}
"""Among all entries one that counted is the usual; among events it is there because the clock was set."""


class EvidenceJson(BaseModel):
    """What an entry rests on, as the device showed it.

    ``counter`` is what each register showed at the end, ``counter_before`` at the end of the entry before, null if that
    is not known. ``positive``, ``negative`` and ``undirected`` are counts by the device's own sign of power.
    ``elapsed_s`` is the time on a monotonic clock, null where none spans the entry. ``mode`` and ``status`` are
    registers of a metering chip; ``reset_reason``, ``boot_count`` and ``uptime_s`` are what other firmware says.
    ``estimated``: the counts are power that was added up, and ``uptime_s`` is since when.
    """

    registers: list[str]
    persistence: str
    estimated: bool
    step_wh: float
    counter: list[int]
    counter_before: list[int] | None
    positive: int
    negative: int
    undirected: int
    elapsed_s: float | None
    readings: int
    mode: int
    status: int
    was_reset: bool
    reset_reason: str
    boot_count: int | None
    uptime_s: float | None

    @classmethod
    def of(cls, entry: Entry, epoch: Epoch, before: Entry | None) -> Self:
        """The evidence of an entry of the counter."""
        boot = entry.boot
        return cls(
            registers=[register.name for register in epoch.registers],
            persistence=epoch.registers[0].persistence.value, estimated=epoch.is_estimated,
            step_wh=float(epoch.step_mwh) / 1000,
            counter=_counters(entry), counter_before=None if before is None else _counters(before),
            positive=entry.positive, negative=entry.negative, undirected=entry.undirected,
            elapsed_s=entry.elapsed_us / 1e6 if entry.elapsed_us else None, readings=entry.readings,
            mode=entry.mode, status=entry.status, was_reset=boot is not None and boot.is_reset,
            reset_reason=printable(boot.reset_reason, limit=100) if boot else "",
            boot_count=boot.boot_count if boot else None, uptime_s=boot.uptime_s if boot else None,
        )  # fmt: skip


class EntryJson(EnergyJson):
    """One entry of the counter. ``left_undirected``: counts that still have no direction."""

    number: int
    kind: EntryKind
    meaning: str
    start: datetime
    end: datetime
    epoch: int
    note: str
    left_undirected: int
    simulated: bool
    evidence: EvidenceJson

    @classmethod
    def of_entry(
        cls, entry: Entry, ledger_slice: LedgerSlice, left: dict[int, int], before: Entry | None, *, simulated: bool
    ) -> Self:
        """An entry; ``left`` are counts without a direction, by number."""
        epoch = ledger_slice.epochs[entry.epoch]
        energy = energy_of_entry(entry, ledger_slice.epochs).rounded_down()
        return cls(
            **EnergyJson.of(energy).model_dump(), number=entry.sequence, kind=entry.kind, meaning=_MEANING[entry.kind],
            start=entry.start, end=entry.end, epoch=entry.epoch, note=entry.note,
            left_undirected=left.get(entry.sequence, 0), simulated=simulated,
            evidence=EvidenceJson.of(entry, epoch, before),
        )  # fmt: skip


class ManualEntryJson(EnergyJson):
    """One manual entry. ``at`` is where its energy counts, ``about`` the entry that it concerns, if any.

    ``reversed_by`` is the manual entry that reverses it; ``is_reversible`` says whether it still can be.
    """

    number: int
    kind: StatementKind
    at: datetime
    stated_at: datetime
    who: str
    reason: str
    about: int | None
    reversed_by: int | None
    is_reversible: bool
    simulated: bool

    @classmethod
    def of_entry(cls, entry: Entry, ledger_slice: LedgerSlice, *, simulated: bool) -> Self:
        """A manual entry."""
        by = reversals(ledger_slice.stated).get(entry.sequence)
        kind = _kind(entry)
        return cls(
            **EnergyJson.of(energy_of_entry(entry, ledger_slice.epochs).rounded_down()).model_dump(),
            number=entry.sequence, kind=kind, at=entry.end, stated_at=entry.stated_at or entry.end, who=entry.who,
            reason=entry.note, about=entry.about or None, reversed_by=by.sequence if by else None,
            is_reversible=by is None and kind not in {StatementKind.REVERSAL, StatementKind.RESET},
            simulated=simulated,
        )  # fmt: skip


class AssignableJson(EnergyJson):
    """An entry of the counter whose energy, or a part of it, has no direction yet."""

    number: int
    start: datetime
    end: datetime


class LedgerJson(BaseModel):
    """The ledger of a meter at a glance. Energy of ``registers`` includes what was reversed, which is ``left``.

    ``next_number`` is that of the next manual entry. ``assignable`` are entries without a direction. ``may_reset``: a
    reset can be stated; else ``no_reset`` says why not. ``manual`` has the newest first. ``estimated``: some of it is
    estimated by power.
    """

    name: str
    simulated: bool
    estimated: bool
    entries: int
    began: datetime | None
    booked_until: datetime | None
    registers: EnergyJson
    left: EnergyJson
    next_number: int
    has_opening: bool
    assignable: list[AssignableJson]
    may_reset: bool
    no_reset: str | None
    manual: list[ManualEntryJson]


class StatementJson(BaseModel):
    """What is to be stated under a ``number``, which a preview gave: sent twice, it is kept once.

    ``about`` is the entry that gets a direction, or the manual entry that is reversed. ``who`` is taken from this
    machine only; users and tokens state under their own names.
    """

    number: int = Field(ge=1, le=2**31)
    kind: StatementKind
    import_kwh: Kwh = "0"
    export_kwh: Kwh = "0"
    about: int = Field(default=0, ge=0, le=2**53)
    direction: EnergyDirection | None = None
    reason: str = Field(min_length=1, max_length=500)
    who: str = Field(default="", max_length=100)


class PreviewPeriodJson(BaseModel):
    """The energy of a local day or month, before and after."""

    by: Literal["day", "month"]
    label: str
    before: EnergyJson
    after: EnergyJson


class ResetRegisterJson(BaseModel):
    """A register after a reset: booked up to here, and counting goes on from there; null: from what is shown next."""

    name: str
    booked_wh: float
    goes_on_from_wh: float | None

    @classmethod
    def of(cls, outlook: ResetOutlook) -> Self:
        """What follows for one register."""
        mwh = outlook.goes_on_from_mwh
        return cls(
            name=outlook.register, booked_wh=outlook.booked_mwh / 1000,
            goes_on_from_wh=None if mwh is None else mwh / 1000,
        )  # fmt: skip


class PreviewJson(BaseModel):
    """What would be kept, and the registers and periods before and after. Nothing is written."""

    number: int
    simulated: bool
    entry: ManualEntryJson
    before: EnergyJson
    after: EnergyJson
    left_before: EnergyJson
    left_after: EnergyJson
    periods: list[PreviewPeriodJson]
    reset: list[ResetRegisterJson]

    @classmethod
    def figures(cls, before: Foreseen, after: Foreseen) -> dict[str, EnergyJson]:
        """The registers on both sides."""
        return {
            "before": EnergyJson.of(before.registers), "after": EnergyJson.of(after.registers),
            "left_before": EnergyJson.of(before.left), "left_after": EnergyJson.of(after.left),
        }  # fmt: skip


class VerificationFindingJson(BaseModel):
    """One thing that differs."""

    number: int
    manual: bool
    text: str


class VerificationJson(BaseModel):
    """A verification: ``running`` with how far it is, ``done`` with what was found, ``failed``, or ``none`` yet."""

    name: str
    simulated: bool
    state: Literal["none", "running", "done", "failed"]
    done: int = 0
    entries: int = 0
    manual: int = 0
    at: datetime | None = None
    registers: EnergyJson | None = None
    findings: list[VerificationFindingJson] = []
    more_findings: int = 0
    error: str | None = None

    def finished(self, audit: Audit, at: datetime, *, limit: int) -> VerificationJson:
        """This one with its result."""
        shown = [
            VerificationFindingJson(number=one.sequence, manual=one.stated, text=str(one))
            for one in audit.findings[:limit]
        ]
        return self.model_copy(update={
            "state": "done", "done": audit.entries, "entries": audit.entries, "manual": audit.stated, "at": at,
            "registers": EnergyJson.of(audit.totals) if audit.totals else None, "findings": shown,
            "more_findings": max(0, len(audit.findings) - limit),
        })  # fmt: skip


def _counters(entry: Entry) -> list[int]:
    return [entry.count, *([] if entry.export_count is None else [entry.export_count])]


def _kind(entry: Entry) -> StatementKind:
    if entry.is_reset:
        return StatementKind.RESET
    return {
        EntryKind.OPENING: StatementKind.OPENING, EntryKind.ADJUSTED: StatementKind.ADJUSTMENT,
        EntryKind.ASSIGNED: StatementKind.DIRECTION, EntryKind.REVERSED: StatementKind.REVERSAL,
    }[entry.kind]  # fmt: skip
