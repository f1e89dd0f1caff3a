"""The accuracy of a meter in the REST interface: the loads of IEC 62053-21, and one load against a reference.

The gateway takes the readings. Nothing is stored: who asks sends the results so far along.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from wattrail.access import Scope
from wattrail.metrology.accuracy import Verdict
from wattrail.metrology.iec62053 import LoadPhase
from wattrail.web.calibration_api import Shown
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.site_meters import SiteMeters

__all__ = ["accuracy_router"]

Amps = Annotated[float, Field(gt=0, le=200)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ClassJson(BaseModel):
    """An accuracy class and the standard that its limits are from."""

    name: str
    standard: str


class LoadJson(BaseModel):
    """A load at 230 V."""

    amps: Annotated[float, Field(gt=0, le=10_000)]
    power_factor: LoadPhase


class TestPointJson(LoadJson):
    """A load to set, and about how many watts that is."""

    watts: float


class TestPointsJson(BaseModel):
    """The loads at which a meter is tested, kind by kind, from the smallest current to the largest."""

    simulated: bool
    volts: float
    basic_amps: float
    max_amps: float
    classes: list[ClassJson]
    points: list[TestPointJson]


class ResultJson(LoadJson):
    """What was found at a load. Errors are in per cent of the reference, uncertainties are for 95 %."""

    reference_watts: Finite
    watts: Finite
    error_percent: Finite
    uncertainty_percent: Annotated[Finite, Field(ge=0)]


class LimitJson(BaseModel):
    """The largest error of a class at this load, and whether it is kept; null where the class asks for nothing."""

    name: str
    percent: float | None
    verdict: Verdict | None


class MeasuredResultJson(ResultJson):
    """A result beside the limits."""

    limits: list[LimitJson]


class ClassVerdictJson(ClassJson):
    """Whether a class holds at the loads measured, and what speaks against it."""

    verdict: Verdict
    against: list[str]


class AccuracySummaryJson(BaseModel):
    """What follows from all results: the strictest class that holds, or null, and what the errors look like."""

    best: str | None
    tested: int
    planned: int
    classes: list[ClassVerdictJson]
    causes: list[str]


class AccuracyMeasuredJson(BaseModel):
    """A new result, and what follows from it and those before."""

    simulated: bool
    row: MeasuredResultJson
    summary: AccuracySummaryJson


class ShownPowerJson(BaseModel):
    """What the reference shows: watts, or volts, amperes and power factor; empty where it is not known."""

    watts: Shown = ""
    volts: Shown = ""
    amps: Shown = ""
    power_factor: Shown = ""


class AccuracyLoadJson(LoadJson):
    """The load that is on, what a reference shows of it, and the results before. ``reference_percent`` is its class."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "amps": 5.0, "power_factor": "1", "basic_amps": 5.0, "max_amps": 16.0, "shown": {"watts": "1150.2"},
        "reference_percent": 0.2, "rows": [],
    }]})  # fmt: skip

    basic_amps: Amps = 5.0
    max_amps: Amps
    shown: ShownPowerJson
    reference_percent: Annotated[float, Field(ge=0, le=10)]
    rows: list[ResultJson] = Field(default=[], max_length=24)


def accuracy_router(site: SiteMeters, calls: GatewayCalls) -> APIRouter:
    """The routes below /meters/{name}/accuracy."""
    router = APIRouter(prefix="/api/v1", tags=["accuracy"])

    async def call(action: str, name: str, **arguments: object) -> dict[str, Any]:
        site.view(name)
        return cast(dict[str, Any], await calls.call(f"accuracy.{action}", meter=name, **arguments))

    @router.get("/meters/{name}/accuracy/points", responses=may_fail(404, 503))
    @needs(Scope.READ)
    async def accuracy_points(
        name: Annotated[str, Path()],
        basic_amps: Annotated[float, Query(gt=0, le=200)] = 5.0,
        max_amps: Annotated[float | None, Query(gt=0, le=200)] = None,
    ) -> TestPointsJson:
        """The test points of IEC 62053-21 for a meter's currents; its largest is the chip's, or 16 A."""
        found = await call("points", name, basic_amps=basic_amps, max_amps=max_amps)
        return TestPointsJson.model_validate(found)

    @router.post("/meters/{name}/accuracy/measure", responses=may_fail(404, 503))
    @needs(Scope.ADJUST)
    async def measure_accuracy(name: str, body: AccuracyLoadJson) -> AccuracyMeasuredJson:
        """Take readings of a steady load from the gateway, and compare them with a reference. Nothing is stored."""
        found = await call("measure", name, **body.model_dump(mode="json"))
        return AccuracyMeasuredJson.model_validate(found)

    return router
