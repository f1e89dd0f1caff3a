"""A calibration that a command keeps beside a gateway is taken up by a reload, and by nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.app.test_reload import GARAGE, HOUSE, WAIT_S, File, environment_of, gateway, live, reloaded
from tests.app.test_systemd_notify import LONGEST_S, heard, listening
from wattrail.app import Service, open_service
from wattrail.calibration import Calibration
from wattrail.errors import StoreUnavailable
from wattrail.gateway import MeterChanged
from wattrail.ledger import EntryKind
from wattrail.store import open_store, open_to_read
from wattrail.store.read_only import StoreReader

HOUSE_WATTS = 1000.0


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


def calibration_of(service: Service, name: str) -> Calibration:
    view = service.feed.view(name)
    assert view is not None
    assert view.reading is not None
    assert view.reading.calibration is not None
    return view.reading.calibration


def keep(file: File, calibration: Calibration) -> None:
    """As a command does it, beside the gateway."""
    with open_store(file.database) as store:
        store.keep_calibration("house", calibration, simulated=True, origin="measured", by="ada", at=datetime.now(UTC))


def kinds(reader: StoreReader, name: str) -> list[EntryKind]:
    row = reader.meter(name)
    assert row is not None
    assert reader.broken_links(row.id) == ()
    return [entry.kind for entry in reader.ledger_slice(row.id).entries]


async def read_again(service: Service, name: str, times: int) -> None:
    before = service.feed.view(name)
    async with asyncio.timeout(WAIT_S):
        with service.feed.subscribe("test") as events:
            async for event in events:
                if isinstance(event, MeterChanged) and event.meter == name and event.view != before:
                    before, times = event.view, times - 1
                    if times == 0:
                        return


async def shows(service: Service, name: str, calibration: Calibration) -> None:
    async with asyncio.timeout(WAIT_S):
        with service.feed.subscribe("test") as events:
            async for event in events:
                reading = event.view.reading if isinstance(event, MeterChanged) and event.meter == name else None
                if reading is not None and reading.calibration == calibration:
                    return


def test_a_reload_takes_up_what_was_kept_and_leaves_other_meters_alone(file: File) -> None:
    measured = Calibration(15883.0, 141000.0, 400.0)

    async def story() -> None:
        file.write(HOUSE, GARAGE)
        async with open_service(file.plan(web=False)) as service:
            for name in ("house", "garage"):
                await live(service, name)
            first, other = calibration_of(service, "house"), calibration_of(service, "garage")
            await asyncio.to_thread(keep, file, measured)
            await read_again(service, "house", 2)
            assert calibration_of(service, "house") == first, "not by itself"
            assert await service.change(file.plan(web=False)) == ("other calibration of meter house",)
            await shows(service, "house", measured)
            assert calibration_of(service, "garage") is other
            assert await service.change(file.plan(web=False)) == ()

    asyncio.run(story())
    with open_to_read(file.database) as reader:
        assert [kind for kind in kinds(reader, "house") if kind is not EntryKind.COUNTED] == [
            EntryKind.START, EntryKind.EPOCH,
        ]  # fmt: skip
        assert set(kinds(reader, "garage")) <= {EntryKind.START, EntryKind.COUNTED}


def test_a_database_that_cannot_be_read_costs_the_calibration_alone(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the server is away")

    async def story() -> None:
        file.write(HOUSE)
        async with open_service(file.plan(web=False)) as service:
            await live(service, "house")
            with monkeypatch.context() as patched:
                patched.setattr(service.store, "calibration", away)
                said = await service.change(file.plan(web=False))
            assert said == ("kept calibrations are not taken up: the server is away",)
            await live(service, "house")

    asyncio.run(story())


def test_a_configured_calibration_is_changed_by_a_reload(file: File) -> None:
    given = "calibration = { counts_per_volt = 15883.0, counts_per_amp = 141000.0, counts_per_watt = 400.0 }\n"

    async def story() -> None:
        file.write(HOUSE)
        async with open_service(file.plan(web=False)) as service:
            await live(service, "house")
            file.write(HOUSE, given)
            assert await service.change(file.plan(web=False)) == ("changed meter house",)
            await shows(service, "house", Calibration(15883.0, 141000.0, 400.0))
            keep(file, Calibration(15883.0, 141000.0, 380.0))
            assert await service.change(file.plan(web=False)) == (), "what a person wrote wins"

    asyncio.run(story())


def test_a_command_says_that_a_gateway_runs_and_the_signal_applies_it(file: File, tmp_path: Path) -> None:
    """The wire passes twice through the hole: the same counts are half the power from then on."""

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wattrail", *words, "--config", str(file.path)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environment_of(file)
        )

    def watts(stream: Iterable[bytes]) -> Iterator[float]:
        """The power of each reading, as the page gets it."""
        for line in stream:
            found = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: [{") else []
            yield from (float(one["reading"]["watts"]) for one in found if one["reading"])

    file.write(HOUSE)
    with listening(tmp_path / "n") as line, gateway(file, notify=tmp_path / "n") as process:
        address = heard(line, "READY=1").partition("page ")[2]
        said = typed("meter", "calibrate", "house", "--turns", "2", "--apply", "--by", "ada")
        assert said.returncode == 0, said.stderr
        assert f"a gateway runs, process {process.pid} on " in said.stderr
        assert "wattrail reload applies it; the past keeps its own" in said.stderr
        with urlopen(f"{address}api/v1/events", timeout=LONGEST_S) as stream:
            shown = watts(stream)
            assert next(shown) == pytest.approx(HOUSE_WATTS, rel=0.02)
            assert reloaded(file).stdout == "other calibration of meter house\n"
            halved = next(power for power in shown if power < 0.9 * HOUSE_WATTS)
            assert halved == pytest.approx(HOUSE_WATTS / 2, rel=0.02)
            assert reloaded(file).stdout == "nothing has changed\n"
            assert next(shown) == pytest.approx(HOUSE_WATTS / 2, rel=0.02), "the stream is the one before the reload"
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0
    with closing(sqlite3.connect(file.database)) as database:
        halves = database.execute("SELECT micro_counts_per_watt FROM epoch ORDER BY number").fetchall()
    assert halves[1][0] == pytest.approx(2 * halves[0][0], rel=1e-6)
    with open_to_read(file.database) as reader:
        assert kinds(reader, "house").count(EntryKind.EPOCH) == 1
