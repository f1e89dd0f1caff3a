"""Our sources read our simulated devices, by both of their protocols, through the accidents of their registers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.sources.conftest import NEEDS_BROKER, Mosquitto, no_secrets, opened, publisher, read_forever, run
from wattrail.clock import ManualClock
from wattrail.energy_register import Direction
from wattrail.errors import PortLost, PortTimeout, UnexpectedReply
from wattrail.ledger import Boot, boot_between
from wattrail.simulated_ports import simulated_port
from wattrail.sources import BrokerPool, MeterSource, open_source
from wattrail.twin.network.devices import json_meter, openbeken, tasmota
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import MqttDevice, connect_to_broker, serve_web
from wattrail.twin.network.tasmota import SimulatedTasmota
from wattrail.units import Reading

HOUR = 3600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.mark.parametrize(
    "url",
    [
        "openbeken://meter.lan",
        "tasmota://meter.lan",
        "mqtt://broker.lan/obk1?device=openbeken",
        "tuya://meter.lan?version=3.3&board=pziot-e01",
    ],
)
def test_a_url_may_say_that_all_is_simulated_whatever_the_device(url: str) -> None:
    options = f"{'&' if '?' in url else '?'}simulated=yes"
    assert not open_source(url, secrets=no_secrets()).simulated
    assert open_source(url + options, secrets=no_secrets()).simulated


@asynccontextmanager
async def over_http(device: SimulatedOpenBeken | SimulatedTasmota, options: str = "") -> AsyncIterator[MeterSource]:
    scheme = "openbeken" if isinstance(device, SimulatedOpenBeken) else "tasmota"
    async with (
        serve_web(device.answer, faults=device.faults) as place,
        opened(f"{scheme}://{place}{options}") as (source,),
    ):
        yield source


@asynccontextmanager
async def over_mqtt(
    broker: Mosquitto, device: MqttDevice, path: str, *, interval_s: float = 0.05
) -> AsyncIterator[MeterSource]:
    running = asyncio.create_task(connect_to_broker(device, port=broker.port, interval_s=interval_s))
    try:
        async with opened(f"mqtt://127.0.0.1:{broker.port}/{path}") as (source,):
            yield source
    finally:
        running.cancel()
        await asyncio.wait([running])


async def with_register(source: MeterSource, *, is_uptime_needed: bool = False) -> Reading:
    """The next reading that holds a register."""
    while True:
        reading = await source.read()
        if reading.registers and (reading.evidence.uptime_s is not None or not is_uptime_needed):
            return reading


def wh(reading: Reading, direction: Direction = Direction.SUM) -> float:
    (count,) = (count for count in reading.registers if count.register.direction is direction)
    return float(count.register.milliwatt_hours(count.count)) / 1000


@NEEDS_BROKER
def test_export_that_is_added_reads_alike_over_http_and_mqtt(broker: Mosquitto, clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock, total_wh=1000)
        device.meter.set(volts=230.0, watts=500.0)
        clock.advance(HOUR)
        device.meter.update()
        device.meter.set(watts=-800.0)  # noon
        clock.advance(HOUR)
        async with (
            over_http(device) as polled,
            over_mqtt(broker, device, f"{device.client}?device=openbeken&ask=0.1") as pushed,
        ):
            by_http, by_mqtt = await polled.read(), await with_register(pushed, is_uptime_needed=True)
            assert wh(by_http) == pytest.approx(2300, abs=0.2)
            assert by_http.registers == by_mqtt.registers
            assert by_http.watts == pytest.approx(-800, abs=0.1)
            assert by_mqtt.watts == pytest.approx(-800, abs=0.1)
            assert by_http.evidence.uptime_s == by_mqtt.evidence.uptime_s == 7200
            assert polled.simulated
            assert pushed.simulated
            assert polled.quality.signal_dbm == pushed.quality.signal_dbm == -61

    run(story())


def test_after_a_power_cut_the_total_falls_and_the_evidence_says_why(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock, total_wh=1000)
        device.meter.set(watts=36.0)
        async with over_http(device) as source:
            clock.advance(900)
            before = await source.read()
            device.meter.register.power_cut()
            clock.advance(60)
            device.meter.update()
            device.meter.register.power_on()
            clock.advance(5)
            after = await source.read()
        assert wh(before) == pytest.approx(1009, abs=0.1)
        assert wh(after) == pytest.approx(1000, abs=0.1)  # the last save, plus what came since
        assert (after.evidence.uptime_s, after.evidence.is_power_on) == (5, True)

    run(story())


def test_firmware_that_does_not_know_it_is_emulated_is_marked(clock: ManualClock) -> None:
    device = openbeken(clock, total_wh=1000)

    def answer(target: str, head: bytes) -> bytes:
        """As genuine firmware on an emulated module answers."""
        return device.answer(target, head).replace(b"SIMULATED", b"OpenBK")

    async def is_marked(url: str) -> bool:
        async with opened(url) as (source,):
            return (await source.read()).simulated

    async def story() -> None:
        async with serve_web(answer) as place:
            assert not await is_marked(f"openbeken://{place}")  # nothing tells it from a real one
            assert await is_marked(f"openbeken://{place}?simulated=yes")
            with simulated_port(int(place.rpartition(":")[2])):
                assert await is_marked(f"openbeken://{place}")
            assert not await is_marked(f"openbeken://{place}")

    run(story())


@NEEDS_BROKER
def test_what_a_broker_passes_on_is_marked_where_the_url_says_so(broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}/plug?device=json&energy=&unit=Wh&direction=import&class=A&retained=use"

    async def story() -> None:
        async with publisher(broker.port) as publish, opened(url) as (bare,), opened(f"{url}&simulated=yes") as (said,):
            await publish("plug", "17", retain=True)
            assert not (await bare.read()).simulated
            assert (await said.read()).simulated

    run(story())


def test_polls_that_answer_late_are_not_a_restart(clock: ManualClock) -> None:
    device, late_s = openbeken(clock, total_wh=1000), [0.0]
    clock.advance(HOUR)

    def answer(target: str, head: bytes) -> bytes:
        """Made at once, and late on its way."""
        made = device.answer(target, head)
        clock.advance(late_s[0])
        return made

    async def story() -> tuple[Reading, Reading]:
        pool = BrokerPool()
        async with serve_web(answer) as place:
            source = open_source(f"openbeken://{place}", pool=pool, secrets=no_secrets(), clock=clock)
            await source.read()  # its pages too, which later polls do not ask for
            first = await source.read()
            clock.advance(5)
            late_s[0] = 9.8
            return first, await source.read()

    first, second = run(story())
    elapsed_s = second.monotonic - first.monotonic
    assert elapsed_s == pytest.approx(14.8)
    assert (first.evidence.uptime_s, second.evidence.uptime_s) == (3600, 3605)
    assert second.evidence.uptime_age_s == pytest.approx(9.8)
    assert boot_between(first.evidence, second.evidence, elapsed_s) is Boot.NONE

    device.meter.register.power_cut()
    clock.advance(1)
    device.meter.register.power_on()
    third = run(read_once(answer, clock))
    assert boot_between(second.evidence, third.evidence, third.monotonic - second.monotonic).is_restart


async def read_once(answer: Callable[[str, bytes], bytes], clock: ManualClock) -> Reading:
    async with serve_web(answer) as place:
        return await open_source(f"openbeken://{place}", pool=BrokerPool(), secrets=no_secrets(), clock=clock).read()


def test_a_reset_by_command_changes_the_clear_date(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock, total_wh=1000)
        async with over_http(device) as source:
            before = await source.read()
            device.reset_energy()
            after = await source.read()
        assert wh(after) == 0
        assert before.evidence.start_stamp != after.evidence.start_stamp

    run(story())


def test_a_dead_line_costs_the_frequency_alone(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock)
        device.meter.set(volts=0.0, amps=0.0)
        assert b'"Frequency":inf' in device.answer("/cm?cmnd=Status%208", b"")
        async with over_http(device) as source:
            reading = await source.read()
        assert (reading.volts, reading.hertz) == (0.0, None)

    run(story())


@pytest.mark.parametrize("meter", [1, 2])
def test_each_meter_of_a_two_meter_build_is_read(clock: ManualClock, meter: int) -> None:
    async def story() -> None:
        device = openbeken(clock, meters=2)
        assert device.second is not None
        device.meter.set(watts=1000.0)
        device.second.set(watts=250.0)
        clock.advance(HOUR)
        async with over_http(device, f"?meter={meter}") as source:
            reading = await source.read()
        assert wh(reading) == pytest.approx({1: 1000, 2: 250}[meter], abs=1)
        assert reading.watts == pytest.approx({1: 1000, 2: 250}[meter], abs=0.1)

    run(story())


@NEEDS_BROKER
@pytest.mark.parametrize("is_kwh", [False, True])
def test_flag_40_is_of_no_matter_where_the_meter_is_asked(broker: Mosquitto, clock: ManualClock, is_kwh: bool) -> None:
    async def story() -> float:
        device = openbeken(clock, total_wh=12_345, is_kwh=is_kwh)
        async with over_mqtt(broker, device, f"{device.client}?device=openbeken&ask=0.1") as source:
            return wh(await with_register(source))

    assert run(story()) == 12_345


@NEEDS_BROKER
def test_who_only_listens_states_the_unit(broker: Mosquitto, clock: ManualClock) -> None:
    async def story() -> float:
        device = openbeken(clock, total_wh=12_345, is_kwh=True)
        async with over_mqtt(broker, device, f"{device.client}?device=openbeken&ask=0&unit=kWh") as source:
            return wh(await with_register(source))

    assert run(story()) == 12_345


def test_power_without_a_sign_comes_with_advice(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock, is_signed=False)
        device.meter.set(watts=-800.0)
        clock.advance(HOUR)
        async with over_http(device) as source:
            reading = await source.read()
            assert reading.watts == 0
            assert wh(reading) == pytest.approx(800, abs=0.1)
            assert "set flag 25" in source.advice[0]

    run(story())


def test_a_meter_that_hangs_or_hangs_up_is_an_error_and_then_read(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock)
        async with over_http(device, "?timeout=0.2") as source:
            device.faults.is_silent = True
            with pytest.raises(PortTimeout):
                await source.read()
            device.faults.is_silent, device.faults.cut_after = False, 0
            with pytest.raises(PortLost):
                await source.read()
            device.faults.cut_after = 300  # without a length nothing but the JSON shows it
            with pytest.raises(UnexpectedReply, match="expected JSON"):
                await source.read()
            device.faults.cut_after = None
            assert (await source.read()).registers

    run(story())


@pytest.mark.parametrize("phases", [1, 3])
def test_tasmota_is_read_over_http(clock: ManualClock, phases: int) -> None:
    async def story() -> None:
        device = tasmota(clock, phases=phases, export="subtracted")
        for phase in device.phases:
            phase.set(volts=230.0, watts=-600.0)
        clock.advance(HOUR)
        async with over_http(device, "?export=subtracted") as source:
            reading = await source.read()
        assert wh(reading, Direction.NET) == pytest.approx(-600 * phases, abs=1)
        assert wh(reading, Direction.EXPORT) == pytest.approx(600 * phases, abs=phases)
        assert reading.watts == -600 * phases
        assert reading.evidence.boot_count == 1
        assert reading.simulated

    run(story())


@NEEDS_BROKER
def test_tasmota_reads_alike_over_http_and_mqtt(broker: Mosquitto, clock: ManualClock) -> None:
    async def story() -> None:
        device = tasmota(clock, total_wh=5000)
        device.full_topic = "home/%topic%/%prefix%/"
        async with (
            over_http(device) as polled,
            over_mqtt(broker, device, f"{device.mac}?device=tasmota&ask=0.1", interval_s=60) as pushed,
        ):
            clock.advance(30)
            by_http, by_mqtt = await polled.read(), await with_register(pushed, is_uptime_needed=True)
            assert by_http.registers == by_mqtt.registers
            assert replace(by_http.evidence, uptime_age_s=0) == replace(by_mqtt.evidence, uptime_age_s=0)
            assert pushed.simulated

    run(story())


def test_tasmota_falls_to_midnight_and_says_power_on(clock: ManualClock) -> None:
    async def story() -> None:
        device = tasmota(clock, start="23:00")
        device.phases[0].set(watts=1000.0)
        async with over_http(device) as source:
            clock.advance(3 * HOUR)
            device.phases[0].update()
            before = await source.read()
            device.phases[0].register.power_cut()
            device.phases[0].register.power_on()
            clock.advance(60)
            after = await source.read()
        assert wh(after) < wh(before)
        assert (after.evidence.boot_count, after.evidence.is_power_on) == (2, True)
        assert after.evidence.uptime_s == 60

    run(story())


def test_until_the_clock_is_set_there_is_no_total(clock: ManualClock) -> None:
    async def story() -> None:
        device = tasmota(clock)
        device.has_clock = False
        async with over_http(device) as source:
            assert (await source.read()).registers == ()

    run(story())


@NEEDS_BROKER
def test_a_plug_that_publishes_json_is_read(broker: Mosquitto, clock: ManualClock) -> None:
    async def story() -> None:
        device = json_meter(clock, total_wh=1000)
        device.meter.set(watts=500.0)
        clock.advance(HOUR)
        path = f"{device.topic}?device=json&profile=zigbee2mqtt"
        async with over_mqtt(broker, device, path) as source:
            reading = await source.read()
            assert wh(reading, Direction.IMPORT) == 1500
            assert reading.watts == 500.0
            assert reading.simulated

    run(story())


@NEEDS_BROKER
def test_a_device_that_loses_power_is_offline_by_its_will(broker: Mosquitto, clock: ManualClock) -> None:
    async def story() -> None:
        device = json_meter(clock)
        running = asyncio.create_task(connect_to_broker(device, port=broker.port, interval_s=0.05))
        url = f"mqtt://127.0.0.1:{broker.port}/{device.topic}?device=json&profile=zigbee2mqtt"
        async with opened(url) as (source,):
            await source.read()
            await asyncio.to_thread(broker.stop)
            running.cancel()
            await asyncio.wait([running])
            with pytest.raises(PortLost):
                await read_forever(source)

    run(story())


@pytest.mark.parametrize(
    ("target", "raw"),
    [
        ("/api/flash/FFFFFF-10", b"HTTP/1.1 -1 OK\nContent-type: application/json\r\n"),
        ("/api/del/x", b"OK"),
        ("/nowhere", b"HTTP/1.1 200 OK\nContent-type: text/html\r\n"),
        ("/", b"HTTP/1.1 302 OK\n"),
    ],
)
def test_the_servers_peculiarities_are_there(clock: ManualClock, target: str, raw: bytes) -> None:
    answer = openbeken(clock).answer(target, b"")
    assert answer.startswith(raw)
    assert b"Content-Length" not in answer


def test_another_firmware_changes_the_revision(clock: ManualClock) -> None:
    async def story() -> None:
        device = openbeken(clock, total_wh=1000)
        async with over_http(device) as source:
            before = await source.read()
            register = device.meter.register
            register.change_to(replace(register.habits, direction=Direction.NET))
            after = await source.read()
        assert before.evidence.revision != after.evidence.revision

    run(story())
