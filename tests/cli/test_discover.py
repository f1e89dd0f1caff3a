"""``wattrail discover``, with simulated devices on loopback alone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from tests.cli.conftest import Type
from tests.cli.network_rig import background, house_openbeken
from tests.sources.conftest import NEEDS_BROKER, Mosquitto
from wattrail.clock import ManualClock
from wattrail.sources import discovery
from wattrail.twin.network.devices import tasmota
from wattrail.twin.network.openbeken import SimulatedOpenBeken
from wattrail.twin.network.serving import Message, connect_to_broker, serve_web

QUICK = ("--seconds", "0.5")


class SsdpResponder(asyncio.DatagramProtocol):
    """Answers every search, as OpenBeken does."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        cast(asyncio.DatagramTransport, self.transport).sendto(self.answer, addr)


@asynccontextmanager
async def ssdp(responder: SsdpResponder) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: responder, local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


def test_a_range_is_asked_address_by_address(wattrail: Type) -> None:
    device = house_openbeken()
    with background() as loop:
        place = loop.enter(serve_web(device.answer))
        port = place.rpartition(":")[2]
        said = wattrail("discover", "--range", "127.0.0.0/29", "--port", port, *QUICK)
    assert said.code == 0
    assert f"openbeken://{place}" in said.out
    assert "voltage, current, power, energy" in said.out
    assert "SIMULATED" in said.out
    assert f'[[meter]]\nname = "SIMULATED_obk51A0CAFE"\nurl = "openbeken://{place}?mac=C8478C51CAFE"' in said.out
    assert "HTTP: asked 6 addresses of 127.0.0.0/29 for /cm?cmnd=Status%200; 1 are meters" in said.err
    assert "mDNS" not in said.err  # a range was named, and nothing else


def test_an_ssdp_search_finds_openbeken(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    device = house_openbeken()
    with background() as loop:
        place = loop.enter(serve_web(device.answer))
        responder = SsdpResponder(device.answer_search(place))
        port = loop.enter(ssdp(responder))
        monkeypatch.setattr(discovery, "SSDP_GROUP", ("127.0.0.1", port))
        said = wattrail("discover", "--no-mdns", "--interface", "127.0.0.1", *QUICK)
    assert f"openbeken://{place}" in said.out
    assert f"SSDP: asked 127.0.0.1:{port} on 127.0.0.1, 2 questions; 1 answers" in said.err
    assert responder.asked[0].startswith(b"M-SEARCH * HTTP/1.1\r\n")


def test_a_stranger_that_answers_is_not_asked(wattrail: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(target: str, head: bytes) -> bytes:
        asked.append(target)
        return b"HTTP/1.1 200 OK\r\n\r\n<html>printer</html>"

    with background() as loop:
        place = loop.enter(serve_web(answer))
        stranger = f"HTTP/1.1 200 OK\r\nLOCATION: http://{place}/d.xml\r\nSERVER: Printer/1\r\n\r\n".encode()
        port = loop.enter(ssdp(SsdpResponder(stranger)))
        monkeypatch.setattr(discovery, "SSDP_GROUP", ("127.0.0.1", port))
        said = wattrail("discover", "--no-mdns", "--interface", "127.0.0.1", *QUICK)
        assert asked == []
        all_asked = wattrail("discover", "--no-mdns", "--interface", "127.0.0.1", "--ask-all", *QUICK)
    assert "1 others carry no name of a known firmware and were not asked" in said.err
    assert asked == ["/cm?cmnd=Status%200"]
    assert "no meter was found" in all_asked.out


@NEEDS_BROKER
def test_a_named_broker_tells_of_its_meters(wattrail: Type, tmp_path: Path) -> None:
    broker, openbeken, solar = Mosquitto(tmp_path), house_openbeken(), tasmota(ManualClock())
    broker.start()
    with background() as loop:
        loop.spawn(connect_to_broker(openbeken, port=broker.port, interval_s=0.1))
        loop.spawn(connect_to_broker(solar, port=broker.port, interval_s=0.1))
        said = wattrail("discover", "--broker", f"mqtt://127.0.0.1:{broker.port}", "--seconds", "2", "--json")
    broker.stop()
    found = json.loads(said.out)
    assert {meter["url"] for meter in found["meters"]} == {
        f"mqtt://127.0.0.1:{broker.port}/{solar.mac}?device=tasmota",
        f"mqtt://127.0.0.1:{broker.port}/{openbeken.client}?device=openbeken",
    }
    assert all(meter["simulated"] for meter in found["meters"])
    assert all("energy" in meter["measures"] for meter in found["meters"])
    assert found["problems"] == []
    assert "asked 1 devices for Status" in found["actions"][0]


class Announcing(SimulatedOpenBeken):
    """Says at its start what it says to Home Assistant when it is asked to."""

    def births(self) -> list[Message]:
        return [*super().births(), *self.discovery()]


@NEEDS_BROKER
def test_what_is_announced_to_home_assistant_is_enough(wattrail: Type, tmp_path: Path) -> None:
    broker, device = Mosquitto(tmp_path), Announcing(house_openbeken().meter)
    broker.start()
    with background() as loop:
        loop.spawn(connect_to_broker(device, port=broker.port, interval_s=60))
        said = wattrail("discover", "--broker", f"127.0.0.1:{broker.port}", "--seconds", "1", "--json")
    broker.stop()
    (meter,) = json.loads(said.out)["meters"]
    assert meter["measures"] == ["voltage", "current", "power", "energy"]
    assert meter["title"] == "Beken BK7231N 1.18.230"


def test_mdns_finds_a_device_on_this_interface(wattrail: Type) -> None:
    zeroconf = pytest.importorskip("zeroconf")
    from zeroconf.asyncio import AsyncZeroconf

    device = house_openbeken()

    @asynccontextmanager
    async def announced(port: int) -> AsyncIterator[None]:
        service = zeroconf.ServiceInfo(
            "_http._tcp.local.", "OBK51A0CAFE._http._tcp.local.", port=port, addresses=[socket.inet_aton("127.0.0.1")]
        )
        responder = AsyncZeroconf(interfaces=["127.0.0.1"])
        await (await responder.async_register_service(service))
        yield
        await responder.async_unregister_all_services()
        await responder.async_close()

    with background() as loop:
        place = loop.enter(serve_web(device.answer))
        loop.enter(announced(int(place.rpartition(":")[2])))
        said = wattrail("discover", "--no-ssdp", "--interface", "127.0.0.1", "--seconds", "1.5")
    assert f"openbeken://{place}" in said.out
    assert "mDNS: asked 224.0.0.251:5353 on 127.0.0.1 for _http._tcp.local. during 1.5 s; 1 answers" in said.err


def test_what_was_found_is_added_and_comments_stay(wattrail: Type) -> None:
    written = '# my meters\n[[meter]]  # the bench\nname = "SIMULATED_obk51A0CAFE"\nurl = "twin://pziot-e01"'
    file = Path("wattrail.toml")
    file.write_text(written)
    device = house_openbeken()
    with background() as loop:
        port = loop.enter(serve_web(device.answer)).rpartition(":")[2]
        words = ("discover", "--range", "127.0.0.1", "--port", port, "--add", *QUICK)
        said = wattrail(*words)
        again = wattrail(*words)
    assert said.code == 0
    assert "added to wattrail.toml: SIMULATED_obk51A0CAFE-2" in said.err
    after = file.read_text()
    assert after == (
        f'{written}\n\n[[meter]]\nname = "SIMULATED_obk51A0CAFE-2"\n'
        f'url = "openbeken://127.0.0.1:{port}?mac=C8478C51CAFE"  # voltage, current, power, energy\n'
    )
    assert f"openbeken://127.0.0.1:{port} is configured already, as SIMULATED_obk51A0CAFE-2" in again.out
    assert "--add adds" not in again.out
    assert file.read_text() == after
    assert [path.name for path in Path().iterdir()] == ["wattrail.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_the_gateways_user_stays_that_users(wattrail: Type) -> None:
    file = Path("wattrail.toml")
    file.write_text('[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\n')
    os.chown(file, 1234, 1234)
    file.chmod(0o640)
    with background() as loop:
        port = loop.enter(serve_web(house_openbeken().answer)).rpartition(":")[2]
        said = wattrail("discover", "--range", "127.0.0.1", "--port", port, "--add", *QUICK)
    assert "added to wattrail.toml" in said.err
    after = file.stat()
    assert (after.st_uid, after.st_gid, after.st_mode & 0o777) == (1234, 1234, 0o640)


@pytest.mark.parametrize("url", ["openbeken://{place}", "openbeken://192.168.1.20?mac=C8478C51CAFE&timeout=2"])
def test_a_meter_is_known_by_its_place_or_its_mac(wattrail: Type, url: str) -> None:
    with background() as loop:
        place = loop.enter(serve_web(house_openbeken().answer))
        Path("wattrail.toml").write_text(f'[[meter]]\nname = "kitchen"\nurl = "{url.format(place=place)}"\n')
        said = wattrail("discover", "--range", "127.0.0.1", "--port", place.rpartition(":")[2], "--add", *QUICK)
    assert f"openbeken://{place} is configured already, as kitchen" in said.out
    assert "--add adds" not in said.out


def test_a_file_that_cannot_take_the_lines_is_left_alone(wattrail: Type) -> None:
    written = 'meter = [{ name = "a", url = "twin://pziot-e01" }]\n'
    Path("wattrail.toml").write_text(written)
    with background() as loop:
        port = loop.enter(serve_web(house_openbeken().answer)).rpartition(":")[2]
        said = wattrail("discover", "--range", "127.0.0.1", "--port", port, "--add", *QUICK)
    assert said.code == 2
    assert "wattrail.toml is left as it is: with the new lines, " in said.err
    assert Path("wattrail.toml").read_text() == written


def test_without_a_file_a_new_one_is_written(wattrail: Type) -> None:
    with background() as loop:
        port = loop.enter(serve_web(house_openbeken().answer)).rpartition(":")[2]
        wattrail("discover", "--range", "127.0.0.1", "--port", port, "--add", *QUICK)
    assert Path("wattrail.toml").read_text().startswith('[[meter]]\nname = "SIMULATED_obk51A0CAFE"\n')


def test_a_device_with_a_password_is_shown_and_not_added(wattrail: Type) -> None:
    device = SimulatedOpenBeken(house_openbeken().meter, password="planted-secret")
    with background() as loop:
        port = loop.enter(serve_web(device.answer)).rpartition(":")[2]
        said = wattrail("discover", "--range", "127.0.0.1", "--port", port, "--add", *QUICK)
    assert "a web server that wants a password" in said.out
    assert "[[meter]]" not in said.out
    assert not Path("wattrail.toml").exists()


def test_a_broker_that_is_not_there_is_said(wattrail: Type) -> None:
    said = wattrail("discover", "--broker", "mqtt://127.0.0.1:9", *QUICK)
    assert said.code == 0
    refused = "cannot connect: connection refused: nothing listens at 127.0.0.1:9"
    assert f"not asked: broker 127.0.0.1:9: {refused}" in said.err
    assert "Errno" not in said.err
    assert "no meter was found" in said.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--range", "10.0.0.0/8"), "'10.0.0.0/8' has 16777216 addresses, at most 4096 of IPv4 are asked"),
        (("--range", "kitchen"), "'kitchen' is not a range of addresses"),
        (("--broker", "http://x"), "'http://x' is not a broker"),
        (("--broker", "mqtt://x/topic"), "'mqtt://x/topic' is not a broker"),
        (("--seconds", "0"), "Must be >= 0.5"),
        (("--interface", "eth0"), "--interface 'eth0' is not an IPv4 address"),
    ],
)
def test_what_makes_no_sense_is_refused(wattrail: Type, words: tuple[str, str], message: str) -> None:
    said = wattrail("discover", *words)
    assert said.code == 2
    assert message in said.err
