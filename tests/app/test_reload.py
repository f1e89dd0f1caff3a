"""wattrail.toml is read again while the gateway runs: as a whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.app.test_systemd_notify import LONGEST_S, heard, listening
from tests.publish.broker import subscriber
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, broker
from tests.web.test_tls import made
from wattrail.app import Service, ServicePlan, load_config, open_service, plan_service
from wattrail.app.service_changes import describe_changes, require_no_restart
from wattrail.errors import ConfigError
from wattrail.gateway import EntryBooked, MeterChanged, MeterState, Subscription
from wattrail.gateway.plan import PlanChanges
from wattrail.ledger import EntryKind
from wattrail.store import lock_holder, open_store, open_to_read
from wattrail.store.alarm_events import AlarmEvents
from wattrail.web.tls import CertificateFiles

__all__ = ["broker"]

HOUSE = '[[meter]]\nname = "house"\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'
GARAGE = '[[meter]]\nname = "garage"\nurl = "twin://pziot-e01?watts=200&seed=8"\n'
SILENT = '[[alarm]]\nname = "dark"\nkind = "over-power"\nlimit = 500\nfor_s = 0\n'
WAIT_S = 60.0
EVER, ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class File:
    """A configuration file, and the plan that it makes."""

    def __init__(self, folder: Path) -> None:
        self.path, self.database = folder / "wattrail.toml", folder / "w.sqlite"

    def write(self, *tables: str, page: str = "[web]\nport = 0\n") -> None:
        self.path.write_text("".join(tables) + f'[store]\npath = "{self.database}"\n{page}')

    def plan(self, **options: Any) -> ServicePlan:
        return plan_service(load_config(self.path), **options)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


async def live(service: Service, name: str) -> None:
    async with asyncio.timeout(WAIT_S):
        with service.feed.subscribe("test") as events:
            async for event in events:
                if isinstance(event, MeterChanged) and event.meter == name and event.view.state is MeterState.LIVE:
                    return


def asked(address: str | None, path: str) -> Any:
    with urlopen(f"{address}api/v1/{path}") as answer:
        return json.load(answer)


async def until(is_so: Callable[[], bool], events: Subscription) -> None:
    """Look again at every event of a running gateway; a twin gives one each second."""
    async with asyncio.timeout(WAIT_S):
        while not await asyncio.to_thread(is_so):
            await anext(events)


def test_the_page_shows_a_new_meter_and_forgets_a_removed_one(file: File) -> None:
    async def story() -> None:
        file.write(HOUSE)
        ready = asyncio.Event()
        async with open_service(file.plan(), on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            with service.feed.subscribe("test") as events:
                file.write(HOUSE, GARAGE)
                assert await service.change(file.plan()) == ("added meter garage",)
                await until(lambda: [one["name"] for one in asked(service.address, "meters")][1:] == ["garage"], events)
                file.write(GARAGE)
                assert await service.change(file.plan()) == ("removed meter house",)
                await until(lambda: [one["name"] for one in asked(service.address, "meters")] == ["garage"], events)
                service.refuse(ConfigError("line 3: mqtt://me:planted@host is no meter", hint="did you mean url?"))
                await until(lambda: asked(service.address, "health")["configuration"]["error"] is not None, events)
            health = asked(service.address, "health")
            assert health["status"] == "degraded"
            assert health["configuration"]["error"] == "line 3: mqtt://***@host is no meter"
            assert "planted" not in file.database.with_name("w.sqlite.gateway").read_text()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(story())


def test_a_reload_while_the_database_is_held_costs_no_reading(file: File) -> None:
    """Another program holds the file while meters come and go: what was there runs on, and what is new follows."""

    async def held(service: Service, *tables: str) -> tuple[str, ...]:
        with closing(sqlite3.connect(file.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            file.write(*tables)
            changes = await service.change(file.plan(web=False))
            for _ in range(3):
                await live(service, "house")
            other.execute("ROLLBACK")
        return changes

    async def story() -> None:
        file.write(HOUSE)
        async with open_service(file.plan(web=False)) as service:
            await live(service, "house")
            assert await held(service, HOUSE, GARAGE) == ("added meter garage",)
            await live(service, "garage")
            assert await held(service, HOUSE) == ("removed meter garage",)
            for _ in range(2):
                await live(service, "house")
            assert service.feed.view("house").unstored is None  # type: ignore[union-attr]

    asyncio.run(story())
    with open_to_read(file.database) as reader:
        for name in ("house", "garage"):
            row = reader.meter(name)
            assert row is not None
            assert reader.broken_links(row.id) == ()
            entries = reader.ledger_slice(row.id).entries
            assert {entry.kind for entry in entries} <= {EntryKind.START, EntryKind.COUNTED}
            seen = reader.readings_page(row.id, EVER, ALWAYS, None, 10_000)
            moments = [at for at, *_ in seen]
            assert len(set(moments)) == len(moments)
            if name == "house":
                assert all((later or 0) - (earlier or 0) < 3_000_000 for earlier, later in pairwise(moments))


NEEDS_RESTART = {
    r"\[site\] timezone": ((HOUSE, GARAGE, '[site]\ntimezone = "Asia/Kolkata"\n'), "[web]\nport = 0\n"),
    r"\[web\] host and port": ((HOUSE, GARAGE), "[web]\nport = 1\n"),
    "the step from the demonstration": ((), "[web]\nport = 0\n"),
}


def test_what_needs_a_restart_changes_nothing_and_is_named(file: File) -> None:
    async def story() -> None:
        file.write(HOUSE)
        async with open_service(file.plan()) as service:
            for named, (tables, page) in NEEDS_RESTART.items():
                file.write(*tables, page=page)
                with pytest.raises(ConfigError, match=named):
                    await service.change(file.plan())
            await live(service, "house")
            assert service.feed.names == ("house",)

    asyncio.run(story())


def test_another_database_needs_a_restart(file: File, tmp_path: Path) -> None:
    async def story() -> None:
        file.write(HOUSE)
        async with open_service(file.plan(web=False)) as service:
            with pytest.raises(ConfigError, match=r"\[store\] path"):
                await service.change(file.plan(web=False, database=tmp_path / "other.sqlite"))

    asyncio.run(story())


def test_a_changed_publisher_begins_where_the_one_before_it_ended(file: File) -> None:
    first: list[tuple[str, int]] = []
    second: list[tuple[str, int]] = []

    def reader(seen: list[tuple[str, int]]) -> Callable[[Subscription], None]:
        def publish(events: Subscription) -> None:
            seen.extend((event.meter, event.entry.sequence) for event in events if isinstance(event, EntryBooked))

        return publish

    async def story() -> None:
        file.write(HOUSE)
        plan = file.plan(web=False)
        one, other = reader(first), reader(second)
        async with open_service(
            ServicePlan(gateway=plan.gateway, database=file.database, publishers={"p": one})
        ) as run:
            await live(run, "house")
            file.write(HOUSE, GARAGE)
            wider = file.plan(web=False).gateway
            changes = await run.change(ServicePlan(gateway=wider, database=file.database, publishers={"p": other}))
            assert changes == ("added meter garage", "publishers started again or ended: p")
            await live(run, "garage")

    asyncio.run(story())
    with open_store(file.database) as store:
        stored = [(row.name, entry.sequence) for row in store.meters() for entry in store.entries(row.id)]
    assert first == [("house", 1)]
    assert sorted(first + second) == sorted(stored), "each entry was read once"


def test_an_alarm_that_is_taken_out_of_the_file_is_cleared(file: File) -> None:
    async def story() -> None:
        file.write(HOUSE, SILENT)
        async with open_service(file.plan(web=False)) as service:
            with service.feed.subscribe("test") as events, AlarmEvents(file.database) as stored:
                await until(lambda: bool(stored.standing()), events)
                file.write(HOUSE)
                assert await service.change(file.plan(web=False)) == ("alarms changed",)
                await until(lambda: not stored.standing(), events)
                assert "not configured any more" in stored.newest(1)[0].text

    asyncio.run(story())


TARIFF = """name = "flat"
currency = "EUR"
rates = ["all"]
[[price]]
from = 2026-01-01
rates = {{ all = {} }}
"""


def test_every_field_that_needs_no_restart_is_named_as_it_changes(file: File, tmp_path: Path) -> None:
    files, tariff = made(tmp_path, "first"), tmp_path / "tariff.toml"
    tariff.write_text(TARIFF.format("0.30"))
    site = "[site]\n"
    file.write(HOUSE, GARAGE)
    plan = file.plan()
    steps = {
        'grid = "house"\n': "grid and solar changed",
        'solar = "garage"\n': "grid and solar changed",
        'names = ["meters.example.org"]\n': "page started again with other names",
        'trusted_proxies = ["172.18.0.0/16"]\n': "page started again with other trusted proxies",
        f'certificate = "{files.certificate}"\nkey = "{files.key}"\n': "page started again with other certificate, key",
        f'tariffs = ["{tariff}"]\n': "tariffs changed",
        '[log]\nlevel = "info"\n': "log changed",
    }
    for line, said in steps.items():
        site += line
        file.write(HOUSE, GARAGE, site)
        before, plan = plan, file.plan()
        require_no_restart(before, plan)
        assert describe_changes(before, plan, PlanChanges(), ()) == (said,)
    tariff.write_text(TARIFF.format("0.31"))
    before, plan = plan, file.plan()
    assert describe_changes(before, plan, PlanChanges(), ()) == ("tariffs changed",), "the file names the same"
    file.write(HOUSE, GARAGE, site, page='keep_readings = "7 days"\nkeep_minutes = "1 year"\n[web]\nport = 0\n')
    before, plan = plan, file.plan()
    require_no_restart(before, plan)
    assert describe_changes(before, plan, PlanChanges(), ()) == ("kept for another time: readings, minutes",)


def test_grid_tariff_and_certificate_are_served_after_a_reload(file: File, tmp_path: Path) -> None:
    first, second, tariff = made(tmp_path, "first"), made(tmp_path, "second"), tmp_path / "tariff.toml"
    tariff.write_text(TARIFF.format("0.30"))

    def certificate(pair: CertificateFiles, key: Path) -> str:
        return f'certificate = "{pair.certificate}"\nkey = "{key}"\n'

    def about(address: str | None, pair: CertificateFiles | None = None) -> Any:
        """What the page says of itself; empty while its process starts again, or serves another certificate."""
        trusted = ssl.create_default_context(cafile=pair.certificate) if pair else None
        try:
            with urlopen(f"{address}api/v1/about".replace("127.0.0.1", "localhost"), context=trusted) as answer:
                return json.load(answer)
        except OSError:
            return {}

    async def story() -> None:
        file.write(HOUSE, GARAGE)
        ready = asyncio.Event()
        async with open_service(file.plan(), on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            with service.feed.subscribe("test") as events:
                file.write(HOUSE, GARAGE, '[site]\ngrid = "house"\n')
                assert await service.change(file.plan()) == ("grid and solar changed",)
                await until(lambda: about(service.address).get("grid") == "house", events)
                site = f'[site]\ngrid = "house"\ntariffs = ["{tariff}"]\n'
                page = "page started again with other certificate, key"
                for pair, said in ((first, ("tariffs changed", page)), (second, (page,))):
                    file.write(HOUSE, GARAGE, site, certificate(pair, pair.key))
                    assert await service.change(file.plan()) == said
                    assert (service.address or "").startswith("https://")
                    await until(lambda pair=pair: about(service.address, pair).get("tariffs") == ["flat"], events)
                holder = lock_holder(file.database)
                assert (holder and holder.address) == service.address
                file.write(HOUSE, GARAGE, site, certificate(first, second.key))
                with pytest.raises(ConfigError, match="the key is that of another certificate"):
                    await service.change(file.plan())
                assert about(service.address, second), "the one before is served on"

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(story())


# ---- the command and the signal


SPOT = """name = "spot"
currency = "EUR"
[market]
prices = "spot.csv"
[[price]]
from = 2026-01-01
rates = 0.1
"""


def test_market_prices_are_shown_as_long_as_a_tariff_follows_them(file: File, tmp_path: Path) -> None:
    (tmp_path / "spot.toml").write_text(SPOT)

    def prices(service: Service) -> list[str] | None:
        """The tariffs of the health page; None while its process starts again."""
        try:
            return [one["tariff"] for one in asked(service.address, "health/report")["prices"]]
        except OSError:
            return None

    async def story() -> None:
        file.write(HOUSE, f'[site]\ntariffs = ["{tmp_path / "spot.toml"}"]\n')
        ready = asyncio.Event()
        async with open_service(file.plan(), on_ready=lambda _: loop.call_soon_threadsafe(ready.set)) as service:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            with service.feed.subscribe("test") as events:
                await until(lambda: prices(service) == ["spot"], events)
                file.write(HOUSE)
                await service.change(file.plan())
                await until(lambda: prices(service) == [], events)

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(story())


def environment_of(file: File) -> dict[str, str]:
    """Another user's folders than those of who runs the tests, whose gateway is none of our business."""
    return {**os.environ, "XDG_DATA_HOME": str(file.path.parent), "XDG_CONFIG_HOME": str(file.path.parent)}


@contextmanager
def gateway(file: File, *options: str, notify: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A gateway as a process, which is ready."""
    environment = environment_of(file) | ({"NOTIFY_SOCKET": str(notify)} if notify else {})
    command = [sys.executable, "-m", "wattrail", "run", "--config", str(file.path), *options]
    with subprocess.Popen(command, env=environment, cwd=file.path.parent, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def reloaded(file: File) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wattrail", "reload", "--config", str(file.path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environment_of(file)
    )


def test_reload_says_what_changed_and_a_wrong_file_changes_nothing(file: File, tmp_path: Path) -> None:
    file.write(HOUSE)
    with listening(tmp_path / "n") as line, gateway(file, "--no-web", notify=tmp_path / "n") as process:
        assert heard(line, "READY=1") == "READY=1\nSTATUS=1 meter, no page"
        file.write(HOUSE, GARAGE)
        said = reloaded(file)
        assert (said.returncode, said.stdout) == (0, "added meter garage\n"), said
        heard(line, "RELOADING=1\nMONOTONIC_USEC=")
        assert heard(line, "READY=1") == "READY=1\nSTATUS=2 meters, no page"

        file.write(HOUSE, GARAGE, "[sight]\n")
        assert reloaded(file).returncode == 2
        process.send_signal(signal.SIGHUP)  # as somebody who did not check the file
        heard(line, "RELOADING=1")
        assert heard(line, "READY=1") == "READY=1\nSTATUS=2 meters, no page"
        holder = lock_holder(file.database)
        assert holder is not None
        assert holder.reload is not None
        assert "the file has no field 'sight'" in (holder.reload.error or "")

        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0
        assert process.stderr is not None
        log = process.stderr.read()
    assert "the configuration was read again: added meter garage" in log
    assert "the configuration is refused, and the one before it runs on" in log


def test_the_first_meter_takes_the_place_of_the_demonstration(file: File, tmp_path: Path) -> None:
    def serves(address: str) -> list[str]:
        return [meter["name"] for meter in asked(address, "meters")]

    file.write()
    with listening(tmp_path / "n") as line, gateway(file, "--no-past", notify=tmp_path / "n") as process:
        ready = heard(line, "READY=1")
        address = ready.partition("page ")[2]
        assert serves(address) == ["twin", "roof"]

        file.write(HOUSE)
        file.database.write_text("somebody's notes\n")
        said = reloaded(file)
        assert said.returncode == 2
        assert "is not a database" in said.stderr
        assert serves(address) == ["twin", "roof"], "what would not start ends nothing"

        file.database.unlink()
        said = reloaded(file)
        assert (said.returncode, said.stdout) == (
            0,
            "the demonstration ended\nadded meter house\nremoved meters twin, roof\n",
        )
        assert serves(address) == ["house"], "at the same address, and it waited for its page"
        assert reloaded(file).stdout == "nothing has changed\n"

        file.write()
        assert reloaded(file).stdout == "the demonstration began\nadded meters twin, roof\nremoved meter house\n"
        assert serves(address) == ["twin", "roof"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_S) == 0
    with open_to_read(file.database) as reader:
        assert [row.name for row in reader.meters()] == ["house"]


def test_reload_without_a_gateway_says_how_to_start_one(file: File) -> None:
    file.write(HOUSE)
    said = reloaded(file)
    assert said.returncode == 2
    assert f"no gateway runs on {file.database}" in said.stderr
    assert "systemctl start wattrail" in said.stderr


PROGRAM_IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "wattrail", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="terminals of other systems hang up in other ways")
def test_a_terminal_that_closes_stops_the_gateway_in_it(file: File, tmp_path: Path) -> None:
    file.write(HOUSE)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "n")}
    command = [sys.executable, "-c", PROGRAM_IN_A_TERMINAL, "run", "--config", str(file.path), "--no-web"]
    with closing(os.fdopen(ours, "rb", 0)) as terminal, listening(tmp_path / "n") as line:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        try:
            heard(line, "READY=1")
            terminal.close()
            assert process.wait(LONGEST_S) == 0
        finally:
            process.kill()
            process.wait()


# ---- publishers


@NEEDS_BROKER
def test_a_broker_hears_of_a_new_meter_and_both_stay_online(file: File, broker: Mosquitto) -> None:
    mqtt = f'[publish.mqtt]\nbroker = "mqtt://127.0.0.1:{broker.port}"\nlive_s = 1\nregisters_s = 5\n'

    async def story() -> None:
        file.write(HOUSE, mqtt)
        async with open_service(file.plan(web=False)) as service, subscriber(broker, "meters/#") as heard:
            await heard.until_topic("meters/house/state", "online")
            file.write(HOUSE, GARAGE, mqtt)
            changes = await service.change(file.plan(web=False))
            assert changes == ("added meter garage", "publishers started again or ended: mqtt")
            await heard.until(lambda: heard.newest("meters/garage/state") == "online")
            await heard.until(lambda: heard.newest("meters/house/state") == "online")
            await heard.until(lambda: heard.of("meters/garage/registers"))
            file.write(HOUSE, GARAGE)
            assert await service.change(file.plan(web=False)) == ("publishers started again or ended: mqtt",)
            await heard.until_topic("meters/state", "offline")

    asyncio.run(story())
