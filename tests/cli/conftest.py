"""A person with an empty home, and the command as that person types it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.store.rig import live_through, register
from wattrail.cli.main import main
from wattrail.clock import ManualClock
from wattrail.store import open_store


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


Type = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a working directory, that hold nothing."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(work)
    return home


@pytest.fixture(scope="session")
def hour_of_a_house(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with an hour of one meter, booked second by second; each test changes a copy of its own."""
    path = tmp_path_factory.mktemp("hour") / "wattrail.sqlite"
    with open_store(path) as store:
        meter = register(store)
        store.book(meter, live_through(store, meter, range(3600)).close())
    return path.read_bytes()


@pytest.fixture
def wattrail(capsys: pytest.CaptureFixture[str]) -> Type:
    """Run a command within this process: ``wattrail("meter", "read")``."""

    def run(*words: str) -> Outcome:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return Outcome(int(code), said.out, said.err)

    return run


@pytest.fixture
def manual_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Verbs wait for nothing, and every run sees the same moments, in UTC."""
    clock = ManualClock(datetime(2026, 6, 21, 12, tzinfo=UTC))
    monkeypatch.setattr("wattrail.cli.clock.CLOCK", clock)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield clock
    monkeypatch.undo()
    time.tzset()
