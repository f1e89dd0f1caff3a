"""``wattrail calibration list``."""

from __future__ import annotations

from json import dumps

from wattrail.cli.calibration.calibration_store import MeterName, StoreOptions, calibrations_of_name
from wattrail.cli.calibration.record import as_fields, as_line
from wattrail.cli.target import Json


def list_calibrations(meter: MeterName, *, json: Json = False, options: StoreOptions | None = None) -> None:
    """List what is kept of a meter's calibrations.

    The oldest comes first; the last one, with a star, holds.
    """
    calibrations = calibrations_of_name(meter, options or StoreOptions())
    kept = calibrations.all()
    if json:
        print(dumps({"meter": meter, "calibrations": [as_fields(one) for one in kept]}))
        return
    for one in kept:
        print(as_line(one, holds=one is kept[-1]))
    if not kept:
        print(f"no calibration of {meter} is kept in {calibrations.database}")
    elif calibrations.explicit:
        print("wattrail.toml gives a calibration for this meter, and that wins")
