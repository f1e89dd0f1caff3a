"""Which account a verb is about: a meter in one of the databases of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from wattrail.app.config import database_of, demo_database, load_config
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import BooksOptions
from wattrail.cli.times import moment
from wattrail.clock import zone_of
from wattrail.database_address import is_there
from wattrail.errors import ConfigError, FileError
from wattrail.files import read_text
from wattrail.ledger import VIRTUAL_SCHEME, By, Definition, EstimatedTimes, LedgerSlice, Tariff, boundaries, midnight
from wattrail.sanitize import printable
from wattrail.store import MeterRow, StoreReader, open_to_read
from wattrail.store.price_file import with_prices
from wattrail.toml_schema import needs_pydantic

__all__ = [
    "Format",
    "Length",
    "NamedAccount",
    "StoredAccount",
    "accounts",
    "load_tariff",
    "one_account",
]

NamedAccount = Annotated[
    str | None, Parameter(help="Name of the meter in the database; may be left out if there is only one.")
]
Length = Literal["15min", "hour", "day", "month", "billing"]
Format = Literal["csv", "json"]

_BACK = {By.DAY: timedelta(days=30), By.QUARTER_HOUR: timedelta(0), By.HOUR: timedelta(0)}
"""How far a list reaches back from the last day, where nothing is said; months reach to the beginning."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A meter in an open database, and the local time of its site."""

    meter: MeterRow
    reader: StoreReader
    zone: tzinfo

    def ledger_slice(self, *, since: datetime | None = None) -> LedgerSlice:
        """Its books. Raises UsageError if nothing was ever booked."""
        ledger_slice = self.reader.ledger_slice(self.meter.id, since=since)
        if not ledger_slice.entries:
            raise self.nothing()
        return ledger_slice

    def span(
        self, by: By, first: str | None, until: str | None, *, since: datetime | None = None
    ) -> tuple[datetime, datetime]:
        """The time from one option to the other; where nothing was typed, to the last entry. Raises UsageError.

        ``since`` is where it begins at the earliest if not where the ledger does.
        """
        outline = self.reader.outline(self.meter.id)
        if outline.began is None or outline.booked_until is None:
            raise self.nothing()
        began = since or outline.began
        end = moment(until, self.zone, "--to") if until else outline.booked_until
        if first:
            start = moment(first, self.zone, "--from")
        elif by in _BACK:
            # Spans are half-open: an end at midnight belongs to the day before.
            last_day = (end - timedelta(microseconds=1)).astimezone(self.zone).date() - _BACK[by]
            start = max(midnight(last_day, self.zone), began)
        else:
            start = began
        if end <= start:
            raise UsageError(f"no time lies from {start.astimezone(self.zone)} to {end.astimezone(self.zone)}")
        return start, end

    def estimated_times(self) -> EstimatedTimes:
        """When its energy is estimated by power."""
        return self.reader.estimated_times(self.meter.id)

    def definitions(self) -> list[tuple[Definition, int, datetime]]:
        """Of a virtual meter each definition, with the entry and the time from which it holds; none of any other."""
        if not self.meter.url.startswith(f"{VIRTUAL_SCHEME}:"):
            return []
        evidence = self.reader.evidence(self.meter.id)
        first = self.reader.first_of_epochs(self.meter.id)
        return [(Definition.from_url(evidence[number]), *begins) for number, begins in first.items()]

    def nothing(self) -> UsageError:
        """What to say of an account without an entry."""
        return UsageError(f"nothing is booked for {self.meter.name!r} yet", hint="wattrail run reads it")

    def marks(self, by: By, span: tuple[datetime, datetime], *, billing_day: int) -> tuple[datetime, ...]:
        """Boundaries of the periods that cover a span."""
        return boundaries(by, *span, self.zone, billing_day=billing_day)


@contextmanager
def accounts(name: str | None, options: BooksOptions) -> Iterator[tuple[StoredAccount, ...]]:
    """Every account of that name, or all there are; the first database that has any. Raises UsageError, StoreError."""
    config = load_config(options.config)
    zone = zone_of(config.site.timezone if config else None)
    written, demo = database_of(config), demo_database()
    places = [options.database] if options.database else [place for place in (written, demo) if is_there(place)]
    if not places:
        raise UsageError(f"found no database: neither {written} nor {demo}", hint="wattrail run makes one")
    known: list[str] = []
    for place in places:
        with open_to_read(place) as reader:
            rows = reader.meters()
            known += [f"{row.name} ({place})" for row in rows]
            found = tuple(StoredAccount(row, reader, zone) for row in rows if name in {None, row.name})
            if found:
                yield found
                return
    raise UsageError(
        f"no meter is named {name!r}; there are: {', '.join(known)}" if known else f"no meter in {places[0]}",
        hint=None if known else "wattrail run registers the meters of the configuration",
    )


@contextmanager
def one_account(name: str | None, options: BooksOptions) -> Iterator[StoredAccount]:
    """The account that was meant. Raises UsageError, StoreError."""
    with accounts(name, options) as found:
        if len(found) > 1:
            names = ", ".join(account.meter.name for account in found)
            raise UsageError(f"{found[0].reader.path} holds {len(found)} meters; say which: {names}")
        yield found[0]


def load_tariff(path: Path) -> Tariff:
    """The tariff in a TOML file. Raises ConfigError by file, line and field, MissingExtra."""
    name = printable(str(path))
    try:
        text = read_text(path)
    except FileError as error:
        raise ConfigError(str(error), hint=error.hint or "docs/ledger.md has an example") from error
    with needs_pydantic(f"reading {name}", extra="run"):
        from wattrail.app.tariff_file import parse_tariff

        return with_prices(parse_tariff(text, name, folder=path.absolute().parent))
