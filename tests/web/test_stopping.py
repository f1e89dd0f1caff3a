"""SIGTERM ends the process in under three seconds, whatever it is waiting for, and what was stored stays stored."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fair_time import fair_time
from wattrail.gateway import Feed
from wattrail.store import open_store, open_to_read
from wattrail.web import Setup, WebProcess, bind

EVER, ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LIMIT_S = 3.0
PROGRAM = """
import os, sys, time
from pathlib import Path
from wattrail.app import ServicePlan, WebPlan, run
from wattrail.gateway import GatewayPlan, MeterPlan, open_planned
from wattrail.gateway.logs import set_up_logging

def opener(plan, clock):
    meter = open_planned(plan, clock)
    read, seen = meter.read, []
    def blocking():
        seen.append(1)
        if plan.name == "stuck" and len(seen) > 3:
            BLOCK
        return read()
    meter.read = blocking
    return meter

def publish(events):
    PUBLISH

set_up_logging()
plan = GatewayPlan(meters=tuple(
    MeterPlan(name=name, url="twin://pziot-e01?seed=7", poll_s=0.2) for name in ("good", "stuck")
))
run(
    ServicePlan(gateway=plan, database=Path(sys.argv[1]), web=PAGE, publishers={"publisher": publish}),
    on_ready=lambda address: print(address, flush=True), opener=opener,
)
"""


def program(*, block: str = "pass", publish: str = "list(events)", page: str = "WebPlan(port=0)") -> str:
    return PROGRAM.replace("BLOCK", block).replace("PUBLISH", publish).replace("PAGE", page)


PORT_BLOCKS = program(block="time.sleep(25)")
FIFO_BLOCKS = program(block="os.close(os.open(sys.argv[1] + '.fifo', os.O_RDONLY))")
NOTHING_BLOCKS = program()


@contextmanager
def started(program: list[str], folder: Path, *, ready: bool = True) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            if ready:
                assert process.stdout.readline().startswith(("http://", "None"))  # None: no page is served
            yield process
        finally:
            process.kill()


def seconds_to_end(process: subprocess.Popen[str], *signals: signal.Signals) -> float:
    with fair_time() as taken:
        for number in signals or (signal.SIGTERM,):
            process.send_signal(number)
        process.wait(60)
    return taken.seconds


def asked(database: Path, sql: str, *values: str) -> object:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchone()[0]


def readings(database: Path, name: str) -> int:
    with open_to_read(database) as reader:
        row = reader.meter(name)
        return 0 if row is None else len(reader.readings_page(row.id, EVER, ALWAYS, None, 100_000))


def wait_for_readings(database: Path, name: str, count: int) -> None:
    until = time.monotonic() + 60
    while readings(database, name) < count:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("program", [PORT_BLOCKS, FIFO_BLOCKS], ids=["port", "fifo"])
def test_a_port_that_blocks_is_left_behind_and_its_readings_are_kept(tmp_path: Path, program: str) -> None:
    database = tmp_path / "w.sqlite"
    os.mkfifo(f"{database}.fifo")
    with started(["-c", program, str(database)], tmp_path) as process:
        wait_for_readings(database, "stuck", 3)
        wait_for_readings(database, "good", 8)
        assert seconds_to_end(process) < LIMIT_S
        assert process.returncode == 0
        assert process.stderr is not None
        told = process.stderr.read()
    assert "stuck did not stop in time" in told
    assert "Traceback" not in told
    assert readings(database, "stuck") == 3


@pytest.mark.parametrize(
    "text",
    [
        program(block="time.sleep(25)", page="None"),
        program(publish="time.sleep(25)"),
        program(block="time.sleep(25)", publish="time.sleep(25)"),
    ],
    ids=["no page", "publisher", "port and publisher"],
)
def test_whatever_part_blocks_a_library_caller_ends_in_time(tmp_path: Path, text: str) -> None:
    database = tmp_path / "w.sqlite"
    with started(["-c", text, str(database)], tmp_path) as process:
        wait_for_readings(database, "stuck", 3)
        wait_for_readings(database, "good", 8)  # the other one waits in its fourth reading by now
        assert seconds_to_end(process) < LIMIT_S
        assert process.returncode == 0
        assert process.stderr is not None
        told = process.stderr.read()
    assert "did not stop in time" in told
    assert "Traceback" not in told


def test_a_caller_that_blocks_after_the_service_is_ended_too(tmp_path: Path) -> None:
    text = program() + "\ntime.sleep(25)\n"
    with started(["-c", text, str(tmp_path / "w.sqlite")], tmp_path) as process:
        # What a caller does after the service has a deadline of its own, as long as that of the service.
        assert seconds_to_end(process) < LIMIT_S + 2.5
        assert process.returncode == 0


def test_a_database_that_another_program_holds_does_not_hold_the_process(tmp_path: Path) -> None:
    database = tmp_path / "w.sqlite"
    with started(["-c", NOTHING_BLOCKS, str(database)], tmp_path) as process:
        wait_for_readings(database, "good", 3)
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        kept = readings(database, "good")
        time.sleep(0.5)  # until the meters' threads wait for the lock
        assert seconds_to_end(process) < LIMIT_S
        assert process.returncode == 0
        other.close()
    assert readings(database, "good") >= kept
    assert asked(database, "PRAGMA integrity_check") == "ok"


def test_a_database_that_never_opens_does_not_hold_the_process(tmp_path: Path) -> None:
    database = tmp_path / "w.sqlite"
    os.mkfifo(database)
    command = ["-m", "wattrail", "run", "--port", "0", "--no-open", "--database", str(database)]
    with started(command, tmp_path, ready=False) as process:
        time.sleep(2)
        assert seconds_to_end(process) < LIMIT_S


@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]],  # twice at once, as timeout(1) does it
    ids=["SIGINT", "SIGTERM", "twice"],
)
def test_without_anything_that_blocks_a_stop_is_quick_and_quiet(tmp_path: Path, numbers: list[signal.Signals]) -> None:
    database = tmp_path / "w.sqlite"
    with started(["-c", NOTHING_BLOCKS, str(database)], tmp_path) as process:
        for name in ("good", "stuck"):
            wait_for_readings(database, name, 1)  # before the first one a chip settles for 1.6 s, which blocks
        assert seconds_to_end(process, *numbers) < LIMIT_S
        assert process.returncode == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_page_ends_by_itself_once_its_gateway_has_no_more_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattrail.web.process._STOP_WITHIN_S", 60.0)
    database, ready = tmp_path / "w.sqlite", threading.Event()
    open_store(database).close()
    with bind(port=0) as listener:
        page = WebProcess(Feed(), Setup(database=database, zone="UTC"), listener, on_ready=lambda _: ready.set())
        assert ready.wait(60)
        process = page._process
        assert process is not None
        page.stop()
    assert process.returncode == 0, "nobody had to kill it"


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    database = tmp_path / "w.sqlite"
    with started(["-c", PORT_BLOCKS, str(database)], tmp_path) as process:
        wait_for_readings(database, "stuck", 3)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert seconds_to_end(process, signal.SIGINT) < 0.7
