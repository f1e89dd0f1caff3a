"""``wattrail calibration show``."""

from __future__ import annotations

from json import dumps
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli.calibration.calibration_store import MeterName, StoreOptions, calibrations_of_name
from wattrail.cli.calibration.record import as_fields, as_text, one_of
from wattrail.cli.target import Json

Number = Annotated[
    int | None, Parameter(help="Which one; the newest if left out.", validator=validators.Number(gte=1, lte=10**6))
]


def show_calibration(
    meter: MeterName, number: Number = None, *, json: Json = False, options: StoreOptions | None = None
) -> None:
    """Show one calibration with what it rests on."""
    kept = one_of(calibrations_of_name(meter, options or StoreOptions()), number)
    print(dumps(as_fields(kept)) if json else as_text(kept))
