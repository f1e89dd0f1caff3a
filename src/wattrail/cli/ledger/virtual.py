"""What is special about the account of a virtual meter: its definitions, and that it can be derived again."""

from __future__ import annotations

from datetime import datetime

from wattrail.cli.ledger.account import StoredAccount
from wattrail.cli.ledger.zone import local
from wattrail.ledger import VIRTUAL_SCHEME, AuditFinding, Definition, LedgerSlice, MemberLedger
from wattrail.ledger.virtual import rederived

__all__ = ["definition_lines", "definitions_object", "not_as_derived"]


def definition_lines(account: StoredAccount) -> list[str]:
    """A line for each definition, with the entries that follow it; none for any other meter."""
    return [
        f"entries from {sequence} on, {local(start, account.zone)}: {definition.url}"
        for definition, sequence, start in _definitions(account)
    ]


def definitions_object(account: StoredAccount) -> list[dict[str, object]]:
    """The same for JSON; empty for any other meter."""
    return [
        {"first_entry": sequence, "since": start.isoformat(), "definition": definition.url}
        for definition, sequence, start in _definitions(account)
    ]


def not_as_derived(account: StoredAccount, ledger_slice: LedgerSlice) -> tuple[AuditFinding, ...]:
    """Every entry that is not what its definition makes of the members' entries."""
    if not _is_virtual(account):
        return ()
    known = {row.name: row.id for row in account.reader.meters()}
    evidence = account.reader.evidence(account.meter.id)
    definitions = {number: Definition.from_url(url) for number, url in evidence.items()}
    names = {name for definition in definitions.values() for name in definition.members}
    if gone := sorted(names - known.keys()):
        return (
            AuditFinding(0, "what it is made of", f"{', '.join(gone)} missing", "in this database", name="a member"),
        )
    members = {name: MemberLedger(account.reader.ledger_slice(known[name])) for name in names}
    return tuple(
        AuditFinding(entry.sequence, "its energy", _energy(*got), f"{_energy(*wanted)}, as its members booked")
        for entry, energy in rederived(ledger_slice.entries, definitions, members)
        if (got := (entry.positive, entry.negative, entry.undirected))
        != (wanted := (energy.import_mwh, energy.export_mwh, energy.undirected_mwh))
    )


def _definitions(account: StoredAccount) -> list[tuple[Definition, int, datetime]]:
    if not _is_virtual(account):
        return []
    evidence = account.reader.evidence(account.meter.id)
    first = account.reader.first_of_epochs(account.meter.id)
    return [(Definition.from_url(evidence[number]), *begins) for number, begins in first.items()]


def _is_virtual(account: StoredAccount) -> bool:
    return account.meter.url.startswith(f"{VIRTUAL_SCHEME}:")


def _energy(imported: int, exported: int, undirected: int) -> str:
    return f"import {imported}, export {exported}, undirected {undirected} mWh"
