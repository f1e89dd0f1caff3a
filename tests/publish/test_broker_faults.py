"""A real broker that is slow, full, forgetful or strict, a bad network before it, and what is not a broker at all."""

from __future__ import annotations

import asyncio
import gc
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.publish.broker import (
    DEADLINE_S,
    EVERY,
    QUICK,
    Heard,
    TlsMosquitto,
    board_says,
    lasting_session,
    publishing,
    subscriber,
)
from tests.publish.proxy import proxied
from tests.publish.rig import AT, Site, view
from tests.publish.test_mqtt import identity
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.ledger import Totals
from wattrail.publish import PublisherStatus
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.publish.pending import PublishCadence
from wattrail.sources.broker import BrokerAddress
from wattrail.store.outbox import Outbox, StoredRegisters

pytestmark = NEEDS_BROKER

REGISTERS = "meters/house/registers"
IMPATIENT = replace(QUICK, timeout_s=0.5)
Started = Callable[..., Mosquitto]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(autouse=True)
def no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts a broker, with lines of mosquitto.conf."""
    folder = tmp_path / "broker"
    folder.mkdir()
    brokers = []

    def start(*lines: str) -> Mosquitto:
        broker = Mosquitto(folder)
        with (folder / "mosquitto.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        broker.start()
        brokers.append(broker)
        return broker

    yield start
    for broker in brokers:
        broker.stop()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 2 * DEADLINE_S))


def plain(port: int, **options: Any) -> MqttPlan:
    address = BrokerAddress("127.0.0.1", port, login="broker")
    return MqttPlan(name="mqtt", address=address, dialect=PlainDialect(**options), cadence=EVERY, pacing=IMPATIENT)


def home_assistant(port: int) -> MqttPlan:
    return replace(plain(port), name="home_assistant", dialect=HomeAssistantDialect())


def store(site: Site, count: int, *, meter_id: int = 1) -> None:
    """A register a minute, as a publisher stores them while its broker is away."""
    with Outbox(site.database, "mqtt") as outbox:
        outbox.add(
            [
                StoredRegisters(meter_id=meter_id, at=AT + timedelta(minutes=n), totals=Totals(n * 8_000_000, 0))
                for n in range(count)
            ]
        )


def waiting(site: Site) -> int:
    with sqlite3.connect(site.database) as connection:
        count: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return count


def is_live(site: Site, name: str = "mqtt") -> bool:
    return site.state(name).status is PublisherStatus.LIVE


def kwh(heard: Heard, topic: str = REGISTERS) -> list[float]:
    return [one["import_kwh"] for one in heard.of(topic)]


def later_only(heard: Heard, topic: str = REGISTERS) -> list[float]:
    """What a subscriber keeps that passes over every register which is not later than the one it has."""
    kept: list[dict[str, Any]] = []
    for one in heard.of(topic):
        if not kept or one["t"] > kept[-1]["t"]:
            kept.append(one)
    return [one["import_kwh"] for one in kept]


@asynccontextmanager
async def heard_of(broker: Mosquitto, site: Site, plan: MqttPlan) -> AsyncIterator[Heard]:
    async with subscriber(broker, REGISTERS) as heard, publishing(site, plan):
        yield heard


def test_a_network_that_passes_byte_after_byte_loses_nothing(site: Site, started: Started) -> None:
    broker = started()
    store(site, 60)

    async def story() -> None:
        async with proxied(broker.port) as proxy:
            proxy.up.chunk = proxy.down.chunk = 1
            async with heard_of(broker, site, plain(proxy.port)) as heard:
                await heard.until(lambda: len(heard.messages) >= 60)
            assert kwh(heard) == [8.0 * n for n in range(60)], "each once, in order"
            assert proxy.up.passed > 60 * 80

    run(story())


def test_a_network_that_freezes_is_noticed_and_nothing_is_lost(site: Site, started: Started) -> None:
    broker = started()

    async def story() -> None:
        async with proxied(broker.port) as proxy, heard_of(broker, site, plain(proxy.port)) as heard:
            site.show(minute=0)
            await heard.until(lambda: kwh(heard))
            proxy.up.open.clear()
            site.show(minute=1)
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.AWAY)
            proxy.up.open.set()
            await board_says(site, lambda: is_live(site) and waiting(site) == 0)
            await heard.until(lambda: len(later_only(heard)) == 2)

    run(story())


def test_a_lost_acknowledgement_doubles_a_register_with_its_time(site: Site, started: Started) -> None:
    broker = started()

    async def story() -> None:
        async with proxied(broker.port) as proxy, subscriber(broker, REGISTERS) as heard:
            site.show(minute=0)
            rare = PublishCadence(live_s=3600.0, registers_s=0.0)
            async with publishing(site, replace(plain(proxy.port), cadence=rare)):
                await board_says(site, lambda: is_live(site) and waiting(site) == 0)
                proxy.down.is_lossy = True
                site.show(minute=1)
                await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.AWAY)
                proxy.down.is_lossy = False
                await board_says(site, lambda: is_live(site) and waiting(site) == 0)
                site.show(minute=2)
                await heard.until(lambda: len(set(kwh(heard))) == 3)
        doubled = [one for one in heard.messages if heard.messages.count(one) > 1]
        assert doubled, "the broker had it, and we could not know"
        assert later_only(heard) == [1234.567, 1242.567, 1250.567]

    run(story())


@pytest.mark.parametrize("answers", [60, 90, 200])
def test_a_line_that_breaks_amid_many_registers_loses_none(answers: int, site: Site, started: Started) -> None:
    """Ten are on their way together; the line breaks after so many bytes of what the broker answers."""
    broker = started()
    store(site, 60)

    async def story() -> None:
        async with proxied(broker.port) as proxy:
            proxy.down.breaks_after = answers
            async with heard_of(broker, site, plain(proxy.port)) as heard:
                await board_says(site, lambda: is_live(site) and waiting(site) == 0)
                await heard.until(lambda: later_only(heard)[-1:] == [8.0 * 59])
            assert proxy.down.breaks_after is None, "it has broken"
        assert later_only(heard) == [8.0 * n for n in range(60)]
        values = {(one["t"], one["import_kwh"]) for one in heard.of(REGISTERS)}
        assert len(values) == 60, "one time, one value"

    run(story())


def test_a_broker_that_takes_one_message_at_a_time_gets_all(site: Site, started: Started) -> None:
    broker = started("max_inflight_messages 1")
    store(site, 300)

    async def story() -> None:
        async with heard_of(broker, site, plain(broker.port)) as heard:
            await heard.until(lambda: len(heard.messages) >= 300)
        assert kwh(heard) == [8.0 * n for n in range(300)], "each once, in order"

    run(story())


def test_a_full_queue_at_the_broker_costs_values_and_no_energy(site: Site, started: Started) -> None:
    broker = started("max_queued_messages 5", "max_inflight_messages 1")
    store(site, 40)

    async def story() -> None:
        async with subscriber(broker, REGISTERS, **lasting_session()):
            pass  # from here on the broker queues for it, five at most
        async with publishing(site, plain(broker.port)):
            await board_says(site, lambda: is_live(site) and waiting(site) == 0)
            async with subscriber(broker, is_known=True, **lasting_session()) as heard:
                await heard.until(lambda: len(heard.messages) >= 5)
                site.show(minute=60)
                await heard.until(lambda: kwh(heard)[-1] > 1000)
        got = kwh(heard)
        assert len(got) < 40
        assert got == sorted(got), "a register never falls, whatever is left out"
        assert got[0] == 0.0

    run(story())


@pytest.mark.parametrize("limit", ["message_size_limit 500", "max_packet_size 500"])
def test_a_message_too_large_for_the_broker_is_refused_aloud(limit: str, site: Site, started: Started) -> None:
    broker = started(limit)

    async def story() -> None:
        site.show()
        async with publishing(site, home_assistant(broker.port)):
            await board_says(site, lambda: site.state("home_assistant").status is PublisherStatus.REFUSED)
            await board_says(site, lambda: site.state("home_assistant").waiting == 1)
        state = site.state("home_assistant")
        assert "Packet too large" in (state.error or "") or "/config' (" in (state.error or "")
        assert "raise" in (state.hint or "")
        assert limit.split()[0] in (state.hint or "")

    run(story())


def test_a_topic_that_we_may_not_write_is_named_and_registers_wait(
    site: Site, started: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = tmp_path / "access"
    topics = ("meters/state", "meters/house/state", "meters/house/live")
    access.write_text("".join(["topic read #\n", *(f"topic readwrite {topic}\n" for topic in topics)]))
    access.chmod(0o600)
    broker = started(f"acl_file {access}")

    async def story() -> None:
        async with heard_of(broker, site, plain(broker.port)) as heard:
            for minute in range(3):
                site.show(minute=minute)
                await board_says(site, lambda n=minute: waiting(site) == n + 1)  # type: ignore[misc]
            await board_says(site, lambda: site.state("mqtt").waiting == 3)
            state = site.state("mqtt")
            assert state.status is PublisherStatus.REFUSED
            assert state.error is not None
            assert state.error.endswith(f"refuses what is published to '{REGISTERS}': Not authorized")
            assert "access list of the broker" in (state.hint or "")
            access.write_text("topic readwrite #\n")
            broker.reload()
            await heard.until(lambda: len(set(kwh(heard))) == 3)
            await board_says(site, lambda: is_live(site) and waiting(site) == 0)

    run(story())
    said = [record.message for record in caplog.records if "refuses what is published" in record.message]
    assert len(said) == 1, "once, however often it is tried"


def test_a_will_that_we_may_not_write_names_the_topics_too(site: Site, started: Started, tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text("topic read #\n")
    access.chmod(0o600)
    broker = started(f"acl_file {access}")

    async def story() -> None:
        async with publishing(site, plain(broker.port)):
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
        assert "write" in (site.state("mqtt").hint or "")

    run(story())


def test_a_broker_that_forgot_everything_gets_it_again(tmp_path: Path, started: Started) -> None:
    site, broker = Site(tmp_path, ("house", "shed")), started()

    async def retained() -> set[str]:
        async with subscriber(broker) as heard:
            await heard.until(lambda: heard.newest("wattrail/bridge/state") and heard.newest("meters/state"))
            await heard.client.publish("end", "1", qos=1)
            await heard.until(lambda: heard.newest("end"))
        return {topic for topic, _ in heard.messages} - {"end"}

    def all_reached() -> bool:
        return all(is_live(site, name) and site.state(name).error is None for name in ("mqtt", "home_assistant"))

    async def story() -> None:
        async with publishing(site, plain(broker.port)), publishing(site, home_assistant(broker.port)):
            site.show("house")
            site.show("shed")
            await board_says(site, lambda: all_reached() and waiting(site) == 0)
            before = await retained()
            broker.stop()
            await board_says(site, lambda: not is_live(site) and not is_live(site, "home_assistant"))
            site.show("house", minute=1)  # of the shed nothing waits, and all the same its topics are gone
            broker.start()
            await board_says(site, lambda: all_reached() and waiting(site) == 0)
            assert await retained() == before
            assert {"meters/house/registers", "meters/shed/registers"} <= before

    run(story())


def test_a_late_will_of_an_earlier_run_does_not_stay(site: Site, started: Started) -> None:
    broker = started()

    async def story() -> None:
        async with proxied(broker.port) as proxy, subscriber(broker, "meters/state") as heard:
            will = aiomqtt.Will("meters/state", "offline", qos=1, retain=True)
            before = aiomqtt.Client("127.0.0.1", proxy.port, will=will, protocol=aiomqtt.ProtocolVersion.V5)
            await before.__aenter__()
            async with publishing(site, plain(broker.port)):
                await board_says(site, lambda: is_live(site))
                await heard.until_topic("meters/state", "online")
                proxy.cut()
                await heard.until_topic("meters/state", "offline")
                await heard.until_topic("meters/state", "online")
                assert site.state("mqtt").error is None
            with pytest.raises(aiomqtt.MqttError):
                await anext(before.messages)

    run(story())


def test_a_second_gateway_at_the_same_topics_is_said(tmp_path: Path, started: Started) -> None:
    broker = started()
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = map(Site, folders)

    async def story() -> None:
        async with publishing(one, plain(broker.port)):
            await board_says(one, lambda: is_live(one))
            async with publishing(two, plain(broker.port)):
                await board_says(one, lambda: one.state("mqtt").error)
            state = one.state("mqtt")
            assert state.status is PublisherStatus.LIVE
            assert "another gateway publishes at mqtt://127.0.0.1" in (state.error or "")
            assert state.hint == "give each gateway a topic of its own: topic in [publish.mqtt]"

    run(story())


@pytest.mark.parametrize(
    ("answer", "status", "complaint"),
    [
        (b"", PublisherStatus.AWAY, r"is not an MQTT broker: no answer from \S+ \| check the port: mostly 1883"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", PublisherStatus.AWAY, "what listens there is not an MQTT broker: "),
        (bytes(range(256)), PublisherStatus.AWAY, "what listens there is not an MQTT broker: "),
        # The CONNACK of a broker of MQTT 3.1.1 to a client of another version (its section 3.2.2.3).
        (b"\x20\x02\x00\x01", PublisherStatus.REFUSED, "does not speak MQTT 5"),
    ],
)
def test_what_is_not_a_broker_is_reported(answer: bytes, status: PublisherStatus, complaint: str, site: Site) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            await reader.read(1000)
            writer.write(answer)
            await reader.read()

    async def story() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, publishing(site, plain(server.sockets[0].getsockname()[1])):
            site.show()
            await board_says(site, lambda: site.state("mqtt").error and site.state("mqtt").waiting == 1)
        state = site.state("mqtt")
        assert state.status is status
        assert re.search(complaint, f"{state.error} | {state.hint}")

    run(story())


def test_a_clock_wrong_by_a_day_loses_no_register(site: Site, started: Started) -> None:
    broker = started()
    times = [AT + timedelta(days=moved, minutes=minute) for minute, moved in enumerate((0, -1, 1, 0))]

    async def story() -> None:
        async with heard_of(broker, site, plain(broker.port)) as heard:
            for day, at in enumerate(times):
                site.feed.publish(view(at=at, total=Totals(1_000_000_000 + day * 1_000_000, 0)))
                await heard.until(lambda n=day: len(kwh(heard)) == n + 1)  # type: ignore[misc]
        assert kwh(heard) == [1000.0, 1001.0, 1002.0, 1003.0]
        assert [one["t"][:16] for one in heard.of(REGISTERS)] == [f"{at:%Y-%m-%dT%H:%M}" for at in times]
        assert site.state("mqtt").held == {}

    run(story())


# paho 2.2 leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_of_tomorrow_sends_to_the_clock_of_this_machine(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = TlsMosquitto(folder, valid_from=timedelta(days=1))
    broker.start()
    plan = plain(broker.port)
    plan = replace(plan, address=replace(plan.address, is_encrypted=True), ca_file=broker.authority)

    async def story() -> None:
        async with publishing(site, plan):
            await board_says(site, lambda: site.state("mqtt").status is PublisherStatus.REFUSED)
        assert "not yet valid" in (site.state("mqtt").error or "")
        assert (site.state("mqtt").hint or "").startswith("check the clock of this machine, which says 20")

    try:
        run(story())
    finally:
        broker.stop()
        gc.collect()  # that socket, now


def test_two_meters_never_have_one_identity(tmp_path: Path) -> None:
    site = Site(tmp_path, ("house", "shed"))
    taken = identity(site)
    with closing(sqlite3.connect(site.database)) as database, pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("INSERT INTO identity SELECT id, ? FROM meter WHERE name = 'shed'", (taken,))
    assert identity(site, "shed") != taken
