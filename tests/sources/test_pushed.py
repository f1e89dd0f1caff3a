"""Meters behind a broker: shared connections, restarts, silence, and bad input of every kind."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.sources.conftest import (
    NEEDS_BROKER,
    RETRY_S,
    Mosquitto,
    no_secrets,
    opened,
    publisher,
    read_forever,
    run,
)
from wattrail.clock import ManualClock
from wattrail.energy_register import Direction, Freshness, Persistence
from wattrail.errors import PortError, PortLost, PortOpenError, PortTimeout, UnexpectedReply, UrlError
from wattrail.network_meters.decoded import Decoded
from wattrail.sources import BrokerPool, MeterSource, open_source
from wattrail.sources.pushed import PushedSource
from wattrail.units import Reading

pytestmark = NEEDS_BROKER
PLUG = {"energy": 12.345, "power": 120, "last_seen": "2026-11-28T12:00:00Z"}


def url(broker: Mosquitto, rest: str) -> str:
    return f"mqtt://127.0.0.1:{broker.port}/{rest}"


async def next_after(source: MeterSource, publish: object, topic: str, payload: object) -> Reading:
    """Publish, again and again until the source listens, and give the reading."""
    text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    reading = asyncio.create_task(source.read())
    while not reading.done():
        await publish(topic, text)  # type: ignore[operator]
        await asyncio.wait([reading], timeout=0.02)
    return reading.result()


def test_one_connection_serves_every_meter_behind_a_broker(broker: Mosquitto) -> None:
    urls = [url(broker, f"z/plug{n}?device=json&profile=zigbee2mqtt") for n in range(50)]

    async def story() -> None:
        async with publisher(broker.port) as publish, opened(*urls) as sources:
            pools = {id(source._broker) for source in sources}  # type: ignore[attr-defined]
            assert len(pools) == 1
            await asyncio.gather(*(next_after(sources[n], publish, f"z/plug{n}", PLUG) for n in (0, 49)))

    run(story())


class Faulty:
    """A listener with a bug."""

    def filters(self) -> list[str]:
        return ["z/plug"]

    def receive(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        raise ZeroDivisionError

    def connection_changed(self, problem: PortError | None) -> None:
        return


def test_a_bug_in_one_listener_costs_the_others_nothing(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "z/plug?device=json&profile=zigbee2mqtt")) as (source,),
        ):
            shared, faulty = source._broker, Faulty()  # type: ignore[attr-defined]
            await shared.add(faulty)
            assert (await next_after(source, publish, "z/plug", PLUG)).registers
            assert shared.reconnects == 0
            await shared.remove(faulty)

    run(story())
    assert "ZeroDivisionError" in caplog.text


def test_a_published_total_becomes_whole_counts(broker: Mosquitto) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "z/plug?device=json&profile=zigbee2mqtt")) as (source,),
        ):
            reading = await next_after(source, publish, "z/plug", PLUG)
            assert reading.registers[0].count == 12_345
            assert reading.registers[0].register.direction is Direction.IMPORT
            assert (reading.watts, reading.freshness) == (120.0, Freshness.PUSHED)
            assert not reading.simulated

    run(story())


def test_an_openbeken_meter_is_asked_and_answers(broker: Mosquitto) -> None:
    listens = asyncio.Event()

    async def device() -> None:
        import aiomqtt

        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("cmnd/obk1/Status")
            listens.set()  # a device that comes between two of the questions answers the last one alone
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                energy = {"Power": 50.5, "Voltage": 230.0, "ConsumptionTotal": 1234.5}
                document = {"StatusSNS": {"ENERGY": energy}, "StatusSTS": {"UptimeSec": 7}, "StatusFWR": {"SDK": "obk"}}
                await client.publish(f"stat/obk1/STATUS{message.payload.decode()}", json.dumps(document))

    async def story() -> None:
        asking = asyncio.create_task(device())
        await listens.wait()
        async with opened(url(broker, "obk1?device=openbeken&ask=0.2")) as (source,):
            first, second = await source.read(), await source.read()
        asking.cancel()
        assert first.registers[0].register.milliwatt_hours(first.registers[0].count) == 1_234_500
        assert first.freshness is second.freshness is Freshness.POLLED
        assert second.monotonic > first.monotonic

    run(story())


def test_topics_of_a_tasmota_meter_are_learnt_from_its_mac(broker: Mosquitto) -> None:
    config = {"t": "meter", "ft": "home/%topic%/%prefix%/", "tp": ["cmnd", "stat", "tele"], "mac": "A4C138000001"}

    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "A4C138000001?device=tasmota&ask=0")) as (source,),
        ):
            await publish("tasmota/discovery/A4C138000001/config", json.dumps(config), retain=True)
            sensor = {"Time": "2026-11-28T12:00:00", "ENERGY": {"Total": 1.5, "Power": 10}}
            reading = await next_after(source, publish, "home/meter/tele/SENSOR", sensor)
            assert reading.registers[0].count == 150_000

    run(story())


def test_a_broker_that_restarts_costs_a_reading_and_no_more(broker: Mosquitto) -> None:
    async def story() -> None:
        async with opened(url(broker, "z/plug?device=json&profile=zigbee2mqtt")) as (source,):
            async with publisher(broker.port) as publish:
                await next_after(source, publish, "z/plug", PLUG)
            waiting = asyncio.create_task(source.read())
            await asyncio.to_thread(broker.stop)
            with pytest.raises(PortError):
                await waiting
            await asyncio.to_thread(broker.start)
            later = {**PLUG, "energy": 12.4, "last_seen": "2026-11-28T12:01:00Z"}
            async with publisher(broker.port) as publish:
                while True:
                    try:
                        reading = await next_after(source, publish, "z/plug", later)
                        break
                    except (PortLost, PortOpenError):
                        continue
            assert reading.registers[0].count == 12_400

    run(story())


def test_a_meter_that_leaves_is_known_by_its_last_will(broker: Mosquitto) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "obk1?device=openbeken&ask=0")) as (source,),
        ):
            await next_after(source, publish, "obk1/power/get", "5.00")
            await publish("obk1/connected", "offline", retain=True)
            with pytest.raises(PortLost, match="the broker says that the meter is offline"):
                await read_forever(source)

    run(story())


async def first_error(broker: Mosquitto, rest: str, topic: str, payload: str | bytes) -> Exception:
    async with publisher(broker.port) as publish, opened(url(broker, rest)) as (source,):
        try:
            await next_after(source, publish, topic, payload)
        except (PortError, UnexpectedReply) as error:
            return error
    raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("{", "topic z/p: expected JSON, got '{'"),
        ('{"energy":"12.5"}', r"energy is '12\.5', expected a number"),
        ('{"energy":true}', "energy is True, expected a number"),
        ('{"Energy":1}', "path 'energy' matches nothing: the payload has Energy"),
        (b"x" * (10 << 20), "10485760 bytes, a meter sends at most 262144"),
    ],
)
def test_bad_payloads_are_an_error_with_their_topic(broker: Mosquitto, payload: str | bytes, message: str) -> None:
    error = run(first_error(broker, "z/p?device=json&energy=energy", "z/p", payload))
    with pytest.raises(UnexpectedReply, match=message):
        raise error


def test_after_bad_payloads_the_next_good_one_is_read(broker: Mosquitto) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "z/p?device=json&energy=e")) as (source,),
        ):
            with pytest.raises(UnexpectedReply):
                await next_after(source, publish, "z/p", "junk")
            await publish("z/p", '{"e":7}')
            while True:
                try:
                    assert (await source.read()).registers[0].count == 7000
                    return
                except UnexpectedReply:
                    continue

    run(story())


def test_not_a_number_is_a_reading_without_a_register(broker: Mosquitto) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "z/p?device=json&energy=e&power=p")) as (source,),
        ):
            reading = await next_after(source, publish, "z/p", '{"e":NaN,"p":5}')
            assert (reading.registers, reading.watts) == ((), 5.0)

    run(story())


def test_a_unit_mistaken_by_1000_is_refused_before_much_is_booked(broker: Mosquitto) -> None:
    clock = ManualClock()

    async def story() -> int:
        pool = BrokerPool(retry_s=RETRY_S)
        text = url(broker, "z/p?device=json&energy=e&power=p&unit=Wh")  # it publishes kWh
        source = open_source(text, pool=pool, secrets=no_secrets(), clock=clock)
        readings = 0
        async with publisher(broker.port) as publish:
            await next_after(source, publish, "z/p", '{"e":100.000,"p":1000}')
            try:
                for minute in range(1, 60):
                    clock.advance(60)
                    await publish("z/p", json.dumps({"e": round(100 + minute / 60, 3), "p": 1000}))
                    while (await source.read()).monotonic < clock.monotonic():
                        pass
                    readings += 1
            finally:
                await source.close()
        return readings

    with pytest.raises(UnexpectedReply, match=r"registers of import rose by .* times too little") as caught:
        run(story())
    assert "set unit= to the other of Wh and kWh" in (caught.value.hint or "")


def test_a_topic_that_never_comes_is_named(broker: Mosquitto) -> None:
    async def story() -> None:
        async with opened(url(broker, "nobody?device=openbeken&silence=1&ask=0")) as (source,):
            with pytest.raises(PortTimeout, match=r"no message within 1 s on any of nobody/\+, .*") as caught:
                await source.read()
            assert "check the name of the meter in the URL" in (caught.value.hint or "")

    run(story())


def test_a_broker_that_is_not_there_is_said() -> None:
    async def story() -> None:
        async with opened("mqtt://127.0.0.1:1/z/p?device=json&energy=e") as (source,):
            with pytest.raises(PortOpenError, match=r"broker 127\.0\.0\.1:1: cannot connect"):
                await source.read()

    run(story())


def test_a_flood_keeps_the_newest_readings_and_the_memory(broker: Mosquitto) -> None:
    async def story() -> None:
        async with (
            publisher(broker.port) as publish,
            opened(url(broker, "z/p?device=json&energy=e")) as (source,),
        ):
            await next_after(source, publish, "z/p", '{"e":0}')
            for count in range(1, 601):
                await publish("z/p", json.dumps({"e": count}))
            latest = 0
            while latest < 600_000:
                latest = (await source.read()).registers[0].count
            assert source._inbox.qsize() <= 256  # type: ignore[attr-defined]

    run(story())


def test_the_last_source_that_closes_ends_the_connection(broker: Mosquitto) -> None:
    async def story() -> None:
        pool = BrokerPool(retry_s=RETRY_S)
        text = url(broker, "z/p?device=json&energy=e")
        source = open_source(text, pool=pool, secrets=no_secrets())
        async with publisher(broker.port) as publish:
            await next_after(source, publish, "z/p", '{"e":1}')
            await source.close()
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("broker")]
            again = open_source(text, pool=pool, secrets=no_secrets())
            await next_after(again, publish, "z/p", '{"e":2}')
            await again.close()

    run(story())


def decoded_by(options: str, payload: str) -> Decoded:
    """What a plug behind zigbee2mqtt says, by the profile and by options beside it."""
    source = open_source(f"mqtt://b/z/plug?device=json&profile=zigbee2mqtt{options}", secrets=no_secrets())
    assert isinstance(source, PushedSource)
    decoded = source.link.receive("z/plug", payload.encode(), is_retained=False, at=0.0)
    assert decoded is not None
    return decoded


def test_an_option_replaces_its_part_of_a_profile() -> None:
    options = "&unit=Wh&decimals=1&class=C&modulus=65536&power_scale=-1&direction=sum"
    decoded = decoded_by(options, '{"energy":1234.5,"power":100}')
    (total,) = decoded.registers
    register = total.register
    assert register.milliwatt_hours(total.count) == 1_234_500
    assert (register.persistence, register.modulus, register.direction) == (Persistence.VOLATILE, 65536, Direction.SUM)
    assert decoded.sample.watts == -100


def test_a_profile_takes_a_second_total() -> None:
    decoded = decoded_by("&export_energy=produced_energy", '{"energy":2,"produced_energy":1,"power":-100}')
    assert [(one.register.direction, one.register.milliwatt_hours(one.count)) for one in decoded.registers] == [
        (Direction.IMPORT, 2_000_000), (Direction.EXPORT, 1_000_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mqtt://broker/x", "the option device= is missing; it says what publishes there: openbeken, tasmota, json"),
        ("mqtt://broker/?device=json&energy=e", "after the broker stands the topic of one meter"),
        ("mqtt://broker/%23?device=openbeken", r"without \+ and #"),
        ("mqtt://broker/x?device=json", "device=json needs profile= or energy="),
        ("mqtt://broker/x?device=json&profile=p1&direction=sum", "direction= is of one total, and profile=p1 has 4"),
        ("mqtt://broker/x?device=json&energy=a[", "option energy='a\\[' does not fit"),
        ("mqtt://broker/x?device=openbeken&unit=kwh", "option unit='kwh' does not fit: must be one of mWh, Wmin"),
        ("mqtt://broker/x?device=openbeken&enrgy=e", "has no option 'enrgy'"),
        ("openbeken://", "the host is missing"),
        ("openbeken://host/path", "nothing stands after the host but options"),
        ("tasmota://host?export=maybe", "option export='maybe' does not fit: must be one of added, none"),
        ("http://host", "not a network meter; known: openbeken, tasmota, mqtt"),
    ],
)
def test_a_url_that_does_not_fit_says_what_would(text: str, message: str) -> None:
    with pytest.raises(UrlError, match=message):
        open_source(text, secrets=no_secrets())
