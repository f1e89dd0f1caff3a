"""``wattrail calibration show``."""

from __future__ import annotations

from json import dumps
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli.calibration.record import as_fields, as_text, one_of
from wattrail.cli.calibration.shelf import MeterName, ShelfOptions, shelf_of_name
from wattrail.cli.target import Json

Number = Annotated[
    int | None, Parameter(help="Which one; the newest if left out.", validator=validators.Number(gte=1, lte=10**6))
]


def show_calibration(
    meter: MeterName, number: Number = None, *, json: Json = False, options: ShelfOptions | None = None
) -> None:
    """Show one calibration with what it rests on."""
    kept = one_of(shelf_of_name(meter, options or ShelfOptions()), number)
    print(dumps(as_fields(kept)) if json else as_text(kept))
