"""``wattrail calibration list``, ``show`` and ``export``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli import output
from wattrail.cli.calibration.record import as_document, as_fields, as_line, as_text, one_of
from wattrail.cli.calibration_store import MeterName, StoreOptions, calibrations_of_name
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json

Number = Annotated[
    int | None, Parameter(help="Which one; the newest if left out.", validator=validators.Number(gte=1, lte=10**6))
]


def show_calibration(
    meter: MeterName, number: Number = None, *, json: Json = False, options: StoreOptions | None = None
) -> None:
    """Show one calibration with what it rests on."""
    kept = one_of(calibrations_of_name(meter, options or StoreOptions()), number)
    print(dumps(as_fields(kept)) if json else as_text(kept))


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


def export(
    meter: MeterName,
    file: Annotated[Path | None, Parameter(help="File to write; it must not exist yet. Else to stdout.")] = None,
    *,
    options: StoreOptions | None = None,
) -> None:
    """Export every calibration of a meter as JSON.

    It carries all evidence; 'calibration restore --file' takes it.
    """
    calibrations = calibrations_of_name(meter, options or StoreOptions())
    kept = calibrations.all()
    if not kept:
        raise UsageError(f"no calibration of {meter} is kept in {calibrations.database}")
    text = dumps(as_document(kept), indent=2)
    if file is None:
        print(text)
        return
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text + "\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    output.note(f"{file}: {len(kept)} calibrations of {meter}")
