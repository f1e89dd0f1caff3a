"""An accuracy report for people at a terminal, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from wattrail.meter.accuracy import AccuracyReport
from wattrail.metrology.accuracy import Figure, PointResult, best_class, causes, judge, phase_lead_degrees
from wattrail.metrology.iec62053 import CLASSES, AccuracyClass, limit_at
from wattrail.units import utc_text

__all__ = ["NO_TYPE_TEST", "TRANSFORMER", "as_json", "as_text", "begun_words", "conditions", "headline"]

NO_TYPE_TEST = (
    "This is a test of errors at reference conditions, not a type test: temperature, fields, supply, self-heating and "
    "harmonics are not in it, and only an accredited laboratory can certify a class."
)

TRANSFORMER = (
    ("The line alone", "All of the current: as meant.", "0 %"),
    (
        "The neutral alone",
        "The same current, the other way: import shows as export. What leaks to earth does not come back through the "
        "neutral and is missed.",
        "−200 %",
    ),
    (
        "Line and neutral",
        "Two equal currents in opposite directions: the fields cancel. Only what leaks to earth is seen.",
        "−100 %",
    ),
    (
        "The line twice",
        "Every turn counts: twice the current, and half the range before the chip's input clips.",
        "+100 %",
    ),
    (
        "A wire off the middle",
        "A small ratio error, larger with a strong field beside it; the twin takes −0.3 %, which is a guess.",
        "about −0.3 %",
    ),
    (
        "A wire the other way",
        "The sign turns. Nothing tells it from the neutral but a look at the wires.",
        "−200 %",
    ),
)
"""What passes the hole; what a current transformer makes of it; the error of power that follows."""


def as_text(report: AccuracyReport) -> str:
    """The table, the verdict and its reasons."""
    lines = [
        f"{'Load':<24}{'Reference':>12}{'Power':>18}{'Energy':>18}{'Counts':>9}{'One count':>12}",
        *(_line(result) for result in report.points),
        "",
        *(_start_line(report)),
        headline(report),
        *(f"  {line}" for line in _reasons(report)),
        *(f"Cause: {cause}" for cause in causes(report.points)),
        "",
        *conditions(report),
        NO_TYPE_TEST,
    ]
    return "\n".join(lines)


def headline(report: AccuracyReport) -> str:
    """The class in a sentence."""
    best = best_class(report.range, report.points, report.starts, report.no_load)
    if not report.points:
        return "Nothing was measured"
    done = (
        ""
        if len(report.points) == report.planned
        else f", as far as tested: {len(report.points)} of {report.planned} loads"
    )
    if best is None:
        return f"Holds none of the classes 0.5 S, 1 and 2{done}"
    return f"Holds the limits of class {best.name} ({best.standard}){done}"


def _reasons(report: AccuracyReport) -> Iterator[str]:
    """What speaks against each class, a line a class."""
    for class_ in CLASSES:
        verdict, against = judge(class_, report.range, report.points, report.starts, report.no_load)
        more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
        yield f"class {class_.name:<6}{verdict:<6} {against[0] + more if against else ''}".rstrip()


def conditions(report: AccuracyReport) -> Iterator[str]:
    """What was tested against what, a sentence a line."""
    range_ = report.range
    yield (
        f"Tested at {range_.volts:g} V, basic current {range_.basic_amps:g} A, largest current {range_.max_amps:g} A, "
        f"against {report.reference}"
    )
    if report.reference_uncertainty is None:
        yield "Nobody stated the uncertainty of the reference, so it is in none of these: add --reference-error"
    elif report.reference_uncertainty:
        yield f"Uncertainties (95 %) include the reference's {report.reference_uncertainty:g} %"
    yield (
        f"Energy by CF_CNT, {report.wh_per_count:.4g} Wh a count, timed from step to step; 'one count' is what plain "
        "counting over the same time could be off"
    )


def begun_words(moment: datetime) -> str:
    """A moment, local."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %z}"


def as_json(report: AccuracyReport) -> str:
    """One object; its fields are listed in docs/accuracy.md."""
    best = best_class(report.range, report.points, report.starts, report.no_load)
    fields = {
        "meter": report.meter,
        "simulated": report.simulated,
        "begun": utc_text(report.begun, timespec="seconds"),
        "ended": utc_text(report.ended, timespec="seconds"),
        "volts": report.range.volts,
        "basic_amps": report.range.basic_amps,
        "most_amps": report.range.max_amps,
        "reference": report.reference,
        "reference_uncertainty_percent": report.reference_uncertainty,
        "wh_per_count": report.wh_per_count,
        "loads_planned": report.planned,
        "loads": [_point(report, result) for result in report.points],
        "starting": [
            {"class": s.class_name, "amps": s.amps, "started": s.started, "counts": s.counts, "seconds": s.seconds}
            for s in report.starts
        ],
        "no_load": None
        if report.no_load is None
        else {
            "volts": report.no_load.volts,
            "minutes": report.no_load.minutes,
            "counts": report.no_load.counts,
            "passed": report.no_load.passed,
        },
        "class": best.name if best else None,
        "classes": [_class(report, class_) for class_ in CLASSES],
        "phase_lead_degrees": phase_lead_degrees(report.points),
        "causes": causes(report.points),
    }
    return json.dumps(fields)


def _line(result: PointResult) -> str:
    point = result.point
    load = f"{point.amps:g} A at {point.phase}"
    one = f"{result.one_count:.2f} %" if result.one_count else "–"
    return (
        f"{load:<24}{result.reference_watts:>10.1f} W{_figure(result.power)}{_figure(result.energy)}"
        f"{result.counts:>9}{one:>12}"
    )


def _figure(figure: Figure | None) -> str:
    return f"{'–':>18}" if figure is None else f"{f'{figure} %':>18}"


def _start_line(report: AccuracyReport) -> Iterator[str]:
    for start in report.starts:
        outcome = f"a count after {start.seconds:.0f} s" if start.started else f"no count in {start.seconds:.0f} s"
        yield f"Starting current of class {start.class_name}, {start.amps * 1000:g} mA: {outcome}"
    if still := report.no_load:
        passed = "as it should" if still.passed else "it should stand still"
        yield f"No load, {still.volts:g} V: {still.counts} counts in {still.minutes:.1f} min, {passed}"
    if report.starts or report.no_load:
        yield ""


def _point(report: AccuracyReport, result: PointResult) -> dict[str, object]:
    point, energy = result.point, result.energy
    return {
        "volts": point.volts,
        "amps": point.amps,
        "power_factor": point.phase.value,
        "reference_watts": result.reference_watts,
        "watts": result.watts,
        "power_error_percent": result.power.error,
        "power_uncertainty_percent": result.power.uncertainty,
        "energy_error_percent": energy.error if energy else None,
        "energy_uncertainty_percent": energy.uncertainty if energy else None,
        "counts": result.counts,
        "seconds": result.seconds,
        "one_count_percent": result.one_count,
        "limits_percent": {c.name: limit_at(c, point, report.range) for c in CLASSES},
    }


def _class(report: AccuracyReport, class_: AccuracyClass) -> dict[str, object]:
    verdict, against = judge(class_, report.range, report.points, report.starts, report.no_load)
    return {"class": class_.name, "standard": class_.standard, "verdict": verdict.value, "against": against}
