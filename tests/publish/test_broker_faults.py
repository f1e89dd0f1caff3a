"""A broker under stress: no memory, a slow or broken line, limits, no right to write, and what is no broker at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.publish.broker import board_says, publishing, subscriber
from tests.publish.proxy import line_to
from tests.publish.rig import AT, TOTALS, Site, view
from tests.publish.test_mqtt import home_assistant, identity, kwh, plain, run, stored
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.ledger import Totals
from wattrail.publish import PublisherStatus
from wattrail.store.outbox import Outbox, StoredRegisters

pytestmark = NEEDS_BROKER

HOUR = 60
TOPIC = "meters/house/registers"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    return Site(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    return folder


@pytest.fixture
def mosquitto(folder: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def limited(folder: Path, request: pytest.FixtureRequest) -> Iterator[Mosquitto]:
    """A broker with the lines of its parameter."""
    broker = Mosquitto(folder)
    (folder / "readers").write_text("topic read #\n", encoding="utf-8")
    (folder / "readers").chmod(0o700)
    with (folder / "mosquitto.conf").open("a", encoding="utf-8") as file:
        file.write(f"\n{request.param.replace('FOLDER', str(folder))}\n")
    broker.start()
    yield broker
    broker.stop()


def take_limits_off(mosquitto: Mosquitto, folder: Path) -> None:
    """The broker again, without its last line."""
    mosquitto.stop()
    file = folder / "mosquitto.conf"
    file.write_text("\n".join([*file.read_text(encoding="utf-8").splitlines()[:-1], ""]), encoding="utf-8")
    mosquitto.start()


def store_an_hour(site: Site) -> None:
    """A register a minute, as they wait while a broker is away."""
    with Outbox(site.database, "mqtt") as outbox:
        outbox.add(
            [
                StoredRegisters(meter_id=1, at=AT + timedelta(minutes=minute), totals=Totals(minute * 8_000_000, 0))
                for minute in range(HOUR)
            ]
        )


def test_a_broker_that_lost_its_memory_gets_everything_again(site: Site, mosquitto: Mosquitto) -> None:
    """Retained messages are gone with a restart: meters must not stay unknown until their next change."""

    async def story() -> None:
        site.show()
        base, config = f"wattrail/m/{identity(site)}", f"homeassistant/device/wattrail_{identity(site)}/config"
        async with publishing(site, home_assistant(mosquitto)):
            await board_says(site, lambda: site.state("home_assistant").status is PublisherStatus.LIVE)
            mosquitto.stop()
            await board_says(site, lambda: site.state("home_assistant").status is PublisherStatus.AWAY)
            mosquitto.start()
            await board_says(site, lambda: site.state("home_assistant").status is PublisherStatus.LIVE)
            async with subscriber(mosquitto) as late:
                await late.until(lambda: late.newest(config) and late.newest(f"{base}/registers"))
                await late.until_topic(f"{base}/state", "online")
                await late.until_topic("wattrail/bridge/state", "online")
                assert late.of(f"{base}/registers")[-1]["import_kwh"] == kwh(0)

    run(story())


def test_a_line_of_seven_bytes_at_a_time_loses_and_doubles_nothing(site: Site, mosquitto: Mosquitto) -> None:
    store_an_hour(site)

    async def story() -> None:
        async with subscriber(mosquitto, TOPIC) as heard, line_to(mosquitto.port, piece=7) as (port, _):
            slow = replace(plain(mosquitto).address, port=port)
            async with publishing(site, replace(plain(mosquitto), address=slow)):
                await heard.until(lambda: len(heard.messages) >= HOUR)
                await board_says(site, lambda: stored(site) == 0)
        assert [one["import_kwh"] for one in heard.of(TOPIC)] == [minute * 8.0 for minute in range(HOUR)]

    run(story())


@pytest.mark.parametrize("answers", [60, 90, 200])
def test_what_comes_twice_after_a_broken_line_has_the_same_time(site: Site, mosquitto: Mosquitto, answers: int) -> None:
    """The line breaks before acknowledgements arrive. A subscriber that keeps one value for each time has each once."""
    store_an_hour(site)

    async def story() -> None:
        async with subscriber(mosquitto, TOPIC) as heard, line_to(mosquitto.port, answers=answers) as (port, line):
            weak = replace(plain(mosquitto).address, port=port)
            async with publishing(site, replace(plain(mosquitto), address=weak)):
                await board_says(site, lambda: stored(site) == 0)
                await heard.until(
                    lambda: heard.of(TOPIC)[-1:] and heard.of(TOPIC)[-1]["import_kwh"] == (HOUR - 1) * 8.0
                )
            assert line.breaks == 1
        got = [(one["t"], one["import_kwh"]) for one in heard.of(TOPIC)]
        assert len(got) >= HOUR
        by_time = dict(got)
        assert set(got) == set(by_time.items()), "one time, one value"
        assert list(by_time.values()) == [minute * 8.0 for minute in range(HOUR)]

    run(story())


@pytest.mark.parametrize(
    ("limited", "hint"),
    [
        ("acl_file FOLDER/readers", "let its user write to the topics of [publish.mqtt]"),
        ("max_packet_size 60", "raise message_size_limit or max_packet_size"),
        ("message_size_limit 60", "message_size_limit"),
    ],
    indirect=["limited"],
)
def test_what_a_broker_does_not_take_is_said_and_waits(site: Site, limited: Mosquitto, folder: Path, hint: str) -> None:
    """A broker acknowledges also what it refuses; such a register does not count as delivered."""
    store_an_hour(site)

    async def story() -> None:
        site.show(minute=HOUR)
        async with publishing(site, plain(limited)):
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
            refused = site.state("mqtt")
            assert "does not take what is published" in (refused.error or "")
            assert hint in (refused.hint or "")
            await board_says(site, lambda: site.state("mqtt").waiting == HOUR + 1)
            take_limits_off(limited, folder)
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.LIVE)
            await board_says(site, lambda: stored(site) == 0)
        async with subscriber(limited, TOPIC) as late:
            await late.until(lambda: late.of(TOPIC))
            assert late.of(TOPIC)[-1]["import_kwh"] == kwh(HOUR)

    run(story())


@pytest.mark.parametrize("limited", ["max_inflight_messages 1\nmax_queued_messages 1"], indirect=True)
def test_a_broker_that_queues_one_message_still_ends_with_the_newest(site: Site, limited: Mosquitto) -> None:
    """It drops for a slow reader what it does not queue. No energy is lost by it: the newest register contains all."""
    store_an_hour(site)

    async def story() -> None:
        async with subscriber(limited, TOPIC) as heard, publishing(site, plain(limited)):
            await board_says(site, lambda: stored(site) == 0)
        async with subscriber(limited, TOPIC) as late:
            await late.until(lambda: late.of(TOPIC))
            assert late.of(TOPIC)[-1]["import_kwh"] == (HOUR - 1) * 8.0
        got = [one["import_kwh"] for one in heard.of(TOPIC)]
        assert got == sorted(set(got))

    run(story())


def test_something_that_is_no_broker_is_away_and_registers_wait(site: Site, mosquitto: Mosquitto) -> None:
    store_an_hour(site)

    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\x00rubbish")
        await writer.drain()
        writer.close()
        await reader.read()

    async def story() -> None:
        async with await asyncio.start_server(rubbish, "127.0.0.1", 0) as server:
            elsewhere = replace(plain(mosquitto).address, port=server.sockets[0].getsockname()[1])
            async with publishing(site, replace(plain(mosquitto), address=elsewhere)) as events:
                await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.AWAY)
                events.end()
        assert "cannot connect" in (site.state("mqtt").error or "")
        assert site.state("mqtt").hint == "check that an MQTT broker runs there, and its port"
        assert site.state("mqtt").waiting == HOUR

    run(story())


def test_a_clock_that_is_set_back_by_a_day_holds_no_register(site: Site, mosquitto: Mosquitto) -> None:
    """Order comes from the registers, which never fall; each is sent with the time that it was read at."""
    times = [AT, AT + timedelta(days=1), AT + timedelta(minutes=2)]

    async def story() -> None:
        async with subscriber(mosquitto, TOPIC) as heard, publishing(site, plain(mosquitto)):
            for step, at in enumerate(times):
                total = Totals(TOTALS.import_mwh + step * 8_000_000, TOTALS.export_mwh)
                site.feed.publish(view(at=at, total=total))
                await heard.until(lambda n=step: len(heard.messages) == n + 1)  # type: ignore[misc]
            assert site.state("mqtt").held == {}
        assert [one["import_kwh"] for one in heard.of(TOPIC)] == [kwh(step) for step in range(3)]
        assert [one["t"][:16] for one in heard.of(TOPIC)] == [at.strftime("%Y-%m-%dT%H:%M") for at in times]

    run(story())


def test_two_meters_never_have_one_identity(tmp_path: Path) -> None:
    site = Site(tmp_path, ("house", "shed"))
    taken = identity(site)
    with closing(sqlite3.connect(site.database)) as database, pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("INSERT INTO identity SELECT id, ? FROM meter WHERE name = 'shed'", (taken,))
    assert identity(site, "shed") != taken
