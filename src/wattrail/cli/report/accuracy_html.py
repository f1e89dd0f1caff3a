"""An accuracy report as one page to keep, and to print."""

from __future__ import annotations

from wattrail.cli.report import page
from wattrail.cli.report.accuracy_text import NO_TYPE_TEST, TRANSFORMER, begun_words, conditions, headline
from wattrail.cli.report.page import Axis, Panel, picture, round_ticks
from wattrail.meter.accuracy import AccuracyReport
from wattrail.metrology.accuracy import PointResult, Verdict, causes, judge
from wattrail.metrology.iec62053 import CLASSES, AccuracyClass, LoadPhase

__all__ = ["as_html"]

_MIN_PERCENT = 3.0
_ROOM = 1.12


def as_html(report: AccuracyReport) -> str:
    """The whole document."""
    found = "".join(page.paragraph(cause) for cause in causes(report.points))
    sections = [
        page.section("", page.paragraph(headline(report), "verdict"), _classes(report), found),
        page.section("Errors", _picture(report), _table(report)) if report.points else "",
        page.section("Starting current, and no load", _standing(report)) if report.starts or report.no_load else "",
        page.section("Conditions", *map(page.paragraph, conditions(report)), page.paragraph(NO_TYPE_TEST)),
        page.section(
            "What a current transformer sees",
            page.table(
                ["What passes the hole", "What the transformer makes of it", "Error"], TRANSFORMER, kind="words"
            ),
        ),
    ]
    return page.page(
        "Accuracy of a meter",
        simulated=report.simulated,
        url=report.meter,
        when=f"{begun_words(report.begun)} to {begun_words(report.ended)}"
        + (", by the twin's own clock" if report.simulated else ""),
        sections=sections,
    )


def _classes(report: AccuracyReport) -> str:
    rows, kinds = [], []
    for class_ in CLASSES:
        verdict, against = judge(class_, report.range, report.points, report.starts, report.no_load)
        more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
        why = page.minus(against[0] + more) if against else "every limit is kept"
        rows.append([class_.name, class_.standard, why, verdict])
        kinds.append(verdict.value)
    return page.table(["Class", "Standard", "Why", "Verdict"], rows, kind="words", kinds=kinds)


def _picture(report: AccuracyReport) -> str:
    return page.figure(
        _panels(report, 920, "wide"),
        _panels(report, 380, "narrow"),
        "Error against current for each kind of load, with the limits of each class. Filled dots: energy counter; "
        "open ones: power register; whiskers: uncertainty (95 %) where it shows.",
        key=_key(),
    )


def _key() -> str:
    dot = '<svg viewBox="0 0 28 10"><g class="{}"><circle cx="14" cy="5" r="4"/></g></svg>'
    items = [dot.format("energy") + "Energy", dot.format("power") + "Power"]
    for number, class_ in enumerate(CLASSES):
        line = f'<svg viewBox="0 0 28 10"><polyline class="limit-{number}" points="0,5 28,5"/></svg>'
        items.append(f"{line}Class {class_.name}")
    return f'<ul class="key">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _panels(report: AccuracyReport, width: int, kind: str) -> str:
    each = 220 if kind == "wide" else 190
    low, high = _reach(report)
    range_ = report.range
    amps = [p.point.amps for p in report.points]
    x = Axis(min(*amps, 0.01 * range_.basic_amps) / 1.25, max(*amps, range_.max_amps) * 1.25, 60, width - 14, log=True)
    panels = []
    for number, phase in enumerate(LoadPhase):
        top = number * each
        panel = Panel(x, Axis(low, high, top + each - 34, top + 34))
        panel.frame(
            [(a, f"{a:g} A") for a in _decades(x, kind)],
            [(e, page.minus(f"{e:+g} %") if e else "0 %") for e in round_ticks(low, high, about=6)],
            title=f"Power factor {phase}",
        )
        for place, class_ in enumerate(CLASSES):
            _limits(panel, report, class_, phase, f"limit-{place}")
        _points(panel, [p for p in report.points if p.point.phase is phase])
        panels.append(panel)
    return picture(panels, width=width, height=each * len(LoadPhase), label=headline(report), kind=kind)


def _reach(report: AccuracyReport) -> tuple[float, float]:
    """The errors between which everything is drawn: both limits of class 2, unless an error is gross."""
    errors = [f.error for p in report.points for f in (p.power, p.energy) if f]
    low, high = min(errors) * _ROOM, max(errors) * _ROOM
    return min(-_MIN_PERCENT, low), max(_MIN_PERCENT, high)


def _decades(x: Axis, kind: str) -> list[float]:
    steps = (1, 2, 5) if kind == "wide" else (1,)
    found = [m * 10.0**n for n in range(-4, 4) for m in steps]
    return [round(a, 6) for a in found if x.low <= a <= x.high]


def _limits(panel: Panel, report: AccuracyReport, class_: AccuracyClass, phase: LoadPhase, kind: str) -> None:
    limits = [limit for limit in class_.limits if limit.phase is phase]
    if not limits:
        return
    basic, largest = report.range.basic_amps, report.range.max_amps
    ends = [limit.begins * basic for limit in limits[1:]] + [largest]
    steps = [(a, limit.percent) for limit, end in zip(limits, ends, strict=True) for a in (limit.begins * basic, end)]
    panel.curve(steps, kind)
    panel.curve([(a, -percent) for a, percent in steps], kind)


def _points(panel: Panel, results: list[PointResult]) -> None:
    panel.curve([(p.point.amps, p.figure.error) for p in results], "joined")
    for result in results:
        for figure, kind, name in (
            (result.power, "power", "power register"),
            (result.energy, "energy", "energy counter"),
        ):
            if figure:
                label = f"{result.point.amps:g} A, {name}: {figure} %"
                panel.mark(
                    result.point.amps,
                    figure.error,
                    figure.uncertainty,
                    kind,
                    words=label,
                    radius=6.5 if kind == "power" else 4.0,
                )


def _table(report: AccuracyReport) -> str:
    rows = []
    for result in report.points:
        point, energy = result.point, result.energy
        rows.append(
            [
                f"{point.amps:g} A",
                point.phase.value,
                str(energy) if energy else "–",
                str(result.power),
                f"{result.reference_watts:.1f}",
                str(result.counts) if energy else "–",
                f"{result.one_count:.2f}" if result.one_count else "–",
            ]
        )
    heads = ["Current", "Power factor", "Energy, %", "Power, %", "Reference, W", "Counts", "One count, %"]
    return page.table(heads, [[page.minus(c) for c in row] for row in rows])


def _counts(number: int) -> str:
    return f"{number} count{'' if number == 1 else 's'}"


def _standing(report: AccuracyReport) -> str:
    rows, kinds = [], []
    for start in report.starts:
        rows.append(
            [
                f"Starting current, class {start.class_name}",
                f"{start.amps * 1000:g} mA",
                f"{_counts(start.counts)} in {start.seconds:.0f} s",
                "starts" if start.started else "does not start",
            ]
        )
        kinds.append((Verdict.HOLDS if start.started else Verdict.FAILS).value)
    if still := report.no_load:
        rows.append(
            [
                "No load",
                f"{still.volts:g} V",
                f"{_counts(still.counts)} in {still.minutes:.1f} min",
                "stands still" if still.passed else "creeps",
            ]
        )
        kinds.append((Verdict.HOLDS if still.passed else Verdict.FAILS).value)
    return page.table(["Test", "At", "Counter", "Verdict"], rows, kind="words", kinds=kinds)
