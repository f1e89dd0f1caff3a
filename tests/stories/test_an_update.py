"""An update on a machine that measures: the old version ends, the new one takes over, and there is a way back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.store.test_opening import FIXTURES, TOTALS, pragma
from wattrail.store import open_store
from wattrail.store.schema import migrations

LIMIT_S = 3.0
ROOT = Path(__file__).parents[2]

# A gateway with the meter of the fixtures on a stub. The last argument is the newest schema that it knows.
PROGRAM = """
import sys
from pathlib import Path
from tests.gateway.rig import StubMeter
from wattrail.app import ServicePlan, run
from wattrail.errors import WattrailError
from wattrail.gateway import GatewayPlan, MeterChanged, MeterPlan
from wattrail.store import schema

steps = schema.migrations()[: int(sys.argv[3])]
schema.migrations = lambda: steps
plan = GatewayPlan(meters=(MeterPlan(name="house", url="serial:///dev/ttyUSB0", poll_s=0.2),))

def publish(events):
    readings = [print("read", flush=True) for event in events if isinstance(event, MeterChanged) and event.view.reading]

try:
    run(
        ServicePlan(gateway=plan, database=Path(sys.argv[1]), publishers={"test": publish}),
        opener=lambda plan, clock: StubMeter(count=int(sys.argv[2])).open(plan, clock),
    )
except WattrailError as error:
    sys.exit(f"{error}\\n{error.hint}")
"""


def gateway(database: Path, *, count: int, knows: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(database), str(count), str(knows)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip


def measure_and_stop(database: Path, *, count: int, knows: int) -> float:
    """Let a gateway read some times, and ask it to stop; returns the seconds that this took."""
    with gateway(database, count=count, knows=knows) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == "read\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
        return time.monotonic() - began


def last_count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count FROM entry ORDER BY meter_id, sequence DESC LIMIT 1").fetchone()[0])


def imported(database: Path) -> int:
    with open_store(database) as store:
        row = store.meter("house")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        ledger.close()  # on a machine that is too slow for the stop, what it left is in the stored readings
        return ledger.totals().import_mwh


def test_an_update_loses_nothing_and_the_old_version_names_the_way_back(tmp_path: Path) -> None:
    database, newest = tmp_path / "w.sqlite", len(migrations())
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((FIXTURES / "version_0008.sql").read_text(encoding="utf-8"))

    # The old version measures, and ends in time when it is asked to.
    assert measure_and_stop(database, count=last_count(database), knows=8) < LIMIT_S
    assert pragma(database, "user_version") == 8
    counted = last_count(database)

    # The new one begins where it ended; what the meter counted between the two is there.
    assert measure_and_stop(database, count=counted + 1000, knows=newest) < LIMIT_S
    assert pragma(database, "user_version") == newest
    before = imported(database)
    assert before > TOTALS.import_mwh
    copy = tmp_path / f"w.sqlite.before-version-{newest}"
    assert pragma(copy, "user_version") == 8

    # The old version refuses the newer database, touches nothing, and names the copy.
    with gateway(database, count=0, knows=8) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"schema version {newest}; this program knows versions up to 8" in said
    assert f"cp {copy} {database}" in said
    assert imported(database) == before

    # Back to it: what the meter counted since is booked from its counter.
    database.unlink()
    copy.rename(database)
    assert measure_and_stop(database, count=counted + 2000, knows=8) < LIMIT_S
    assert imported(database) > TOTALS.import_mwh
