"""The sections of a support report: each is one function from the surroundings to lines, before anything is removed."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.request import ProxyHandler, build_opener

from wattrail import __version__
from wattrail.app.doctor import Surroundings, examine
from wattrail.database_address import is_there
from wattrail.files import read_text
from wattrail.store import LockHolder, StoreReader, open_to_read
from wattrail.store.rows import MeterRow
from wattrail.transport.discovery import list_candidates

__all__ = ["SECTIONS", "Section"]

Section = Callable[[Surroundings], Iterator[str]]

_JOURNAL_LINES: Final = 400
_JOURNAL_S: Final = 10
_ANSWER_S: Final = 5.0
_MAX_ANSWER: Final = 100_000
_DAYS: Final = 7
_ENTRY_DAYS: Final = 90
_ENTRIES: Final = 30
_LIBRARIES: Final = (
    "serialx", "spidev", "gpiod", "pyftdi", "numpy", "pydantic", "cryptography", "h11", "aiomqtt", "websockets",
    "zeroconf", "psycopg", "pyarrow", "keyring", "fastapi", "uvicorn", "argon2-cffi", "tomlkit", "cyclopts", "rich",
)  # fmt: skip


def program(_around: Surroundings) -> Iterator[str]:
    """Versions of everything, without the name of the machine."""
    yield f"wattrail {__version__}, Python {platform.python_version()} ({platform.python_implementation()})"
    with_os = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    yield f"{with_os.get('PRETTY_NAME', platform.system())}, kernel {platform.release()}, {platform.machine()}"
    found = {name: _version(name) for name in _LIBRARIES}
    yield ", ".join(f"{name} {version}" for name, version in found.items() if version)
    yield f"not installed: {', '.join(name for name, version in found.items() if not version) or 'nothing'}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def doctor(around: Surroundings) -> Iterator[str]:
    """What the doctor finds, with its remedies."""
    for name, finding in examine(around):
        yield f"{finding.severity:<8} {name:<14} {finding.text}"
        if finding.remedy:
            yield f"{'':<24}remedy: {finding.remedy}"


def configuration(around: Surroundings) -> Iterator[str]:
    """The file as it is, comments and all."""
    if around.file is None:
        yield "there is no wattrail.toml"
        return
    yield f"# {around.file}"
    yield read_text(around.file)
    if around.problem is not None:
        yield f"# refused: {around.problem}"


def ports(_around: Surroundings) -> Iterator[str]:
    """Ports with a device behind them."""
    for found in list_candidates():
        yield f"{found.url}  {found.description}"


def meters(around: Surroundings) -> Iterator[str]:
    """Every meter of the database, its last reading, its links of a week, and the last entries that are not plain."""
    if not is_there(around.database):
        yield f"there is no database at {around.database}"
        return
    with open_to_read(around.database) as reader:
        for meter in reader.meters():
            yield f"{meter.name}: {meter.url}{', simulated' if meter.simulated else ''}"
            yield from _ledger(reader, meter)


def _ledger(reader: StoreReader, meter: MeterRow) -> Iterator[str]:
    outline = reader.outline(meter.id).entries
    if not outline:
        yield "  the ledger has no entry"
        return
    last = outline[-1]
    yield f"  {last.sequence} entries until {_utc(last.end)}, register {last.count}"
    for day in reader.link_days(meter.name, limit=_DAYS):
        parts = [f"{field.name} {value:g}" for field in fields(day)[1:] if (value := getattr(day, field.name))]
        yield f"  {day.day}: {', '.join(parts)}"
    first, end = last.end - timedelta(days=_ENTRY_DAYS), last.end + timedelta(seconds=1)
    for entry in reader.remarkable_entries(meter.id, first, end, limit=_ENTRIES).entries:
        note = f", {entry.note}" if entry.note else ""
        yield (
            f"  entry {entry.sequence} {entry.kind}: {_utc(entry.start)} to {_utc(entry.end)}, counts "
            f"+{entry.positive} -{entry.negative} ?{entry.undirected}{note}"
        )


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def gateway(around: Surroundings) -> Iterator[str]:
    """The gateway that holds the database, and what the journal of systemd has of it."""
    holder = around.gateway()
    if holder is None:
        yield "no gateway runs on this database"
    else:
        yield f"holds the database: {holder}"
        yield from _live(holder)
    if shutil.which("journalctl") is None:
        return
    command = ["journalctl", "--unit=wattrail", f"--lines={_JOURNAL_LINES}", "--no-pager", "--output=short-iso"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_JOURNAL_S, check=False)
    except subprocess.TimeoutExpired:
        yield "the journal did not answer"
        return
    yield done.stdout.decode(errors="replace")


def _live(holder: LockHolder) -> Iterator[str]:
    """What the running gateway says of its meters and publishers, where this user may ask it."""
    if holder.address is None:
        return
    for path in ("meters", "publishers", "configuration"):
        try:
            # The gateway is on this machine; a proxy of the environment would send the request elsewhere.
            with build_opener(ProxyHandler({})).open(f"{holder.address}api/v1/{path}", timeout=_ANSWER_S) as answer:
                yield f"/api/v1/{path}: {answer.read(_MAX_ANSWER).decode(errors='replace')}"
        except OSError as error:
            yield f"/api/v1/{path} was not answered: {error}"


SECTIONS: Final[tuple[tuple[str, Section], ...]] = (
    ("Versions", program),
    ("What the doctor finds", doctor),
    ("Configuration", configuration),
    ("Ports", ports),
    ("Meters", meters),
    ("Gateway", gateway),
)
"""What a report has, in this order, by the title of each."""
