"""Accounts for programs: JSON objects and CSV rows, each marked as simulated or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo

from wattrail.cli.ledger.account import StoredAccount
from wattrail.cli.ledger.view import kwh
from wattrail.ledger import BEGINNING, Bill, Entry, EstimatedTimes, ImportedPart, Interval, Tariff, Totals
from wattrail.ledger.obis import (
    EXPORT,
    EXPORT_IN_INTERVAL,
    IMPORT,
    IMPORT_IN_INTERVAL,
    NET,
    import_at_rate,
)
from wattrail.units import utc_text

__all__ = [
    "bill_object",
    "definitions_object",
    "estimated_objects",
    "interval_object",
    "interval_rows",
    "stated_object",
    "totals_object",
]

Row = dict[str, str | bool]


def totals_object(totals: Totals) -> dict[str, int]:
    """Energy as integers, in milliwatt-hours."""
    return asdict(totals)


def estimated_objects(times: EstimatedTimes) -> list[dict[str, object]]:
    """When energy is estimated by power; null for the beginning of the account, and for now."""
    return [
        {"start": None if start == BEGINNING else utc_text(start), "end": None if end is None else utc_text(end)}
        for start, end in times.spans
    ]


def definitions_object(account: StoredAccount) -> list[dict[str, object]]:
    """The definitions of a virtual meter; empty for any other."""
    return [
        {"first_entry": sequence, "since": start.isoformat(), "definition": definition.url}
        for definition, sequence, start in account.definitions()
    ]


def interval_object(row: Interval, *, simulated: bool, estimated: EstimatedTimes) -> dict[str, object]:
    """One period."""
    return {
        "simulated": simulated,
        "estimated": estimated.touches(row.start, row.end),
        "start": utc_text(row.start),
        "end": utc_text(row.end),
        **totals_object(row.energy),
        "gaps": totals_object(row.gaps),
        "stated": totals_object(row.stated),
        "imported": _imported_object(row.imported),
        "register": totals_object(row.register),
        "complete": row.complete,
    }


def _imported_object(part: ImportedPart | None) -> dict[str, object] | None:
    if part is None:
        return None
    return {"import_mwh": part.import_mwh, "export_mwh": part.export_mwh, "origins": list(part.origins)}


def bill_object(bill: Bill, *, simulated: bool, estimated: EstimatedTimes) -> dict[str, object]:
    """One bill; money is text, so that it stays decimal."""
    lines = [
        {
            "text": line.text, "obis": line.obis, "energy_mwh": line.energy_mwh, "quantity": str(line.quantity),
            "unit": line.unit, "price": str(line.price), "amount": str(line.amount),
        }
        for line in bill.lines
    ]  # fmt: skip
    return {
        "simulated": simulated,
        "estimated": estimated.touches(bill.start, bill.end),
        "start": utc_text(bill.start),
        "end": utc_text(bill.end),
        "tariff": bill.tariff,
        "currency": bill.currency,
        "lines": lines,
        "total": str(bill.total),
        **totals_object(bill.energy),
        "uncharged": totals_object(bill.uncharged),
        "complete": bill.complete,
        "unpriced": [{"start": utc_text(start), "end": utc_text(end)} for start, end in bill.unpriced],
    }


def stated_object(entry: Entry) -> dict[str, object]:
    """One manual entry."""
    return {
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "import_mwh": entry.import_mwh,
        "export_mwh": entry.export_mwh,
        "about": entry.about or None,
        "is_reset": entry.is_reset,
        "counts": -entry.undirected,
        "who": entry.who,
        "stated_at": utc_text(entry.stated_at or entry.end),
        "reason": entry.note,
    }


def interval_rows(
    account: StoredAccount, rows: Sequence[Interval], tariff: Tariff | None, by_rate: Sequence[dict[str, int]]
) -> Iterator[Row]:
    """Periods under OBIS codes, in kWh to the milliwatt-hour. Registers are those at the end of the row."""
    times = account.estimated_times()
    for row, rates in zip(rows, by_rate or [{}] * len(rows), strict=True):
        numbered = enumerate(tariff.rates if tariff else (), start=1)
        yield {
            "meter": account.meter.name,
            "simulated": account.meter.simulated,
            "start": _local(row.start, account.zone),
            "end": _local(row.end, account.zone),
            IMPORT.code: kwh(row.register.import_mwh),
            EXPORT.code: kwh(row.register.export_mwh),
            NET.code: kwh(row.register.net_mwh),
            **{import_at_rate(number): kwh(rates[rate]) for number, rate in numbered},
            IMPORT_IN_INTERVAL.code: kwh(row.energy.import_mwh),
            EXPORT_IN_INTERVAL.code: kwh(row.energy.export_mwh),
            "undirected": kwh(row.energy.undirected_mwh),
            "in_gaps": kwh(row.gaps.import_mwh + row.gaps.export_mwh + row.gaps.undirected_mwh),
            "stated": kwh(row.stated.import_mwh + row.stated.export_mwh),
            "complete": row.complete,
            "estimated": times.touches(row.start, row.end),
        }


def _local(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")
