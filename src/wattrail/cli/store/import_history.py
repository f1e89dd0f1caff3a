"""``wattrail store import``."""

from __future__ import annotations

from datetime import tzinfo
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.view import kwh
from wattrail.cli.option_types import BooksOptions, Json
from wattrail.cli.store.database import counted, database_place
from wattrail.cli.times import local
from wattrail.store.history.dsmr_reader import read_export
from wattrail.store.history.home_assistant import read_dashboard, read_statistics
from wattrail.store.history.periods import History
from wattrail.store.history.tibber import read_consumption
from wattrail.store.imported_hours import ImportedHours, ImportOutcome, OriginSummary
from wattrail.units import utc_text

Source = Literal["home-assistant", "dsmr-reader", "tibber"]


def import_history(
    source: Annotated[Source | None, Parameter(help="home-assistant, dsmr-reader or tibber.")] = None,
    file: Annotated[Path | None, Parameter(help="What that program exported, or Home Assistant's database.")] = None,
    *,
    meter: Annotated[str | None, Parameter(help="Name of the meter in the database.")] = None,
    import_id: Annotated[
        list[str] | None,
        Parameter(help="Home Assistant's database: statistic of energy from the grid; may be repeated."),
    ] = None,
    export_id: Annotated[
        list[str] | None, Parameter(help="Home Assistant's database: statistic of energy to the grid; may be repeated.")
    ] = None,
    remove: Annotated[str | None, Parameter(help="Forget what was imported from this origin.")] = None,
    dry_run: Annotated[bool, Parameter(help="Say what would be done, and store nothing.")] = False,
    json: Json = False,
    options: BooksOptions | None = None,
) -> None:
    """Import energy of the time before the ledger began.

    Takes hours or days that another program counted, and stores them beside the ledger, never in it: they are shown as
    imported, and --remove takes them back. What lies in the ledger's own time is left out. A second import of the same
    file changes nothing. Without arguments it lists what was imported. The gateway may run.
    """
    path, zone = database_place(options), (options or BooksOptions()).zone()
    if source is None and remove is None:
        with ImportedHours(path, read_only=True) as stored:
            summaries = stored.summaries()
        print(dumps([_object(one) for one in summaries]) if json else _listed(summaries, zone))
        return
    if meter is None:
        raise UsageError("--meter is missing", hint="name the meter whose history it is: --meter NAME")
    if remove is not None:
        with ImportedHours(path) as stored:
            count = stored.remove(meter, remove, is_dry_run=dry_run)
        print(f"{'would forget' if dry_run else 'forgot'} {_periods(count)} of {meter} from {remove}")
        return
    if file is None:
        raise UsageError("FILE is missing", hint=f"name the file: wattrail store import {source} FILE --meter {meter}")
    history = _read(source, file, import_id or [], export_id or [], zone)
    with ImportedHours(path) as stored:
        outcome = stored.add(meter, history.origin, history.periods, is_dry_run=dry_run)
    if json:
        print(dumps({"origin": history.origin, "dry_run": dry_run, **_counts(outcome)}))
        return
    print(f"{'would import' if dry_run else 'imported'} {_said(outcome)} of {meter} from {history.origin}")
    for text in history.left_out:
        output.note(f"left out: {text}")
    if outcome.in_ledger and outcome.ledger_begins is not None:
        begins = local(outcome.ledger_begins, zone)
        output.note(f"left out: {_periods(outcome.in_ledger)} ending after {begins}, where the ledger begins")
    if outcome.elsewhere:
        output.note(
            f"left out: {_periods(outcome.elsewhere)} that another import holds a part of; see wattrail store import"
        )


def _read(source: Source | None, file: Path, imports: list[str], exports: list[str], zone: tzinfo) -> History:
    if source != "home-assistant" and (imports or exports):
        raise UsageError("--import-id and --export-id are for the database of Home Assistant")
    if source == "dsmr-reader":
        return read_export(file, zone)
    if source == "tibber":
        return read_consumption(file)
    return read_dashboard(file, zone) if file.suffix.lower() == ".csv" else read_statistics(file, imports, exports)


def _said(outcome: ImportOutcome) -> str:
    parts = [_periods(outcome.new)]
    if outcome.replaced:
        parts.append(f"{outcome.replaced} again with another energy")
    if outcome.same:
        parts.append(f"{outcome.same} that are there already")
    return ", ".join(parts)


def _periods(count: int) -> str:
    return counted(count, "period", "periods")


def _counts(outcome: ImportOutcome) -> dict[str, object]:
    begins = outcome.ledger_begins
    return {
        "new": outcome.new, "replaced": outcome.replaced, "same": outcome.same, "in_ledger": outcome.in_ledger,
        "elsewhere": outcome.elsewhere, "ledger_begins": None if begins is None else utc_text(begins),
    }  # fmt: skip


def _listed(summaries: tuple[OriginSummary, ...], zone: tzinfo) -> str:
    if not summaries:
        return "nothing was imported"
    return "\n".join(
        f"{one.meter}: imported from {one.origin}: {_periods(one.periods)}, {local(one.start, zone)} to "
        f"{local(one.end, zone)}, import {_energy(one.import_mwh)}, export {_energy(one.export_mwh)}"
        for one in summaries
    )


def _energy(mwh: int | None) -> str:
    return "not known" if mwh is None else f"{kwh(mwh)} kWh"


def _object(one: OriginSummary) -> dict[str, object]:
    return {
        "meter": one.meter, "origin": one.origin, "periods": one.periods, "start": utc_text(one.start),
        "end": utc_text(one.end), "import_mwh": one.import_mwh, "export_mwh": one.export_mwh,
    }  # fmt: skip
