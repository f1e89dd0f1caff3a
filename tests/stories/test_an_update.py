"""An update on a machine that measures: the old version ends, the new one takes over, and there is a way back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from tests.fair_time import fair_time
from tests.store.test_opening import FIXTURES, TOTALS, pragma
from wattrail.store import open_store, schema

LIMIT_S = 3.0
HANGS_AFTER_S = 60.0
ROOT = Path(__file__).parents[2]
OLD = len(schema.migrations())
NEXT = "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;"

# A gateway with the meter of the fixtures on a stub. The last argument is the newest schema that it knows: that of
# today, which is the old one here, or the one after it.
PROGRAM = """
import sys
from pathlib import Path
from tests.gateway.rig import StubMeter
from wattrail.app import ServicePlan, run
from wattrail.errors import WattrailError
from wattrail.gateway import GatewayPlan, MeterChanged, MeterPlan
from wattrail.store import schema

steps = (*schema.migrations(), "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;")[: int(sys.argv[3])]
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
        hangs = threading.Timer(HANGS_AFTER_S, process.kill)
        hangs.start()
        try:
            for _ in range(3):
                assert process.stdout.readline() == "read\n", process.communicate()[1]
        finally:
            hangs.cancel()
        with fair_time() as taken:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert process.returncode == 0
        return taken.seconds


def last_count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count FROM entry ORDER BY meter_id, sequence DESC LIMIT 1").fetchone()[0])


def imported(database: Path, *, knows: int) -> int:
    steps = (*schema.migrations(), NEXT)[:knows]
    with patch.object(schema, "migrations", lambda: steps), open_store(database) as store:
        row = store.meter("house")
        assert row is not None
        ledger = store.ledger(row.id)
        assert ledger is not None
        ledger.close()  # on a machine that is too slow for the stop, what it left is in the stored readings
        return ledger.totals().import_mwh


def test_an_update_loses_nothing_and_the_old_version_names_the_way_back(tmp_path: Path) -> None:
    database, new = tmp_path / "w.sqlite", OLD + 1
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((FIXTURES / f"version_{OLD:04d}.sql").read_text(encoding="utf-8"))

    # The old version measures, and ends in time when it is asked to.
    assert measure_and_stop(database, count=last_count(database), knows=OLD) < LIMIT_S
    assert pragma(database, "user_version") == OLD
    counted = last_count(database)

    # The new one begins where it ended; what the meter counted between the two is there.
    assert measure_and_stop(database, count=counted + 1000, knows=new) < LIMIT_S
    assert pragma(database, "user_version") == new
    before = imported(database, knows=new)
    assert before > TOTALS.import_mwh
    copy = tmp_path / f"w.sqlite.before-version-{new}"
    assert pragma(copy, "user_version") == OLD

    # The old version refuses the newer database, touches nothing, and names the copy.
    with gateway(database, count=0, knows=OLD) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"schema version {new}; this program knows versions up to {OLD}" in said
    assert f"cp {copy} {database}" in said
    assert imported(database, knows=new) == before

    # Back to it: what the meter counted since is booked from its counter.
    database.unlink()
    copy.rename(database)
    assert measure_and_stop(database, count=counted + 2000, knows=OLD) < LIMIT_S
    assert imported(database, knows=OLD) > TOTALS.import_mwh
