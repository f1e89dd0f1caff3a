"""Proves what a database holds of a meter: the file, the chain over the rows, every entry, and a replay of all.

``wattrail ledger verify`` and the page both use it. Entries are read some thousand at a time, each part in a snapshot
of its own. Entries are never edited, so that is the same as reading them at once, and memory does not grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.ledger import VIRTUAL_SCHEME, Audit, AuditFinding, Auditor, Definition, Entry, LedgerSlice, MemberLedger
from wattrail.ledger.virtual import rederived
from wattrail.store.pages import PAGE_ROWS
from wattrail.store.read_only import StoreReader, open_to_read
from wattrail.store.rows import MeterRow

__all__ = ["VerificationProgress", "file_problems", "verify_meter"]


@dataclass(frozen=True, slots=True)
class VerificationProgress:
    """How many entries of how many are checked; ``result`` once all are."""

    done: int
    entries: int
    result: Audit | None = None


def file_problems(database: DatabaseAddress) -> tuple[AuditFinding, ...]:
    """What the database engine finds wrong with the file; takes as long as reading all of it."""
    with open_to_read(database) as reader:
        return reader.file_problems()


def verify_meter(
    database: DatabaseAddress, row: MeterRow, file: tuple[AuditFinding, ...] = ()
) -> Iterator[VerificationProgress]:
    """Check a meter; the last progress has the result. ``file`` is what is wrong with the file."""
    with open_to_read(database) as reader:
        entries = _count(reader, row)
        yield VerificationProgress(0, entries)
        try:
            proof = (*file, *reader.broken_links(row.id))
        except StoreError as error:
            proof = (*file, AuditFinding(0, "reading its rows", f"refused ({error})", "possible", name="the file"))
    try:
        auditor: Auditor | None = None
        for auditor in _audited(database, row):
            yield VerificationProgress(auditor.entries, entries)
        assert auditor is not None
        audited, derived = auditor.audit(), _not_as_derived(database, row)
    except StoreError as error:
        unread = AuditFinding(0, "reading them", f"refused ({error})", "possible", name="the ledger")
        yield VerificationProgress(entries, entries, Audit(entries=0, stated=0, findings=(*proof, unread), totals=None))
        return
    yield VerificationProgress(entries, entries, replace(audited, findings=(*proof, *audited.findings, *derived)))


def _count(reader: StoreReader, row: MeterRow) -> int:
    try:
        outline = reader.outline(row.id)
    except StoreError:
        return 0
    return outline.entries[-1].sequence if outline.entries else 0


def _audited(database: DatabaseAddress, row: MeterRow) -> Iterator[Auditor]:
    """The auditor after each part."""
    with open_to_read(database) as reader:
        outline = reader.outline(row.id)
        last = outline.entries[-1].sequence if outline.entries else 0
    auditor, number = Auditor(outline), 0
    yield auditor
    while True:
        with open_to_read(database) as reader:
            part = reader.entries_page(row.id, number, PAGE_ROWS).entries
        part = tuple(entry for entry in part if entry.sequence <= last)  # what is booked meanwhile has later epochs
        if not part:
            return
        auditor.take(part)
        number = part[-1].sequence
        yield auditor


def _not_as_derived(database: DatabaseAddress, row: MeterRow) -> tuple[AuditFinding, ...]:
    """Every entry of a virtual meter that is not what its definition makes of the members' entries."""
    if not row.url.startswith(f"{VIRTUAL_SCHEME}:"):
        return ()
    with open_to_read(database) as reader:
        known = {one.name: one.id for one in reader.meters()}
        definitions = {number: Definition.from_url(url) for number, url in reader.evidence(row.id).items()}
        names = {name for definition in definitions.values() for name in definition.members}
        if gone := sorted(names - known.keys()):
            missing = f"{', '.join(gone)} missing"
            return (AuditFinding(0, "what it is made of", missing, "in this database", name="a member"),)
        members = {name: MemberLedger(LedgerSlice(entries=(), epochs={})) for name in names}
        entries = _followed(reader, row, {known[name]: member for name, member in members.items()})
        return tuple(
            AuditFinding(entry.sequence, "its energy", _energy(*got), f"{_energy(*wanted)}, as its members booked")
            for entry, energy in rederived(entries, definitions, members)
            if (got := (entry.positive, entry.negative, entry.undirected))
            != (wanted := (energy.import_mwh, energy.export_mwh, energy.undirected_mwh))
        )


def _followed(reader: StoreReader, row: MeterRow, members: Mapping[int, MemberLedger]) -> Iterator[Entry]:
    """The entries of a virtual meter; before each part its members, by their ids, are read up to its end."""
    number = 0
    while part := reader.entries_page(row.id, number, PAGE_ROWS).entries:
        number, until = part[-1].sequence, part[-1].end
        for meter_id, member in members.items():
            while member.booked_until is None or member.booked_until <= until:
                following = reader.entries_page(meter_id, member.sequence, PAGE_ROWS)
                if not following.entries:
                    break
                member.take(following.entries, following.epochs)
        yield from part


def _energy(imported: int, exported: int, undirected: int) -> str:
    return f"import {imported}, export {exported}, undirected {undirected} mWh"
