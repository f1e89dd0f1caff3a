"""``wattrail calibration list``, ``show``, ``export`` and ``restore``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from wattrail.cli import clock, output
from wattrail.cli.calibration.record import as_line, as_text, one_of
from wattrail.cli.calibration_store import (
    CalibrationStore,
    MeterName,
    calibrations_of_name,
)
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.person import person
from wattrail.metrology.proposal import toml_line
from wattrail.store.calibration_file import TakenCalibration, as_document, as_fields, taken_from_file

if TYPE_CHECKING:
    from wattrail.store import KeptCalibration


Number = Annotated[
    int | None, Parameter(help="Which one; the newest if left out.", validator=validators.Number(gte=1, lte=10**6))
]


def show_calibration(
    meter: MeterName, number: Number = None, *, json: Json = False, options: BooksOptions | None = None
) -> None:
    """Show one calibration with what it rests on."""
    kept = one_of(calibrations_of_name(meter, options or BooksOptions()), number)
    print(dumps(as_fields(kept)) if json else as_text(kept))


def list_calibrations(meter: MeterName, *, json: Json = False, options: BooksOptions | None = None) -> None:
    """List what is kept of a meter's calibrations.

    The oldest comes first; the last one, with a star, holds.
    """
    calibrations = calibrations_of_name(meter, options or BooksOptions())
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
    options: BooksOptions | None = None,
) -> None:
    """Export every calibration of a meter as JSON.

    It carries all evidence; 'calibration restore --file' takes it.
    """
    calibrations = calibrations_of_name(meter, options or BooksOptions())
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


# ---- restore


def restore(
    meter: MeterName,
    number: Number = None,
    *,
    file: Annotated[Path | None, Parameter(help="Take it from a file that 'calibration export' wrote.")] = None,
    dry_run: Annotated[bool, Parameter(help="Show what would be put back, and keep nothing.")] = False,
    by: Annotated[str | None, Parameter(help="Who puts it back; else your user name.")] = None,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Put an earlier calibration back.

    Nothing is undone: it is kept once more, as the newest; 'wattrail reload' applies it to a gateway that runs.
    Without a number it is the one before the newest; with --file the newest of the file.
    """
    calibrations = calibrations_of_name(meter, options or BooksOptions())
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


def _earlier(calibrations: CalibrationStore, number: int | None) -> TakenCalibration:
    kept = calibrations.all()
    if number is None and len(kept) < 2:
        raise UsageError(f"there is no calibration before the newest of {calibrations.name} in {calibrations.database}")
    found = one_of(calibrations, number or kept[-2].number)
    return TakenCalibration(
        found.number, found.calibration, found.turns, found.simulated, f"calibration {found.number}"
    )


def _kept_again(calibrations: CalibrationStore, meter: str, taken: TakenCalibration, by: str) -> KeptCalibration:
    with calibrations.opened() as store:
        return store.keep_calibration(
            meter, taken.calibration, simulated=taken.simulated, origin="restored", turns=taken.turns,
            at=clock.CLOCK.now(), by=by, note=taken.words, evidence=dumps({"restored": taken.words}),
        )  # fmt: skip
