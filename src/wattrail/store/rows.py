"""Between rows and values: every column list stands here once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

from wattrail.calibration import Calibration
from wattrail.database_address import DatabaseAddress
from wattrail.energy_register import BootEvidence
from wattrail.errors import StoreError, UrlError
from wattrail.ledger import VIRTUAL_SCHEME, Entry, EntryKind, Epoch, Observation
from wattrail.sanitize import hide_credentials
from wattrail.store.registers import boot_from_text, boot_text
from wattrail.units import PlainSample, Quantities, Reading
from wattrail.urls import innermost

__all__ = [
    "ENTRY_LIST",
    "MeterRow",
    "account_kind",
    "entry_from_row",
    "entry_row",
    "epoch_constants",
    "from_microseconds",
    "microseconds",
    "observation_from_row",
    "reading_from_row",
    "reading_row",
    "refuse_mixing",
    "source_kind",
    "stated_from_row",
    "stated_row",
    "without_credentials",
]

_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLION = 1_000_000
_KINDS = {kind.value: kind for kind in EntryKind}
_NUMBER = frozenset({int})
_NUMBER_OR_NONE = _NUMBER | {bool, NoneType}

Constants = tuple[int | None, int | None, int | None, bool]
"""Counts per volt, per ampere and per watt in millionths, and whether the sign of power is flipped.

None for a meter that gives quantities.
"""


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A registered meter and the calibration that holds. ``recalibrated``: other constants were given just now."""

    id: int
    name: str
    url: str
    simulated: bool
    epoch: Epoch
    recalibrated: bool = False


ENTRY_COLUMNS = (
    "sequence", "kind", "started_at", "ended_at", "epoch", "count", "positive", "negative", "undirected", "elapsed_us",
    "readings", "watt_us_positive", "watt_us_negative", "carry", "mode", "status", "watt", "note",
)  # fmt: skip
STATED_COLUMNS = (
    "sequence", "kind", "started_at", "ended_at", "epoch", "positive", "negative", "undirected", "import_mwh",
    "export_mwh", "about", "who", "stated_at", "note",
)  # fmt: skip
LATER_COLUMNS = ("export_count", "mark", "export_mark", "algebraic", "boot")
"""Columns of an entry that version 5 added."""
ENTRY_LIST = ", ".join(ENTRY_COLUMNS + LATER_COLUMNS)
"""What ``entry_from_row`` takes, in SQL."""
OBSERVATION_COLUMNS = (
    "at", "elapsed_us", "energy_count", "watt_count", "mode", "status", "restarted", "algebraic", "last_pulse_negative",
    "export_count", "boot",
)  # fmt: skip
QUANTITY_COLUMNS = ("millivolts", "microamps", "milliwatts", "millihertz", "power_factor_ppm")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware moment. Raises TypeError for a naive one."""
    return (moment - _ORIGIN) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The moment, in UTC."""
    return _ORIGIN + timedelta(0, 0, count)


def epoch_constants(calibration: Calibration | None) -> Constants:
    """A calibration as exact integers."""
    if calibration is None:
        return None, None, None, False
    return (
        round(calibration.counts_per_volt * _MILLION),
        round(calibration.counts_per_amp * _MILLION),
        round(calibration.counts_per_watt * _MILLION),
        calibration.inverted,
    )


def entry_row(entry: Entry) -> tuple[object, ...]:
    """An entry in the order of ENTRY_COLUMNS, then LATER_COLUMNS."""
    return (
        entry.sequence, entry.kind.value, microseconds(entry.start), microseconds(entry.end), entry.epoch, entry.count,
        entry.positive, entry.negative, entry.undirected, entry.elapsed_us, entry.readings, entry.watt_us_positive,
        entry.watt_us_negative, entry.carry, entry.mode, entry.status, entry.watt, entry.note,
        entry.export_count, entry.mark, entry.export_mark, entry.algebraic, boot_text(entry.boot),
    )  # fmt: skip


def entry_from_row(row: tuple[Any, ...]) -> Entry:
    """The entry again. Raises ValueError for what no entry holds, as in a damaged file."""
    (
        sequence, kind, started_at, ended_at, epoch, count, positive, negative, undirected, elapsed_us, readings,
        watt_us_positive, watt_us_negative, carry, mode, status, watt, note, export_count, mark, export_mark, algebraic,
        boot,
    ) = row  # fmt: skip
    _require_numbers(row[:1] + row[2:16], "entry")
    if not isinstance(watt, int | None) or not isinstance(note, str):
        raise ValueError(f"entry {sequence}: {(watt, note)!r} is not a power and a note")
    if not _NUMBER_OR_NONE.issuperset(map(type, row[18:22])):
        raise ValueError(f"entry {sequence}: {row[18:22]!r} are not counts")
    return Entry(
        sequence=sequence, kind=_KINDS.get(kind) or EntryKind(kind), start=from_microseconds(started_at),
        end=from_microseconds(ended_at), epoch=epoch, count=count, positive=positive, negative=negative,
        undirected=undirected, elapsed_us=elapsed_us, readings=readings, watt_us_positive=watt_us_positive,
        watt_us_negative=watt_us_negative, carry=carry, mode=mode, status=status, watt=watt, note=note,
        export_count=export_count, mark=mark, export_mark=export_mark,
        algebraic=None if algebraic is None else bool(algebraic), boot=boot_from_text(boot),
    )  # fmt: skip


def stated_row(entry: Entry) -> tuple[object, ...]:
    """A manual entry in the order of STATED_COLUMNS."""
    return (
        entry.sequence, entry.kind.value, microseconds(entry.start), microseconds(entry.end), entry.epoch,
        entry.positive, entry.negative, entry.undirected, entry.import_mwh, entry.export_mwh, entry.about, entry.who,
        microseconds(entry.stated_at or entry.end), entry.note,
    )  # fmt: skip


def stated_from_row(row: tuple[Any, ...]) -> Entry:
    """The manual entry again. Raises ValueError for what none holds, as in a damaged file."""
    _require_numbers((row[0], *row[2:11], row[12]), "manual entry")
    if not isinstance(row[11], str) or not isinstance(row[13], str):
        raise ValueError(f"manual entry {row[0]}: {row[11]!r}, {row[13]!r} are not texts")
    sequence, kind, started_at, ended_at, epoch, positive, negative, undirected, *said = row
    import_mwh, export_mwh, about, who, stated_at, note = said
    return Entry(
        sequence=sequence, kind=EntryKind(kind), start=from_microseconds(started_at), end=from_microseconds(ended_at),
        epoch=epoch, count=0, positive=positive, negative=negative, undirected=undirected, import_mwh=import_mwh,
        export_mwh=export_mwh, about=about, who=who, stated_at=from_microseconds(stated_at), note=note,
    )  # fmt: skip


def reading_row(reading: Reading, seen: Observation) -> tuple[object, ...]:
    """A reading in the order of OBSERVATION_COLUMNS, then QUANTITY_COLUMNS."""
    return (
        microseconds(seen.at), seen.elapsed_us, seen.count, seen.watt, seen.mode, seen.status,
        seen.restarted, seen.algebraic, seen.last_pulse_negative, seen.export_count, boot_text(seen.boot),
        _scaled(reading.volts, 1e3), _scaled(reading.amps, 1e6), _scaled(reading.watts, 1e3),
        _scaled(reading.hertz, 1e3), _scaled(reading.power_factor, 1e6),
    )  # fmt: skip


def observation_from_row(
    row: tuple[int, int | None, int, int | None, int, int, int, int, int, int | None, str | None],
) -> Observation:
    """What the ledger saw, from OBSERVATION_COLUMNS."""
    at, elapsed_us, count, watt, mode, status, restarted, algebraic, negative, export_count, boot = row
    return Observation(
        at=from_microseconds(at), elapsed_us=elapsed_us, count=count, watt=watt, mode=mode, status=status,
        restarted=bool(restarted), algebraic=bool(algebraic), last_pulse_negative=bool(negative),
        export_count=export_count, boot=boot_from_text(boot),
    )  # fmt: skip


def reading_from_row(seen: Observation, quantities: tuple[int | None, ...], *, simulated: bool) -> Reading:
    """A stored reading. Its monotonic clock is gone: 0.0."""
    millivolts, microamps, milliwatts, millihertz, ppm = quantities
    known = Quantities(
        volts=_unscaled(millivolts, 1e3), amps=_unscaled(microamps, 1e6), watts=_unscaled(milliwatts, 1e3),
        hertz=_unscaled(millihertz, 1e3), power_factor=_unscaled(ppm, 1e6),
    )  # fmt: skip
    counts = {"cf_cnt": seen.count, "status": seen.status, "mode": seen.mode}
    if seen.watt is not None:
        counts["watt"] = seen.watt
    return Reading(
        at=seen.at, monotonic=0.0, sample=PlainSample(known, counts),
        evidence=BootEvidence(is_reset=seen.restarted), simulated=simulated,
    )  # fmt: skip


def without_credentials(url: str) -> str:
    """A URL as it may be shown and stored: no user, no password, no token."""
    return hide_credentials(re.sub(r"//[^/?#\s]*@", "//", url))


def source_kind(url: str) -> str:
    """``twin``, ``replay`` or ``meter``: what may never share one account. ``record:`` is what it records."""
    try:
        scheme = innermost(url).scheme
    except UrlError:  # never opened as it stands: what opens it says so
        scheme = url.partition(":")[0].lower()
    return scheme if scheme in {"twin", "replay"} else "meter"


def account_kind(kind: str, url: str) -> str:
    """What may never share one account: the kind of a source, or a virtual meter."""
    return "virtual meter" if url.startswith(f"{VIRTUAL_SCHEME}:") else kind


def refuse_mixing(name: str, *, stored: tuple[str, bool], given: tuple[str, bool], path: DatabaseAddress) -> None:
    """Raises StoreError where a name stands for another kind of meter than the stored one; each has its mark."""
    if stored == given:
        return
    was, now = (f"{'simulated ' if simulated else ''}{kind}" for kind, simulated in (stored, given))
    raise StoreError(
        f"{name!r} is a {was} in {path}, and now it is to be a {now}: their energy must not share one account",
        hint="give the meter another name, or use another database file",
    )


def _require_numbers(values: tuple[Any, ...], what: str) -> None:
    """The database promises types when a row is written, not when a damaged page is read."""
    if not _NUMBER.issuperset(map(type, values)):
        wrong = next(value for value in values if type(value) not in _NUMBER)
        raise ValueError(f"{what} {values[0]!r}: {wrong!r} is not a whole number")


def _unscaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value / factor


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)
