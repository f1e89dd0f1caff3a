"""``wattrail calibration export``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.calibration.calibration_store import MeterName, StoreOptions, calibrations_of_name
from wattrail.cli.calibration.record import as_document
from wattrail.cli.exits import UsageError


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
