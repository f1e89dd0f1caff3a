"""What the page may state about a meter's ledger: manual entries, each with the number that its preview named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wattrail.errors import LedgerError
from wattrail.ledger import EnergyDirection, Entry, LedgerSlice, Statement, StatementKind, kept_before
from wattrail.sanitize import printable
from wattrail.store import Store
from wattrail.web.gateway_calls import Action
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["ledger_actions"]


class _KeptBefore(Exception):
    """The statement is kept already."""


def ledger_actions(store: Store, now: Callable[[], datetime]) -> Mapping[str, Action]:
    """Actions by their names."""
    return {"ledger.state": lambda arguments: _state(store, now(), arguments)}


def _state(store: Store, at: datetime, arguments: Mapping[str, Any]) -> dict[str, object]:
    """Keep a manual entry under its number. The same statement under the same number is kept once."""
    name, number, statement = arguments["meter"], arguments["number"], _statement(arguments)
    row = store.meter(name)
    if row is None:
        raise RequestRefused(ProblemDetails("not-found", f"nothing is stored of a meter {printable(name, limit=64)!r}"))

    def make(ledger_slice: LedgerSlice) -> Entry:
        following = len(ledger_slice.stated) + 1
        if number == following:
            return statement.entry(ledger_slice, at)
        if kept_before(statement, ledger_slice, number) is not None:
            raise _KeptBefore
        raise RequestRefused(_overtaken(ledger_slice, number, following))

    try:
        entry = store.state(row.id, make)
    except _KeptBefore:
        return {"number": number, "is_new": False}
    except LedgerError as error:
        raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error
    return {"number": entry.sequence, "is_new": True}


def _overtaken(ledger_slice: LedgerSlice, number: int, following: int) -> ProblemDetails:
    if number > following:
        return ProblemDetails("conflict", f"the next manual entry is {following}, not {number}")
    other = ledger_slice.stated[number - 1]
    return ProblemDetails(
        "conflict", f"manual entry {number} is another one, which {other.who} stated meanwhile: {other.note}",
        "look at the preview again: the registers have changed",
    )  # fmt: skip


def _statement(arguments: Mapping[str, Any]) -> Statement:
    direction = arguments.get("direction")
    return Statement(
        kind=StatementKind(arguments["kind"]), who=arguments["who"], reason=arguments["reason"],
        import_mwh=arguments["import_mwh"], export_mwh=arguments["export_mwh"], about=arguments["about"],
        direction=EnergyDirection(direction) if direction else None,
    )  # fmt: skip
