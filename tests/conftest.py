"""Chance with a seed: every property test tries the same cases on every run, however slow the machine is.

``HYPOTHESIS_PROFILE=fresh`` tries others on every run, as ``make fuzz`` does. What fails there is printed with the
example and with a ``@reproduce_failure`` line; ``--hypothesis-seed`` with the printed seed repeats the whole run.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres_server import PostgresServer, missing_server, running_server
from wattrail.database_address import DatabaseAddress

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.register_profile("fresh", settings.get_profile("repeatable"), derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Our tests start hundreds of our own programs. Where none may keep its byte code, as in many containers, each of them
# compiles our modules again: 0.25 s of a processor each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts what it puts into the background with Ctrl-C ignored, and its children inherit that: the stories in
# which it is pressed need it back.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: the tests wait a third of their time, for processes and timers."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + (processors + 1) // 2


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while thousands of tests are collected, and never again among them: a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run."""
    if reason := missing_server():
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], DatabaseAddress]:
    """Gives another empty database at each call; what uses it is tried on both kinds."""
    if request.param == "sqlite":
        files = (tmp_path / "home" / f"w{number or ''}.sqlite" for number in range(99))
        return lambda: next(files)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.address


@pytest.fixture
def address(new_address: Callable[[], DatabaseAddress]) -> DatabaseAddress:
    """An empty database of each kind."""
    return new_address()
