"""``wattrail calibration restore``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.calibration.record import Taken, one_of, taken_from_file
from wattrail.cli.calibration.show import Number
from wattrail.cli.calibration_store import (
    CalibrationStore,
    MeterName,
    StoreOptions,
    calibrations_of_name,
)
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.person import person
from wattrail.metrology.proposal import toml_line

if TYPE_CHECKING:
    from wattrail.store import KeptCalibration


def restore(
    meter: MeterName,
    number: Number = None,
    *,
    file: Annotated[Path | None, Parameter(help="Take it from a file that 'calibration export' wrote.")] = None,
    dry_run: Annotated[bool, Parameter(help="Show what would be put back, and keep nothing.")] = False,
    by: Annotated[str | None, Parameter(help="Who puts it back; else your user name.")] = None,
    json: Json = False,
    options: StoreOptions | None = None,
) -> None:
    """Put an earlier calibration back.

    Nothing is undone: it is kept once more, as the newest; 'wattrail reload' applies it to a gateway that runs.
    Without a number it is the one before the newest; with --file the newest of the file.
    """
    calibrations = calibrations_of_name(meter, options or StoreOptions())
    taken = taken_from_file(file, number) if file else _earlier(calibrations, number)
    kept = None if dry_run else _kept_again(calibrations, meter, taken, by or person())
    if json:
        print(dumps({"meter": meter, "restored": taken.number, "kept": kept.number if kept else None}))
    else:
        print(f"{meter}: {taken.words}\n{toml_line(taken.calibration)}")
    if kept:
        output.note(f"kept as calibration {kept.number} of {meter}")
        output.note(calibrations.words_of_the_gateway())
        for words in calibrations.words_of_the_file(taken.calibration):
            output.note(f"note: {words}")


def _earlier(calibrations: CalibrationStore, number: int | None) -> Taken:
    kept = calibrations.all()
    if number is None and len(kept) < 2:
        raise UsageError(f"there is no calibration before the newest of {calibrations.name} in {calibrations.database}")
    found = one_of(calibrations, number or kept[-2].number)
    return Taken(found.number, found.calibration, found.turns, found.simulated, f"calibration {found.number}")


def _kept_again(calibrations: CalibrationStore, meter: str, taken: Taken, by: str) -> KeptCalibration:
    with calibrations.opened() as store:
        return store.keep_calibration(
            meter, taken.calibration, simulated=taken.simulated, origin="restored", turns=taken.turns,
            at=clock.CLOCK.now(), by=by, note=taken.words, evidence=dumps({"restored": taken.words}),
        )  # fmt: skip
