"""Calibration in the REST interface: what is kept, a measurement against a reference, and a way back.

The gateway takes the readings, keeps the result, and reads the meter on with it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Self, cast

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from wattrail.access import Scope
from wattrail.metrology.calibrate import Load
from wattrail.metrology.proposal import constants
from wattrail.sanitize import printable
from wattrail.store import KeptCalibration, open_to_read
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import caller_of, needs
from wattrail.web.site_meters import SiteMeters

__all__ = ["Shown", "calibration_router"]

Shown = Annotated[str, Field(pattern=r"^(-?[0-9]{1,9}(\.[0-9]{1,9})?)?$", examples=["230.4"])]
"""A number as a reference shows it: its last digit says how finely. Empty if it is not known."""


class ConstantsJson(BaseModel):
    """Counts per volt, ampere and watt; ``inverted``: the wire passes the meter the other way."""

    counts_per_volt: float
    counts_per_amp: float
    counts_per_watt: float
    inverted: bool


class KeptCalibrationJson(BaseModel):
    """One kept calibration; the newest ``is_newest``. ``origin``: measured, factory, settings or restored."""

    number: int
    is_newest: bool
    simulated: bool
    at: datetime
    by: str
    origin: str
    note: str
    turns: int
    constants: ConstantsJson
    uncertainty: dict[str, float | None]

    @classmethod
    def of(cls, kept: KeptCalibration, *, is_newest: bool) -> Self:
        """A calibration of the store."""
        rests_on = json.loads(kept.evidence)
        return cls(
            number=kept.number, is_newest=is_newest, simulated=kept.simulated, at=kept.at, by=kept.by,
            origin=kept.origin, note=kept.note, turns=kept.turns,
            constants=ConstantsJson.model_validate(constants(kept.calibration)),
            uncertainty=rests_on.get("uncertainty") or {},
        )  # fmt: skip


class CalibrationsJson(BaseModel):
    """What is kept of a meter, newest first. ``why_not`` says why it cannot be measured here."""

    name: str
    simulated: bool
    scale: str | None
    can_measure: bool
    why_not: str | None
    kept: list[KeptCalibrationJson]


class ReferenceJson(BaseModel):
    """What a reference shows while a steady load is on."""

    volts: Shown = ""
    amps: Shown = ""
    watts: Shown = ""
    load: Load = Load.RESISTIVE


class CalibrationFindingJson(BaseModel):
    """What looks wrong; it ``stops`` unless its cause is allowed."""

    cause: str
    text: str
    stops: bool


class MeasuredJson(BaseModel):
    """Constants before and after, and by what fraction each is uncertain (one standard error; null: not measured)."""

    number: int
    simulated: bool
    before: ConstantsJson
    after: ConstantsJson
    uncertainty: dict[str, float | None]
    findings: list[CalibrationFindingJson]
    acceptable: bool


class KeepJson(BaseModel):
    """What is to be kept: the number of a measurement, or of a kept calibration that is put back."""

    number: int = Field(ge=1, le=2**31)
    note: str = Field(default="", max_length=300)
    who: str = Field(default="", max_length=100)
    allow: list[str] = Field(default=[], max_length=20)


class KeptNumberJson(BaseModel):
    """The number under which it is kept, and what scales the meter now, as text."""

    number: int
    scale: str | None


def calibration_router(site: SiteMeters, calls: GatewayCalls) -> APIRouter:
    """The routes below /meters/{name}/calibration."""
    router = APIRouter(prefix="/api/v1", tags=["calibration"])

    async def call(action: str, name: str, **arguments: object) -> dict[str, Any]:
        site.view(name)
        return cast(dict[str, Any], await calls.call(f"calibration.{action}", meter=name, **arguments))

    @router.get("/meters/{name}/calibration", responses=may_fail(404, 503))
    @needs(Scope.READ)
    def calibrations(name: Annotated[str, Path()]) -> CalibrationsJson:
        """Every calibration that is kept, newest first, and whether the meter can be measured here."""
        view = site.view(name)
        with open_to_read(site.setup.database) as reader:
            kept = reader.calibrations(name)
        why_not = _why_not(name, view.scale)
        shown = [KeptCalibrationJson.of(one, is_newest=one is kept[-1]) for one in reversed(kept)]
        return CalibrationsJson(
            name=name, simulated=view.simulated, scale=view.scale, can_measure=why_not is None, why_not=why_not,
            kept=shown,
        )  # fmt: skip

    @router.post("/meters/{name}/calibration/measure", responses=may_fail(404, 503))
    @needs(Scope.ADJUST)
    async def measure(name: str, body: ReferenceJson) -> MeasuredJson:
        """Take readings of a steady load from the gateway, and propose constants. Nothing is kept."""
        found = await call("measure", name, **body.model_dump(mode="json"))
        rests_on = found["evidence"]
        return MeasuredJson(
            number=found["number"], simulated=found["simulated"], before=found["before"], after=found["after"],
            uncertainty=rests_on["uncertainty"], findings=rests_on["doubts"], acceptable=found["acceptable"],
        )  # fmt: skip

    @router.post("/meters/{name}/calibration/keep", status_code=201, responses=may_fail(404, 503))
    @needs(Scope.ADMIN)
    async def keep(name: str, body: KeepJson, request: Request) -> KeptNumberJson:
        """Keep a measurement; the meter is read on with it at once, and the past keeps its own.

        Constants in wattrail.toml win over it. The answer comes once the meter shows it, or 12 s later.
        """
        note = printable(body.note.strip(), limit=300)
        kept = await call("keep", name, number=body.number, note=note, who=_who(request, body), allow=body.allow)
        return KeptNumberJson.model_validate(kept)

    @router.post("/meters/{name}/calibration/restore", status_code=201, responses=may_fail(404, 503))
    @needs(Scope.ADMIN)
    async def restore(name: str, body: KeepJson, request: Request) -> KeptNumberJson:
        """Put an earlier calibration back: it is kept once more, as the newest, and the meter is read on with it."""
        kept = await call("restore", name, number=body.number, who=_who(request, body))
        return KeptNumberJson.model_validate(kept)

    return router


def _who(request: Request, body: KeepJson) -> str:
    """Users and tokens calibrate under their own names; from this machine a name may be given."""
    caller = caller_of(request)
    given = printable(body.who.strip(), limit=100) if caller.kind == "machine" else ""
    return given or caller.who


def _why_not(name: str, scale: str | None) -> str | None:
    if scale is not None:
        return None
    return (
        f"{name} has no constants here: it has not been read yet, or gives volts, amperes and watts by itself and is "
        "calibrated on the device"
    )
