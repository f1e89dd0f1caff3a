"""A plan becomes a running service, with and without each of its parts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.gateway.rig import StubMeter
from wattrail.app import ServicePlan, WebPlan, load_config, open_service, plan_service
from wattrail.clock import Clock
from wattrail.errors import ConfigError, StoreError
from wattrail.gateway import EntryBooked, GatewayPlan, MeterChanged, MeterPlan, MeterState, Subscription
from wattrail.store import open_store

ROOT = Path(__file__).parents[2]
HOUSE = GatewayPlan(meters=(MeterPlan(name="house", url="serial:///dev/ttyUSB0", poll_s=0.2),))
WITHOUT_WEB_LIBRARIES = """
import sys
for name in ("fastapi", "starlette", "uvicorn", "h11"):
    sys.modules[name] = None
"""


def opener(plan: MeterPlan, clock: Clock) -> StubMeter:
    return StubMeter().open(plan, clock)


async def until_live(events: Subscription) -> None:
    async for event in events:
        if isinstance(event, MeterChanged) and event.view.state is MeterState.LIVE:
            return


def test_a_configuration_file_becomes_a_service_that_reads(tmp_path: Path) -> None:
    file = tmp_path / "meters.toml"
    file.write_text(
        f'[[meter]]\nname = "demo"\nurl = "twin://pziot-e01?watts=1000&seed=7"\n[store]\npath = "{tmp_path}/m.sqlite"\n'
    )

    async def story() -> None:
        async with open_service(plan_service(load_config(file), web=False)) as service:
            assert service.address is None
            with service.feed.subscribe("test") as events:
                await asyncio.wait_for(until_live(events), 60)
            (view,) = service.feed.views()
            assert view.simulated

    asyncio.run(story())
    with open_store(tmp_path / "m.sqlite") as store:
        assert [row.name for row in store.meters()] == ["demo"]


def test_with_a_page_the_service_has_an_address_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> bytes:
        ready, loop = asyncio.Event(), asyncio.get_running_loop()
        plan = ServicePlan(gateway=GatewayPlan(), database=tmp_path / "w.sqlite", web=WebPlan(port=0))
        async with open_service(plan, on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service:
            await asyncio.wait_for(ready.wait(), 60)
            address = service.address
            assert address is not None
            return await asyncio.to_thread(lambda: urlopen(f"{address}api/v1/about").read())

    # The page counts days and hours in this zone, wherever its browser is.
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert json.loads(asyncio.run(story()))["zone"] == "Asia/Tokyo"


def test_a_publisher_misses_neither_the_first_nor_the_last_entry(tmp_path: Path) -> None:
    in_thread: list[int] = []
    in_loop: list[int] = []

    def blocking(events: Subscription) -> None:
        in_thread.extend(event.entry.sequence for event in events if isinstance(event, EntryBooked))

    async def waiting(events: Subscription) -> None:
        in_loop.extend([event.entry.sequence async for event in events if isinstance(event, EntryBooked)])

    async def story() -> None:
        plan = ServicePlan(
            gateway=HOUSE, database=tmp_path / "w.sqlite", publishers={"thread": blocking, "loop": waiting}
        )
        async with open_service(plan, opener=opener) as service:
            with service.feed.subscribe("test") as events:
                for _ in range(3):
                    await asyncio.wait_for(until_live(events), 60)

    asyncio.run(story())
    with open_store(tmp_path / "w.sqlite") as store:
        row = store.meter("house")
        assert row is not None
        booked = [entry.sequence for entry in store.entries(row.id)]
    assert len(booked) == 2, "where counting begins, and what the stop wrote up"
    assert in_thread == in_loop == booked


def test_a_publisher_that_fails_is_started_again_and_reads_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wattrail.gateway.timing.BackOff.fail", lambda _self: 0.0)
    starts: list[str] = []

    def failing(events: Subscription) -> None:
        starts.append("start")
        for event in events:
            if isinstance(event, MeterChanged) and event.view.reading is not None and len(starts) < 3:
                raise RuntimeError("the broker has no memory left")

    async def story() -> None:
        plan = ServicePlan(gateway=HOUSE, database=tmp_path / "w.sqlite", publishers={"broker": failing})
        async with open_service(plan, opener=opener) as service:
            with service.feed.subscribe("test") as events:
                while len(starts) < 3:
                    await asyncio.wait_for(until_live(events), 60)
            (view,) = service.feed.views()
            assert view.state is MeterState.LIVE

    asyncio.run(story())
    assert caplog.text.count("broker failed; readings go on") == 2
    assert "no memory left" in caplog.text


def test_a_publisher_that_returns_early_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        plan = ServicePlan(gateway=HOUSE, database=tmp_path / "w.sqlite", publishers={"short": lambda _: None})
        async with open_service(plan, opener=opener) as service:
            with service.feed.subscribe("test") as events:
                await asyncio.wait_for(until_live(events), 60)

    asyncio.run(story())
    assert "short returned before the events ended and gets no more of them" in caplog.text


def test_what_cannot_work_is_said_before_a_meter_is_touched(tmp_path: Path) -> None:
    meter = StubMeter()
    (tmp_path / "w.sqlite").write_bytes(b"no database at all, but a text" * 100)

    async def story(database: str, web: WebPlan | None = None) -> None:
        plan = ServicePlan(gateway=HOUSE, database=tmp_path / database, web=web)
        async with open_service(plan, opener=meter.open):
            pass

    with pytest.raises(StoreError):
        asyncio.run(story("w.sqlite"))
    with pytest.raises(ConfigError, match="cannot serve at"):
        asyncio.run(story("new.sqlite", WebPlan(host="203.0.113.1", port=0)))
    assert meter.opened == 0


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
    )  # fmt: skip


def test_run_without_a_page_needs_no_web_library(tmp_path: Path) -> None:
    program = WITHOUT_WEB_LIBRARIES + "from wattrail.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    with started(["-c", program, "run", "--no-web", "--database", "w.sqlite"], tmp_path) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        lines = iter(process.stderr.readline, "")
        assert any("reading 2 meters into w.sqlite; no page is served (--no-web)" in line for line in lines)
        wait_for_meters(tmp_path / "w.sqlite", 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout.read() == ""
    with open_store(tmp_path / "w.sqlite") as store:
        assert [row.name for row in store.meters()] == ["roof", "twin"]


def test_the_process_of_meters_holds_neither_a_web_server_nor_images() -> None:
    """Both would take memory and time of every start, on small computers too."""
    program = "import sys, wattrail.app.service, wattrail.app.page_actions, wattrail.web; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"fastapi", "starlette", "uvicorn", "wattrail.board", "wattrail.image", "numpy"}


def test_the_process_of_the_page_holds_neither_meters_nor_images() -> None:
    program = "import sys, wattrail.web.child; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"wattrail.gateway.worker", "wattrail.sources", "wattrail.board", "wattrail.image", "numpy"}


def test_the_ten_lines_of_the_documentation_run_without_a_web_library(tmp_path: Path) -> None:
    page = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    with started(["-c", WITHOUT_WEB_LIBRARIES + example], tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert re.match(r"demo -?[0-9.]+ W$", line)


def wait_for_meters(path: Path, count: int) -> None:
    """Until the database has so many: the notice comes when the gateway has started, the first reading later."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if path.exists():
            with open_store(path) as store:
                if len(store.meters()) == count:
                    return
        time.sleep(0.05)
    raise AssertionError("no meter was read")
