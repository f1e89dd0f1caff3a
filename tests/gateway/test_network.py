"""Network meters in the gateway: what one of them does wrong costs the others nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fair_time import fair_time
from tests.gateway.network_rig import running
from tests.gateway.rig import CALIBRATION
from tests.sources.conftest import NEEDS_BROKER, Mosquitto, broker, closed_broker, publisher, run
from wattrail.app.config import parse_config
from wattrail.app.plan import plan_service
from wattrail.clock import SystemClock
from wattrail.errors import ConfigError
from wattrail.gateway import GatewayPlan, MeterPlan, MeterState
from wattrail.sources import Secrets
from wattrail.twin.network.devices import openbeken, tuya
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import WebFaults, connect_to_broker, serve_web
from wattrail.twin.network.tuya import LOCAL_KEY, serve_tuya
from wattrail.web.api import MeterJson

__all__ = ["broker", "closed_broker"]

POLL_S = 0.2


def device() -> SimulatedOpenBeken:
    made = openbeken(SystemClock(), total_wh=12_000)
    made.meter.set(watts=2300.0)
    return made


def http(name: str, place: str, *, options: str = "") -> MeterPlan:
    return MeterPlan(name=name, url=f"openbeken://{place}{options}", poll_s=POLL_S)


def test_a_polled_meter_is_booked_and_marked_as_simulated(tmp_path: Path) -> None:
    async def story() -> None:
        async with serve_web(device().answer) as place, running(tmp_path, http("house", place)) as house:
            await house.readings("house", 3)
            view = house.view("house")
            assert view.simulated
            assert view.total is not None
            assert view.reading is not None
            assert view.reading.watts == pytest.approx(2300, rel=0.01)
            assert view.scale == "the meter scales by itself"
            assert view.link is not None
            assert view.link.signals == view.link.readings > 0, "its signal comes with each reading"
            row = house.store.meter("house")
            assert row is not None
            assert row.simulated
            assert len(house.store.series(row.id, view.reading.at, house.feed.now())) <= 1

    run(story())


def test_a_stock_meter_is_booked_through_a_restart_of_its_module(tmp_path: Path) -> None:
    secrets = Secrets(
        file=Path("/nonexistent"),
        environment={"WATTRAIL_LOGIN_STOCK": f"simulated00000000e01:{LOCAL_KEY}"},
        uses_keyring=False,
    )

    async def story() -> None:
        stock = tuya(SystemClock(), version="3.4", total_wh=12_000)
        stock.meter.set(watts=2300.0)
        async with serve_tuya(stock, every_s=0.05) as served:
            url = f"tuya://{served.place}?version=3.4&board=pziot-e01&login=stock&ask=0.1"
            async with running(tmp_path, MeterPlan(name="stock", url=url), secrets=secrets) as house:
                await house.readings("stock", 3)
                view = house.view("stock")
                assert view.simulated
                assert view.total is not None
                before = house.stored("stock")
                stock.restart_module()  # its cache is empty, and the register behind it unharmed
                served.hang_up()
                await house.until(lambda house: served.connections > 1, "it is connected again")
                await house.readings("stock", 3)
                assert house.view("stock").notice is None
                assert house.stored("stock") - before < 100_000, "nothing is booked of the zeros"
                served.is_silent = True  # and the gateway ends all the same

    run(story())


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError):
        await reader.read()


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError):
        await reader.read(100)
        while True:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"\xff" * 65536)
            await writer.drain()


async def _dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError, TimeoutError):
        await reader.read(100)
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.wait_for(reader.read(), 0.05)
            return


async def _lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(ConnectionError):
        await reader.read(100)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"StatusFWR":')
        await writer.drain()


@pytest.mark.parametrize(
    ("serve", "state"),
    [
        (_hang, MeterState.STALE),
        (_flood, MeterState.STALE),
        (_dribble, MeterState.STALE),
        (_lie, MeterState.LOST),
    ],
    ids=["hangs", "floods", "dribbles", "lies about its length"],
)
def test_a_web_server_that_misbehaves_costs_the_others_nothing(
    tmp_path: Path, serve: object, state: MeterState
) -> None:
    async def story() -> float:
        async with (
            serve_web(device().answer) as good,
            await asyncio.start_server(serve, "127.0.0.1", 0) as bad,  # type: ignore[arg-type]
        ):
            place = f"127.0.0.1:{bad.sockets[0].getsockname()[1]}"
            plans = [http(f"bad{n}", place, options="?timeout=0.3") for n in range(5)]
            async with running(tmp_path, *plans, http("good", good)) as house:
                await asyncio.gather(
                    *(house.until_state(plan.name, state) for plan in plans), house.readings("good", 10)
                )
                assert house.view("good").state is MeterState.LIVE
                link = house.view("good").link
                assert link is not None
                assert link.dropouts == 0
                return link.longest_silence_s

    with fair_time() as taken:
        silence_s = run(story())
    assert silence_s * taken.share < 1.5


def test_slow_servers_are_read_and_the_others_keep_their_cadence(tmp_path: Path) -> None:
    async def story() -> float:
        slow, faults = device(), WebFaults(delay_s=0.4)
        async with (
            serve_web(device().answer) as good,
            serve_web(slow.answer, faults=faults) as late,
            serve_web(slow.answer, faults=WebFaults(delay_s=60)) as never,
        ):
            plans = [http(f"late{number}", late, options="?timeout=30") for number in range(20)]
            plans += [http(f"never{number}", never, options="?timeout=0.3") for number in range(5)]
            async with running(tmp_path, *plans, http("good", good, options="?timeout=30")) as house:
                for plan in plans:
                    await house.until_state(plan.name, MeterState.LIVE if "late" in plan.name else MeterState.STALE)
                await asyncio.gather(house.readings("good", 10), house.readings("late7", 3))
                link = house.view("good").link
                assert link is not None
                assert link.dropouts == 0
                return link.longest_silence_s

    with fair_time() as taken:
        silence_s = run(story())
    assert silence_s * taken.share < 1.5


def test_a_name_server_that_hangs_holds_no_stop_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_asked, may_answer, look_up = threading.Event(), threading.Event(), socket.getaddrinfo

    def hanging(host: str, *args: Any, **options: Any) -> list[Any]:
        if host == "slow.lan":
            is_asked.set()
            may_answer.wait(60)
        return list(look_up("127.0.0.1" if host == "slow.lan" else host, *args, **options))

    async def story() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", hanging)
        async with (
            serve_web(device().answer) as place,
            running(tmp_path, http("house", place), http("slow", "slow.lan")) as house,
        ):
            await house.readings("house", 2)
            assert await asyncio.to_thread(is_asked.wait, 60)
            try:
                assert await house.gateway.stop(), "every ledger is written and every source closed"
            finally:
                may_answer.set()

    run(story())


def test_a_meter_that_goes_away_is_read_again_when_it_is_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with serve_web(device().answer) as place:
            port = int(place.rpartition(":")[2])
        async with running(tmp_path, http("house", place)) as house:
            lost = await house.until_state("house", MeterState.LOST)
            assert "cannot connect" in str(lost.error)
            assert lost.retry_at is not None
            async with serve_web(device().answer, port=port):
                await house.until_state("house", MeterState.LIVE)

    run(story())


@NEEDS_BROKER
def test_a_flood_on_one_topic_leaves_the_other_meters_live(tmp_path: Path, broker: Mosquitto) -> None:
    async def flood(stop: asyncio.Event) -> None:
        async with publisher(broker.port) as publish:
            while not stop.is_set():
                await asyncio.gather(*(publish("z/bad", b"\xff" * 2000) for _ in range(50)))

    async def story() -> None:
        stop = asyncio.Event()
        good = asyncio.create_task(connect_to_broker(device(), port=broker.port, interval_s=0.1))
        flooding = asyncio.create_task(flood(stop))
        plans = (
            MeterPlan(name="good", url=f"mqtt://127.0.0.1:{broker.port}/obk51A0CAFE?device=openbeken&ask=0.2"),
            MeterPlan(name="bad", url=f"mqtt://127.0.0.1:{broker.port}/z/bad?device=json&profile=zigbee2mqtt"),
        )
        async with running(tmp_path, *plans) as house:
            await house.until(lambda h: "in a second" in str(h.view("bad").error), "the flood is named")
            await house.readings("good", 10)
            assert house.view("good").state is MeterState.LIVE
        stop.set()
        await flooding
        good.cancel()

    run(story())


@NEEDS_BROKER
def test_every_reason_of_silence_is_named(tmp_path: Path, closed_broker: Mosquitto) -> None:
    def plan(name: str, rest: str) -> MeterPlan:
        return MeterPlan(name=name, url=f"mqtt://127.0.0.1:{closed_broker.port}/{rest}")

    secrets = Secrets(file=Path("/nonexistent"), environment={"WATTRAIL_LOGIN_GOOD": "meter:planted-secret"})
    plans = (
        plan("refused", "z/plug?device=json&profile=zigbee2mqtt"),
        plan("silent", "z/none?device=json&profile=zigbee2mqtt&silence=1&login=good"),
        plan("offline", "z/off?device=json&profile=zigbee2mqtt&login=good"),
    )

    async def story() -> None:
        async with (
            publisher(closed_broker.port, username="meter", password="planted-secret") as publish,
            running(tmp_path, *plans, secrets=secrets) as house,
        ):
            await publish("z/off/availability", '{"state":"offline"}', retain=True)
            refused = await house.until_state("refused", MeterState.LOST)
            assert "refuses the login '127.0.0.1'" in str(refused.error)
            silent = await house.until_state("silent", MeterState.STALE)
            assert "no message within 1 s" in str(silent.error)
            assert "expected every 60 s" in str(silent.error)
            offline = await house.until_state("offline", MeterState.LOST)
            assert "offline (its last will)" in str(offline.error)

    run(story())


@NEEDS_BROKER
def test_what_a_broker_has_kept_makes_no_meter_live(tmp_path: Path, broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}/z/plug?device=json&energy=energy&power=power&retained=use"

    async def story() -> None:
        async with publisher(broker.port) as publish:
            await publish("z/plug", '{"energy": 7.5, "power": 3}', retain=True)
            async with running(tmp_path, MeterPlan(name="plug", url=url + "&silence=1")) as house:
                silent = await house.until_state("plug", MeterState.STALE)
                assert silent.reading is None
                while house.view("plug").state is not MeterState.LIVE:
                    await publish("z/plug", '{"energy": 7.5, "power": 3}')
                    await asyncio.sleep(0)

    run(story())


@pytest.mark.parametrize("given", ["front_end", "calibration", "chip", "address", "inverted"])
def test_each_thing_of_a_chip_is_refused_by_its_name(given: str) -> None:
    values = {"front_end": "pziot-e01", "calibration": CALIBRATION, "chip": "bl0942", "address": 2, "inverted": True}
    with pytest.raises(ConfigError, match=f"^meter a: {given} is for a chip on a wire") as refused:
        MeterPlan(name="a", url="openbeken://10.0.0.1", **{given: values[given]})  # type: ignore[arg-type]
    assert refused.value.hint == "remove it, or set it in the firmware of the meter"


def test_a_network_meter_takes_nothing_of_a_chip() -> None:
    with pytest.raises(ConfigError, match="front_end, inverted is for a chip on a wire"):
        MeterPlan(name="a", url="openbeken://10.0.0.1", front_end="pziot-e01", inverted=True)
    with pytest.raises(ConfigError, match="a meter that publishes is not polled"):
        MeterPlan(name="a", url="mqtt://10.0.0.1/x?device=openbeken", poll_s=5)
    with pytest.raises(ConfigError, match=r"poll_s = 4000 is outside 0\.2 to 3600 s"):
        MeterPlan(name="a", url="openbeken://10.0.0.1", poll_s=4000)
    assert MeterPlan(name="a", url="openbeken://10.0.0.1", poll_s=3600).poll_s == 3600
    assert MeterPlan(name="a", url="openbeken://10.0.0.1").poll_s == 10
    assert MeterPlan(name="a", url="serial:///dev/ttyUSB0").poll_s == 1


def test_a_plan_may_hold_chips_and_network_meters(tmp_path: Path) -> None:
    async def story() -> None:
        async with serve_web(device().answer) as place:
            chip = MeterPlan(name="chip", url="twin://pziot-e01?seed=7", poll_s=0.2)
            async with running(tmp_path, chip, http("wifi", place)) as house:
                await asyncio.gather(house.readings("chip", 2), house.readings("wifi", 2))
                assert [view.name for view in house.feed.views()] == ["chip", "wifi"]
        assert GatewayPlan(meters=(chip,)).meters[0].is_network is False

    run(story())


def test_what_was_booked_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        meter = device()
        async with serve_web(meter.answer) as place:
            async with running(tmp_path, http("house", place)) as house:
                await house.readings("house", 3)
                first = house.view("house").total
            async with running(tmp_path, http("house", place)) as house:
                await house.readings("house", 3)
                second = house.view("house").total
                link = house.view("house").link
            assert first is not None
            assert second is not None
            assert second.import_mwh >= first.import_mwh
            assert link is not None
            assert link.readings > 5, "the day's link goes on too"

    run(story())


PLANTED = "planted-secret"


@NEEDS_BROKER
def test_a_planted_secret_is_found_nowhere(
    tmp_path: Path, closed_broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets_file = tmp_path / "secrets.toml"
    secrets_file.write_text(
        f'[wifi]\npassword = "{PLANTED}"\n[right]\nuser = "meter"\npassword = "{PLANTED}"\n'
        f'[wrong]\nuser = "meter"\npassword = "{PLANTED}-2"\n'
    )
    secrets_file.chmod(0o600)
    locked = openbeken(SystemClock(), total_wh=12_000)
    locked.board.settings.put_text("web_password", PLANTED)
    mqtt = f"mqtt://127.0.0.1:{closed_broker.port}/z/plug?device=json&profile=zigbee2mqtt&login="
    shown: list[str] = []

    async def story() -> None:
        async with serve_web(locked.answer) as place:
            plans = (
                http("wifi", place, options="?login=wifi"),
                http("refused", place),
                MeterPlan(name="right", url=mqtt + "right"),
                MeterPlan(name="wrong", url=mqtt + "wrong"),
            )
            secrets = Secrets(file=secrets_file, environment={}, uses_keyring=False)
            async with (
                running(tmp_path, *plans, secrets=secrets) as house,
                publisher(closed_broker.port, username="meter", password=PLANTED) as publish,
            ):
                await house.readings("wifi", 2)
                await house.until_state("refused", MeterState.LOST)
                await house.until_state("wrong", MeterState.LOST)
                while house.view("right").reading is None:
                    await publish("z/plug", '{"energy": 1.5, "power": 3}')
                    await asyncio.sleep(0)
                shown.extend(MeterJson.of(view).model_dump_json() for view in house.feed.views())
                shown.extend(repr(view) for view in house.feed.views())

    run(story())
    assert "refuses" in "".join(shown)
    assert PLANTED not in "".join(shown)
    assert PLANTED not in caplog.text
    for file in tmp_path.glob("w.sqlite*"):
        assert PLANTED.encode() not in file.read_bytes()


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    text = f'[[meter]]\nname = "a"\nurl = "mqtt://meter:{PLANTED}@10.0.0.1/x?device=openbeken"\n'
    with pytest.raises(ConfigError, match="a URL holds no user and no password") as caught:
        parse_config(text, "wattrail.toml")
    assert PLANTED not in str(caught.value)


def test_a_configuration_takes_every_kind_of_meter() -> None:
    urls = (
        "openbeken://192.168.1.20", "tasmota://192.168.1.21?export=subtracted", "serial:///dev/ttyUSB0",
        "mqtt://broker.lan/zigbee2mqtt/plug?device=json&profile=zigbee2mqtt&login=broker",
        "tuya://192.168.1.22?version=3.3&board=pziot-e01&login=kitchen",
    )  # fmt: skip
    text = "".join(f'[[meter]]\nname = "m{n}"\nurl = "{url}"\n' for n, url in enumerate(urls))
    plan = plan_service(parse_config(text, "wattrail.toml"))
    assert [meter.is_network for meter in plan.gateway.meters] == [True, True, False, True, True]
    assert [meter.poll_s for meter in plan.gateway.meters] == [10, 10, 1, 10, 10]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('url = "openbeken://10.0.0.1?metre=2"\n', r"meter\[1\].url: .*metre"),
        ('url = "mqtt://10.0.0.1/x"\n', r"meter\[1\].url: .*the option device= is missing"),
        ('url = "openbeken://10.0.0.1"\nchip = "bl0942"\n', "chip is for a chip on a wire"),
        ('url = "serial:///dev/ttyUSB0"\npoll_s = 60\n', "poll_s = 60.0 is outside 0.2 to 10 s"),
    ],
)
def test_a_mistake_in_a_network_meter_is_named_by_its_field(fields: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(f'[[meter]]\nname = "a"\n{fields}', "wattrail.toml")
