"""A report as text, as HTML and as an object for JSON, all from the same report. Simulated energy says so in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from html import escape

from wattrail.energy_register import MWH_PER_KWH
from wattrail.ledger import By, Interval, Totals
from wattrail.publish.report import EnergyReport
from wattrail.units import utc_text

__all__ = ["as_html", "as_html_note", "as_html_page", "as_html_part", "as_object", "as_text", "simulated_mark", "title"]


def simulated_mark(simulated: bool) -> str:
    """What stands before everything that a person reads of a twin."""
    return "[simulated] " if simulated else ""


def title(report: EnergyReport) -> str:
    """Whose energy in which day or month; the subject of a message."""
    start = report.period.start.astimezone(report.meter.zone)
    when = f"{start:%Y-%m}" if report.by is By.MONTH else f"{start:%Y-%m-%d}"
    return f"{simulated_mark(report.meter.simulated)}{report.meter.name}: energy of {when}"


def as_text(report: EnergyReport) -> str:
    """A line for each fact."""
    return "\n".join([title(report), *(f"{label:<14}{value}" for label, value in _rows(report))])


def as_html(report: EnergyReport, *notes: str) -> str:
    """A page with a heading, a table and notes that are HTML already; no script, no style, nothing to load."""
    return as_html_page(title(report), [as_html_part(report), *notes])


def as_html_part(report: EnergyReport) -> str:
    """The heading and the table of a report, to stand in a page beside others."""
    rows = "".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in _rows(report))
    return f"<h1>{escape(title(report))}</h1><table>{rows}</table>"


def as_html_note(text: str) -> str:
    """A note as a paragraph, to stand below a table; its lines stay lines."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"


def as_html_page(name: str, parts: Sequence[str]) -> str:
    """A page of parts that are HTML already."""
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title></head>'
    return f"{head}\n<body>{''.join(parts)}</body></html>\n"


def as_object(report: EnergyReport) -> dict[str, object]:
    """Energy as integers in milliwatt-hours, money as text, times in UTC; null for what is not known."""
    peak, bill = report.peak, report.bill
    return {
        "meter": report.meter.name,
        "simulated": report.meter.simulated,
        "estimated": report.is_estimated,
        "period": report.by.value,
        **_interval(report.period),
        "before": _interval(report.before) if report.before else None,
        "peak": {"start": utc_text(peak.start), "watts": str(peak.watts)} if peak else None,
        "gaps": report.gaps,
        "restarts": report.restarts,
        "cost": {"total": str(bill.total), "currency": bill.currency, "complete": bill.complete} if bill else None,
    }


def _rows(report: EnergyReport) -> Iterator[tuple[str, str]]:
    energy = report.period.energy
    before = report.before.energy if report.before else None
    yield "import", _compared(energy.import_mwh, before.import_mwh if before else None, report)
    yield "export", _compared(energy.export_mwh, before.export_mwh if before else None, report)
    if energy.undirected_mwh:
        yield "no direction", f"{_kwh(energy.undirected_mwh)} kWh"
    if report.peak:
        local = report.peak.start.astimezone(report.meter.zone)
        yield "peak", f"{report.peak.watts:.0f} W, mean of the quarter hour from {local:%Y-%m-%d %H:%M%z}"
    else:
        yield "peak", "unknown: no quarter hour with import was watched from end to end"
    yield "gaps", f"{report.gaps}, with {_kwh(_sum(report.period.gaps))} kWh"
    yield "restarts", str(report.restarts)
    if report.bill:
        yield "cost", f"{report.bill.total} {report.bill.currency}"
        if left := _sum(report.bill.uncharged):
            yield "not charged", f"{_kwh(left)} kWh"
    if report.is_estimated:
        yield "estimated", "from power: the meter counts no energy, and that of gaps is not known"
    if not report.period.complete:
        yield "incomplete", "part of the time was not watched"


def _compared(mwh: int, before: int | None, report: EnergyReport) -> str:
    """Energy, and that of the period before with the change where a share of it can be said."""
    if before is None:
        return f"{_kwh(mwh)} kWh"
    # "z": a change that rounds to nothing has no minus sign.
    change = f", {Decimal(mwh - before) * 100 / before:+z.1f} %" if before > 0 else ""
    part = "" if report.before and report.before.complete else ", incomplete"
    return f"{_kwh(mwh)} kWh ({report.by} before: {_kwh(before)} kWh{part}{change})"


def _kwh(mwh: int) -> str:
    return f"{Decimal(mwh) / MWH_PER_KWH:.3f}"


def _sum(energy: Totals) -> int:
    return energy.import_mwh + energy.export_mwh + energy.undirected_mwh


def _interval(row: Interval) -> dict[str, object]:
    return {
        "start": utc_text(row.start),
        "end": utc_text(row.end),
        **asdict(row.energy),
        "in_gaps": asdict(row.gaps),
        "complete": row.complete,
    }
