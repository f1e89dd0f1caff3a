"""Testing the accuracy of a meter that the gateway reads: the loads to set, and one load measured against a reference.

Nothing is kept here: the page sends the results it has along, and gets what follows from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wattrail.app.coming_readings import STEADY_HINT, ComingReadings, chip_of
from wattrail.clock import Clock, SystemClock
from wattrail.errors import WattrailError
from wattrail.gateway import Feed
from wattrail.meter.accuracy import usual_range
from wattrail.meter.calibration import FEWEST_READINGS
from wattrail.metrology.accuracy import Figure, PointResult, best_class, causes, judge
from wattrail.metrology.calibrate import CalibrationError
from wattrail.metrology.iec62053 import CLASSES, BasicRange, LoadPhase, LoadPoint, limit_at, points_for
from wattrail.metrology.typed_reference import (
    AccuracyError,
    ReferencePower,
    decimal_step,
    point_result,
    unsteady_power,
)
from wattrail.units import Reading
from wattrail.web.gateway_calls import Action
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["AccuracyActions"]

_SOCKET_AMPS: Final = 16.0
"""The largest current of a meter that does not say its own: a socket's."""


class AccuracyActions:
    """Says which loads belong to a meter, and measures one of them."""

    def __init__(self, feed: Feed, clock: Clock | None = None) -> None:
        self._readings = ComingReadings(feed, clock or SystemClock())

    def actions(self) -> Mapping[str, Action]:
        """Actions by their names."""
        return {"accuracy.points": self._points, "accuracy.measure": self._measure}

    def _points(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """The loads at which a meter is tested, with the limits of each class."""
        view = self._readings.view(arguments["meter"])
        if view.reading is None:
            raise WattrailError(f"{view.name} has not been read yet", hint=view.hint)
        range_ = _range(view.reading, arguments["basic_amps"], arguments["max_amps"])
        return {
            "simulated": view.simulated, "volts": range_.volts, "basic_amps": range_.basic_amps,
            "max_amps": range_.max_amps, "classes": [{"name": one.name, "standard": one.standard} for one in CLASSES],
            "points": [_point(one) | {"watts": one.watts} for one in points_for(range_)],
        }  # fmt: skip

    def _measure(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Read a steady load, compare it with what a reference showed, and judge it with the results before."""
        name, shown = arguments["meter"], arguments["shown"]
        range_ = BasicRange(basic_amps=arguments["basic_amps"], max_amps=arguments["max_amps"])
        asked = LoadPoint(range_.volts, arguments["amps"], LoadPhase(arguments["power_factor"]))
        try:
            reference = ReferencePower.typed(**shown, class_percent=arguments["reference_percent"])
            result = self._result(name, reference.point(asked), reference)
        except (AccuracyError, CalibrationError) as error:
            raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error
        results = [*(_result_of(row, range_) for row in arguments["rows"]), result]
        simulated = self._readings.view(name).simulated
        return {"simulated": simulated, "row": _row(result, range_), "summary": _summary(results, range_)}

    def _result(self, name: str, point: LoadPoint, reference: ReferencePower) -> PointResult:
        taken = self._readings.take(name, FEWEST_READINGS)
        watts = [one.watts for one in taken if one.watts is not None]
        if len(watts) < len(taken):
            raise AccuracyError(f"{name} gives no power", hint="wait until it has measured a whole period")
        calibration = taken[-1].calibration
        step = 1 / calibration.counts_per_watt if calibration else decimal_step(watts)
        if moved := unsteady_power(watts, step):
            raise AccuracyError(f"the load is not steady: {moved}", hint=STEADY_HINT)
        return point_result(point, watts, step, reference)


def _range(reading: Reading, basic_amps: float, max_amps: float | None) -> BasicRange:
    """Up to the largest usual current of its chip, or that of a socket."""
    if max_amps is None and reading.calibration is not None and (chip := chip_of(reading)) is not None:
        return usual_range(reading.calibration, chip, basic_amps=basic_amps)
    return BasicRange(basic_amps=basic_amps, max_amps=max_amps or _SOCKET_AMPS)


def _point(point: LoadPoint) -> dict[str, object]:
    return {"amps": point.amps, "power_factor": point.phase.value}


def _row(result: PointResult, range_: BasicRange) -> dict[str, object]:
    """One load as the page shows it, with the limit of each class and whether it is kept."""
    limits = [(one.name, limit_at(one, result.point, range_)) for one in CLASSES]
    return _point(result.point) | {
        "reference_watts": result.reference_watts, "watts": result.watts,
        "error_percent": result.power.error, "uncertainty_percent": result.power.uncertainty,
        "limits": [
            {"name": name, "percent": limit, "verdict": None if limit is None else result.power.against(limit).value}
            for name, limit in limits
        ],
    }  # fmt: skip


def _result_of(row: Mapping[str, Any], range_: BasicRange) -> PointResult:
    """What ``_row`` was made of."""
    return PointResult(
        point=LoadPoint(range_.volts, row["amps"], LoadPhase(row["power_factor"])),
        reference_watts=row["reference_watts"], watts=row["watts"],
        power=Figure(row["error_percent"], row["uncertainty_percent"]),
        energy=None, counts=0, seconds=0.0, one_count=None,
    )  # fmt: skip


def _summary(results: Sequence[PointResult], range_: BasicRange) -> dict[str, object]:
    """The class that holds at these loads, what speaks against each, and what the errors look like."""
    best, verdicts = best_class(range_, results, (), None), []
    for one in CLASSES:
        verdict, against = judge(one, range_, results, (), None)
        verdicts.append({"name": one.name, "standard": one.standard, "verdict": verdict.value, "against": against})
    return {
        "best": best.name if best else None, "tested": len(results), "planned": len(points_for(range_)),
        "classes": verdicts, "causes": causes(results),
    }  # fmt: skip
