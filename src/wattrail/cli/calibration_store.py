"""Where the calibrations of a meter are kept: its name, the database, and what the configuration says beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.app.config import FILE_NAME, database_of, demo_database, load_config
from wattrail.calibration import Calibration
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.errors import StoreError
from wattrail.urls import METER_NAME, split

if TYPE_CHECKING:
    from wattrail.app.schema import Config, MeterSection
    from wattrail.store import KeptCalibration, Store

__all__ = [
    "CalibrationStore",
    "MeterName",
    "calibrations_of_name",
    "find_calibrations",
]

MeterName = Annotated[str, Parameter(help=f"Name of the meter, as in {FILE_NAME} or as given with --name.")]


@dataclass(frozen=True, slots=True)
class CalibrationStore:
    """The calibrations of one meter. ``name`` is None for a URL that nobody has named."""

    name: str | None
    database: DatabaseAddress
    section: MeterSection | None = None

    @property
    def explicit(self) -> Calibration | None:
        """What wattrail.toml gives, which wins over everything kept."""
        return self.section.scale() if self.section else None

    def newest(self) -> KeptCalibration | None:
        """What holds, unless the configuration gives another."""
        kept = self.all()
        return kept[-1] if kept else None

    def all(self) -> tuple[KeptCalibration, ...]:
        """Every calibration kept, oldest first. A database that is not there holds none, and is not made."""
        if self.name is None or not is_there(self.database):
            return ()
        with self.opened() as store:
            return store.calibrations(self.name)

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """The database; made if it is not there."""
        from wattrail.store import open_store

        with open_store(self.database) as store:
            yield store

    def words_of_the_gateway(self) -> str:
        """How a gateway comes to read with what is kept now."""
        from wattrail.store import lock_holder

        try:
            holder = lock_holder(self.database)
        except StoreError:  # it is kept all the same
            return "wattrail reload applies it to a gateway that runs; the past keeps its own"
        if holder:
            return f"a gateway runs, {holder}: wattrail reload applies it; the past keeps its own"
        return "no gateway runs on this database: the next one takes it as it starts; the past keeps its own"

    def words_of_the_file(self, after: Calibration) -> list[str]:
        """What in wattrail.toml would still win over a calibration that is kept now."""
        if self.section is None:
            return []
        words = []
        if self.explicit:
            words.append(
                f"{FILE_NAME} gives a calibration for {self.name}, and that wins: remove it, or paste the line"
            )
        if self.section.inverted and not after.inverted:
            words.append(f"{FILE_NAME} says inverted = true for {self.name}, and that wins: remove it")
        return words


def find_calibrations(
    named: str | None, *, name: str | None, config: Path | None, database: DatabaseAddress | None
) -> CalibrationStore:
    """The calibrations of a meter given by URL, by name, or as the only configured one; ``name`` overrides.

    Raises UsageError for what cannot be a name, ConfigError.
    """
    loaded = load_config(config)
    by_url = named is not None and ":" in named
    section = next((one for one in loaded.meter if _meant(one, named)), None) if loaded else None
    called = name or (section.name if section else None if by_url else named)
    if called is not None and not METER_NAME.fullmatch(called):
        raise UsageError(
            f"{called!r} is not a name for a meter", hint="letters, digits, dot, dash, underscore, 64 at most"
        )
    # A rehearsal on a twin is kept where rehearsals are, apart from the calibrations of real meters.
    loose_twin = by_url and section is None and split(str(named)).scheme == "twin"
    return CalibrationStore(called, database or _database(loaded, simulated=loose_twin), section)


def calibrations_of_name(name: str, options: BooksOptions) -> CalibrationStore:
    """The calibrations of a name for the verbs of this noun: those of rehearsals where only a rehearsal knows it."""
    calibrations = find_calibrations(name, name=None, config=options.config, database=options.database)
    if options.database or calibrations.section or calibrations.all():
        return calibrations
    rehearsed = CalibrationStore(name, _database(None, simulated=True))
    return rehearsed if rehearsed.all() else calibrations


def _meant(section: MeterSection, named: str | None) -> bool:
    return named is None or named in (section.name, section.url)


def _database(config: Config | None, *, simulated: bool) -> DatabaseAddress:
    return demo_database() if simulated else database_of(config)
