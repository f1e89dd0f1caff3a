"""What is special about the account of a virtual meter: its definitions."""

from __future__ import annotations

from datetime import datetime

from wattrail.cli.ledger.account import StoredAccount
from wattrail.cli.times import local
from wattrail.ledger import VIRTUAL_SCHEME, Definition

__all__ = ["definition_lines", "definitions_object"]


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


def _definitions(account: StoredAccount) -> list[tuple[Definition, int, datetime]]:
    if not _is_virtual(account):
        return []
    evidence = account.reader.evidence(account.meter.id)
    first = account.reader.first_of_epochs(account.meter.id)
    return [(Definition.from_url(evidence[number]), *begins) for number, begins in first.items()]


def _is_virtual(account: StoredAccount) -> bool:
    return account.meter.url.startswith(f"{VIRTUAL_SCHEME}:")
