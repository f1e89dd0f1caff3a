"""Accounts for people: registers, energy by period, bills. Energy is kWh to the milliwatt-hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from wattrail.cli.ledger.account import StoredAccount
from wattrail.cli.reading_view import FROM_TWIN
from wattrail.cli.times import local
from wattrail.ledger import (
    BEGINNING,
    Bill,
    Entry,
    EntryKind,
    EstimatedTimes,
    ImportedPart,
    Interval,
    LedgerSlice,
    Totals,
    left_in_registers,
    registers_at,
    reversals,
    unassigned,
)
from wattrail.ledger.obis import EXPORT, IMPORT, NET
from wattrail.sanitize import printable

__all__ = ["bill_text", "heading", "intervals_table", "kwh", "registers_text", "stated_text", "totals_at_end"]


def kwh(mwh: int) -> str:
    """Kilowatt-hours, exactly."""
    sign, rest = "-" if mwh < 0 else "", abs(mwh)
    return f"{sign}{rest // 1_000_000}.{rest % 1_000_000:06d}"


def heading(account: StoredAccount) -> str:
    """Whose account it is; in further lines that it is a twin's, and when its energy is estimated."""
    lines = [f"{account.meter.name}, {account.meter.url}", *([FROM_TWIN] if account.meter.simulated else [])]
    return "\n".join([*lines, *_estimate_lines(account)])


def _estimate_lines(account: StoredAccount) -> list[str]:
    spans = account.estimated_times().spans
    times = []
    for start, end in spans:
        first = "" if start == BEGINNING else f" from {local(start, account.zone)}"
        times.append(first + ("" if end is None else f" until {local(end, account.zone)}"))
    return [f"energy is estimated from power{' and'.join(times)}: the meter counts none"] if spans else []


def totals_at_end(ledger_slice: LedgerSlice) -> Totals:
    """The registers after the last entry, with all that was stated since."""
    assert ledger_slice.booked_until is not None
    last = max([ledger_slice.booked_until, *(entry.end for entry in ledger_slice.stated)])
    # Behind everything: a statement may bear a later time than the last entry.
    instant_after = last.max.replace(tzinfo=last.tzinfo)
    return registers_at(ledger_slice, [instant_after])[0].register.rounded_down()


def registers_text(account: StoredAccount, ledger_slice: LedgerSlice, outline: LedgerSlice) -> str:
    """The registers as they stand, and what they rest on."""
    totals = totals_at_end(ledger_slice)
    assert outline.began is not None
    assert ledger_slice.booked_until is not None
    rows = [
        (IMPORT.code, "import", totals.import_mwh),
        (EXPORT.code, "export", totals.export_mwh),
        (NET.code, "net", totals.net_mwh),
        ("", "undirected", totals.undirected_mwh),
    ]
    lines = [f"{code:<11} {name:<11}{kwh(mwh):>20} kWh" for code, name, mwh in rows]
    span = f"{local(outline.began, account.zone)} to {local(ledger_slice.booked_until, account.zone)}"
    count = ledger_slice.entries[-1].sequence
    lines.append(f"booked from {span} in {count} {'entry' if count == 1 else 'entries'}")
    lines += [
        f"entries from {sequence} on, {local(start, account.zone)}: {definition.url}"
        for definition, sequence, start in account.definitions()
    ]
    if left := unassigned(outline):
        lines.append(f"entries without a direction: {', '.join(map(str, left))}; wattrail ledger adjust gives them one")
    undone = reversals(ledger_slice.stated)
    for entry in ledger_slice.stated:
        mark = f" (reversed by {undone[entry.sequence].sequence})" if entry.sequence in undone else ""
        lines.append(stated_text(entry, account.zone) + mark)
    kept = left_in_registers(ledger_slice.stated, ledger_slice.epochs).rounded_down()
    if kept.import_mwh or kept.export_mwh:
        energy = f"import {kwh(kept.import_mwh)} kWh, export {kwh(kept.export_mwh)} kWh"
        lines.append(f"the registers still show what was reversed: {energy}")
    return "\n".join(lines)


def stated_text(entry: Entry, zone: tzinfo) -> str:
    """A manual entry in a line."""
    if entry.kind is EntryKind.ASSIGNED:
        what = f"{-entry.undirected} counts of entry {entry.about} given a direction"
    elif entry.kind is EntryKind.REVERSED:
        what = f"manual entry {entry.about} counts no longer"
    elif entry.is_reset:
        what = f"the register began again after entry {entry.about}"
    else:
        what = f"import {kwh(entry.import_mwh)} kWh, export {kwh(entry.export_mwh)} kWh"
    when = local(entry.stated_at or entry.end, zone)
    return f"stated {entry.sequence}, {entry.kind}: {what}; {entry.who}, {when}: {entry.note}"


def intervals_table(rows: Sequence[Interval], zone: tzinfo, estimated: EstimatedTimes) -> str:
    """A line for each period, then their sum."""
    columns = ("from", "import kWh", "export kWh", "undirected", "of it in gaps", "stated")
    lines = [_line(columns)]
    for row in rows:
        marks = ["incomplete"] * (not row.complete) + _imported_words(row.imported)
        marks += ["estimated"] * estimated.touches(row.start, row.end)
        lines.append("  ".join([_line((local(row.start, zone), *_energies(row))), *marks]))
    sums = [sum(column) for column in zip(*(_numbers(row) for row in rows), strict=True)]
    lines.append(_line(("sum", *(kwh(number) for number in sums))))
    return "\n".join(lines)


def _imported_words(part: ImportedPart | None) -> list[str]:
    """Where energy comes from that another program counted, and which direction that does not say."""
    if part is None:
        return []
    known = [
        f"{kwh(mwh)} kWh {name}" if mwh is not None else f"{name} unknown"
        for name, mwh in (("import", part.import_mwh), ("export", part.export_mwh))
    ]
    return [f"imported from {printable(', '.join(part.origins))}: {', '.join(known)}"]


def _numbers(row: Interval) -> tuple[int, int, int, int, int]:
    gaps = row.gaps.import_mwh + row.gaps.export_mwh + row.gaps.undirected_mwh
    stated = row.stated.import_mwh + row.stated.export_mwh
    return row.energy.import_mwh, row.energy.export_mwh, row.energy.undirected_mwh, gaps, stated


def _energies(row: Interval) -> tuple[str, ...]:
    return tuple(kwh(number) for number in _numbers(row))


def _line(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f"{first:<22}" + "".join(f"{cell:>16}" for cell in rest)


def bill_text(bill: Bill, zone: tzinfo) -> str:
    """One bill."""
    span = f"{bill.start.astimezone(zone):%Y-%m-%d} to {bill.end.astimezone(zone):%Y-%m-%d}"
    lines = [f"{bill.tariff}, {span} (not included), {bill.currency}"]
    for line in bill.lines:
        quantity = kwh(line.energy_mwh) if line.energy_mwh is not None else f"{line.quantity}"
        lines.append(
            f"  {line.text:<34} {line.obis:<10} {quantity:>16} {line.unit:<11} {line.price:>10} {line.amount:>12}"
        )
    lines.append(f"  {'total':<86} {bill.total:>12}")
    uncharged = bill.uncharged
    for name, mwh in (("import", uncharged.import_mwh), ("export", uncharged.export_mwh)):
        if mwh:
            lines.append(f"  not charged: {kwh(mwh)} kWh of {name}, for no one price is known for it")
    if uncharged.undirected_mwh > 0:
        lines.append(f"  not charged: {kwh(uncharged.undirected_mwh)} kWh without a direction")
    lines += [f"  no price is known from {_local(start, zone)} to {_local(end, zone)}" for start, end in bill.unpriced]
    if not bill.complete:
        lines.append("  incomplete: part of the time was not watched")
    return "\n".join(lines)


def _local(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
