"""Publishers beside a real broker: stopped, restarted, with a wrong password, with TLS."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.publish.broker import (
    DEADLINE_S,
    EVERY,
    QUICK,
    PersistentMosquitto,
    TlsMosquitto,
    board_says,
    lasting_session,
    publishing,
    subscriber,
)
from tests.publish.rig import AT, Site, view
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.gateway import MeterState
from wattrail.ledger import Totals
from wattrail.publish import PublisherStatus
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.sources.broker import BrokerAddress
from wattrail.store.outbox import Outbox, StoredRegisters

pytestmark = NEEDS_BROKER

DAY = 1440
ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own; its name is the login of no broker here."""
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 2 * DEADLINE_S))


def plain(broker: Mosquitto, **options: Any) -> MqttPlan:
    address = BrokerAddress("127.0.0.1", broker.port, login="broker")
    return MqttPlan(
        name="mqtt", address=address, dialect=PlainDialect(**options), cadence=EVERY, pacing=QUICK
    )  # fmt: skip


def home_assistant(broker: Mosquitto, **options: Any) -> MqttPlan:
    dialect = HomeAssistantDialect(**options)
    return replace(plain(broker), name="home_assistant", dialect=dialect)


def identity(site: Site, name: str = "house") -> str:
    with Outbox(site.database, "test") as outbox:
        found = outbox.identity(name)
    assert found is not None
    return found.identity


def store_a_day(site: Site, consumer: str = "mqtt") -> None:
    """A register a minute, as a publisher stores them while its broker is away."""
    rows = [
        StoredRegisters(meter_id=1, at=AT + timedelta(minutes=minute), totals=Totals(minute * 8_000_000, 0))
        for minute in range(DAY)
    ]
    with Outbox(site.database, consumer) as outbox:
        outbox.add(rows)


def test_a_meter_appears_in_home_assistants_order(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        async with subscriber(mosquitto) as heard:
            site.feed.publish(view())
            async with publishing(site, home_assistant(mosquitto)):
                base = f"wattrail/m/{identity(site)}"
                await heard.until(lambda: heard.newest(f"{base}/live"))
            await heard.until_topic("wattrail/bridge/state", "offline")
        order = list(dict.fromkeys(topic for topic, _ in heard.messages))
        config = f"homeassistant/device/wattrail_{identity(site)}/config"
        assert order == [config, f"{base}/registers", f"{base}/state", "wattrail/bridge/state", f"{base}/live"]
        assert set(json.loads(heard.newest(config) or "")["components"]) >= {"import", "export", "power", "voltage"}
        assert heard.of(f"{base}/registers")[0]["import_kwh"] == 1234.567

    run(story())


def test_home_assistants_birth_brings_everything_again(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        config = f"homeassistant/device/wattrail_{identity(site)}/config"
        async with subscriber(mosquitto) as heard:
            site.feed.publish(view())
            async with publishing(site, home_assistant(mosquitto)):
                await heard.until(lambda: heard.newest(f"wattrail/m/{identity(site)}/live"))
                heard.messages.clear()
                await heard.client.publish("homeassistant/status", "online", qos=1)
                await heard.until(lambda: heard.newest(config) and heard.newest(f"wattrail/m/{identity(site)}/live"))

    run(story())


def test_the_will_says_offline_when_the_service_is_killed(site: Site, mosquitto: Mosquitto) -> None:
    command = [sys.executable, "-m", "tests.publish.publisher_process", str(site.folder), str(mosquitto.port)]

    async def story() -> None:
        async with subscriber(mosquitto, "wattrail/bridge/state") as heard:
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
            await heard.until_topic("wattrail/bridge/state", "online")
            process.kill()
            await heard.until_topic("wattrail/bridge/state", "offline")
            await process.wait()

    run(story())


def test_a_day_without_a_broker_loses_no_register(
    site: Site, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    store_a_day(site)

    async def story() -> None:
        async with subscriber(mosquitto, "meters/house/registers") as heard, publishing(site, plain(mosquitto)):
            await heard.until(lambda: len(heard.messages) >= DAY)
            await board_says(site, lambda: site.state("mqtt").sent_at)
        got = [one["import_kwh"] for one in heard.of("meters/house/registers")]
        assert got == [minute * 8.0 for minute in range(DAY)], "each once, in order"
        assert site.state("mqtt").waiting == 0

    run(story())
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_home_assistant_gets_only_the_newest_register_of_that_day(site: Site, mosquitto: Mosquitto) -> None:
    store_a_day(site, "home_assistant")

    async def story() -> None:
        topic = f"wattrail/m/{identity(site)}/registers"
        async with subscriber(mosquitto, topic) as heard, publishing(site, home_assistant(mosquitto)):
            await board_says(site, lambda: site.state("home_assistant").sent_at)
            await heard.until(lambda: heard.of(topic))
        assert {one["import_kwh"] for one in heard.of(topic)} == {(DAY - 1) * 8.0}, "the past would be one step now"

    run(story())


def test_a_broker_that_stops_and_comes_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    site, folder, topic = Site(tmp_path), tmp_path / "broker", "meters/house/registers"
    folder.mkdir()
    mosquitto = PersistentMosquitto(folder)
    mosquitto.start()

    async def story() -> None:
        async with subscriber(mosquitto, topic, **lasting_session()):
            pass  # from here on the broker queues for it
        async with publishing(site, plain(mosquitto)):
            for minute in range(3):
                site.show(minute=minute)
                await board_says(site, lambda n=minute: delivered(site) == n + 1)  # type: ignore[misc]
            mosquitto.stop()
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.AWAY)
            for minute in range(3, 8):
                site.show(minute=minute)
                await board_says(site, lambda n=minute: stored(site) == n - 2)  # type: ignore[misc]
            await board_says(site, lambda: site.state("mqtt").waiting == 5)
            assert site.state("mqtt").error is not None
            mosquitto.start()
            await board_says(site, lambda: stored(site) == 0)
            assert site.state("mqtt").status is PublisherStatus.LIVE
            assert site.state("mqtt").error is None
        async with subscriber(mosquitto, is_known=True, **lasting_session()) as heard:
            await heard.until(lambda: len(heard.messages) == 8)
        got = [one["import_kwh"] for one in heard.of(topic)]
        assert got == [kwh(minute) for minute in range(8)], "each once, in order"

    try:
        run(story())
    finally:
        mosquitto.stop()


def delivered(site: Site) -> int:
    """How many registers were added and are delivered."""
    with sqlite3.connect(site.database) as connection:
        found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return (int(found[0]) if found else 0) - stored(site)


def kwh(minute: int) -> float:
    return (1_234_567_891 + minute * 8_000_000) // 1000 / 1000


def stored(site: Site, consumer: str = "mqtt") -> int:
    with sqlite3.connect(site.database) as connection:
        query = "SELECT count(*) FROM outbox WHERE consumer = ?"
        count: int = connection.execute(query, (consumer,)).fetchone()[0]
    return count


def test_a_wrong_password_is_shown_and_registers_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, folder = Site(tmp_path), tmp_path / "broker"
    folder.mkdir()
    mosquitto = Mosquitto(folder, password="planted-secret")
    mosquitto.start()

    async def story() -> None:
        monkeypatch.setenv("WATTRAIL_LOGIN_BROKER", "meter:wrong-secret")
        async with publishing(site, plain(mosquitto)):
            site.show()
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
            await board_says(site, lambda: site.state("mqtt").waiting == 1)
            error = site.state("mqtt").error or ""
            assert "refuses the login 'broker'" in error
            assert "secret" not in error
            assert "credentials" in (site.state("mqtt").hint or "")
            monkeypatch.setenv("WATTRAIL_LOGIN_BROKER", "meter:planted-secret")
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.LIVE)
            await board_says(site, lambda: site.state("mqtt").waiting == 0)

    try:
        run(story())
    finally:
        mosquitto.stop()


# paho 2.2 leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_tls_needs_the_authority_that_signed_and_then_works(tmp_path: Path) -> None:
    site, folder = Site(tmp_path), tmp_path / "broker"
    folder.mkdir()
    mosquitto = TlsMosquitto(folder)
    mosquitto.start()
    plan = plain(mosquitto)
    plan = replace(plan, address=replace(plan.address, is_encrypted=True))
    assert plan.target.startswith("mqtts://")

    async def story() -> None:
        site.show()
        async with publishing(site, plan):
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
            assert "certificate" in (site.state("mqtt").error or "")
            assert "ca_file in [publish.mqtt]" in (site.state("mqtt").hint or "")
        async with publishing(site, replace(plan, ca_file=mosquitto.authority)):
            await board_says(site, lambda: site.state("mqtt").sent_at)

    try:
        run(story())
    finally:
        mosquitto.stop()
        gc.collect()  # that socket, now


def test_a_secrets_file_that_cannot_be_read_waits_for_a_person(
    site: Site, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[broker\n")
    secrets.chmod(0o600)

    async def story() -> None:
        site.show()
        async with publishing(site, plain(mosquitto)):
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
            assert "secrets.toml" in (site.state("mqtt").error or "")
            await board_says(site, lambda: site.state("mqtt").waiting)
            secrets.unlink()
            await board_says(site, lambda: site.state("mqtt").sent_at)

    run(story())


def test_a_renamed_meter_leaves_no_topic_behind(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        site.show()
        plan = plain(mosquitto, is_flat=True)
        async with publishing(site, plan):
            await board_says(site, lambda: site.state("mqtt").sent_at)
        with sqlite3.connect(site.database) as connection:
            connection.execute("UPDATE meter SET name = 'villa'")
        renamed = Site(site.folder, ("villa",))
        renamed.show("villa", minute=1)
        async with publishing(renamed, plan):
            await board_says(renamed, lambda: renamed.state("mqtt").sent_at)
        async with subscriber(mosquitto) as heard:
            await heard.until_topic("meters/state", "offline")
            await heard.until(lambda: heard.newest("meters/villa/registers"))
            assert not [topic for topic, _ in heard.messages if topic.startswith("meters/house")]

    run(story())


def test_a_removed_meter_is_removed_from_home_assistant(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        both = Site(tmp_path, ("house", "shed"))
        both.show("house")
        both.show("shed")
        configs = {
            name: f"homeassistant/device/wattrail_{identity(both, name)}/config" for name in ("house", "shed")
        }  # fmt: skip
        async with subscriber(mosquitto) as heard:
            async with publishing(both, home_assistant(mosquitto)):
                await heard.until(lambda: all(map(heard.newest, configs.values())))
            one = Site(tmp_path, ("house",))
            async with publishing(one, home_assistant(mosquitto)):
                await heard.until_topic(configs["shed"], "")
                await heard.until_topic(f"wattrail/m/{identity(both, 'shed')}/state", "")
            assert heard.newest(configs["house"])
        async with subscriber(mosquitto) as late:
            await late.until_topic("wattrail/bridge/state", "offline")
            await late.until(lambda: late.newest(configs["house"]))
            assert not [topic for topic, _ in late.messages if identity(both, "shed") in topic]

    run(story())


def test_a_meter_that_is_silent_at_the_start_is_not_taken_for_removed(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        site.show()
        async with publishing(site, home_assistant(mosquitto)):
            await board_says(site, lambda: site.state("home_assistant").sent_at)
        silent = Site(site.folder)
        base = f"wattrail/m/{identity(site)}"
        async with subscriber(mosquitto) as heard, publishing(silent, home_assistant(mosquitto)):
            await heard.until_topic(f"{base}/state", "offline")
            await heard.until_topic("wattrail/bridge/state", "online")
            config = json.loads(heard.newest(f"homeassistant/device/wattrail_{identity(site)}/config") or "")
            assert "power" in config["components"], "what it was announced with before"
            assert heard.of(f"{base}/registers")[-1]["import_kwh"] == 1234.567
            assert heard.newest(f"{base}/live") is None

    run(story())


def test_an_offline_meter_is_said_and_its_return_too(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        async with subscriber(mosquitto, "meters/house/state") as heard, publishing(site, plain(mosquitto)):
            site.feed.publish(view())
            await heard.until_topic("meters/house/state", "online")
            site.feed.publish(view(state=MeterState.STALE))
            await heard.until_topic("meters/house/state", "offline")
            site.feed.publish(view())
            await heard.until_topic("meters/house/state", "online")

    run(story())


def test_retained_live_values_are_forgotten_by_the_broker(site: Site, mosquitto: Mosquitto) -> None:
    async def story() -> None:
        async with subscriber(mosquitto, "meters/house/live") as heard, publishing(site, plain(mosquitto, live_s=10.0)):
            site.feed.publish(view())
            message = await anext(heard.client.messages)
            assert message.properties is not None
            assert 0 < message.properties.MessageExpiryInterval <= 30  # type: ignore[attr-defined]

    run(story())


def test_an_unreachable_broker_is_away_and_not_a_defect(site: Site) -> None:
    class Nowhere:
        port = 1

    async def story() -> None:
        async with publishing(site, plain(Nowhere())):  # type: ignore[arg-type]
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.AWAY)
            assert "broker 127.0.0.1:1: cannot connect" in (site.state("mqtt").error or "")

    run(story())
