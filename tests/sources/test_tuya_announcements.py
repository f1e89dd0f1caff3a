"""Announcements of devices with Tuya's firmware, as tinytuya's own functions write them."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinytuya.core import AESCipher, TuyaMessage, pack_message, unpack_message
from tinytuya.core.udp_helper import udpkey

from tests.sources.conftest import run
from wattrail.network_meters.tuya_announcement import encode_question, parse_announcement
from wattrail.sources.discovery import SearchPlan, search

ID = "bf000000000000000000"
DOCUMENT = {
    "ip": "192.0.2.9", "gwId": ID, "active": 2, "ablilty": 0, "encrypt": True, "productKey": "keyproduct",
}  # fmt: skip
PREFIX_55AA, PREFIX_6699 = 0x000055AA, 0x00006699


def announcement(version: str = "3.3", **fields: object) -> bytes:
    text = json.dumps({**DOCUMENT, "version": version, **fields}, separators=(",", ":")).encode()
    if version == "3.5":
        message = TuyaMessage(0, 0x13, 0, text, 0, True, PREFIX_6699, True)
        sealed: bytes = pack_message(message, hmac_key=udpkey)
        return sealed
    if version == "3.1":
        message = TuyaMessage(0, 0x0A, 0, bytes(4) + text, 0, True, PREFIX_55AA, False)
    else:
        message = TuyaMessage(
            0, 0x13, 0, bytes(4) + AESCipher(udpkey).encrypt(text, False), 0, True, PREFIX_55AA, False
        )
    packed: bytes = pack_message(message)
    return packed


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_a_device_is_found_with_its_version_at_the_address_it_sent_from(version: str) -> None:
    found = parse_announcement(announcement(version), "192.0.2.1")
    assert found is not None
    assert found.url == f"tuya://192.0.2.1?version={version}"
    assert (found.identity, "keyproduct" in found.title, found.simulated) == (ID, True, False)
    assert "wattrail meter key" in found.note


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"HTTP/1.1 200 OK",
        announcement("9.9"),
        announcement(gwId=""),
        announcement()[:-9],
        announcement("3.5")[:-9],
    ],
)
def test_any_other_datagram_is_nobody(datagram: bytes) -> None:
    assert parse_announcement(datagram, "192.0.2.1") is None


@given(junk=st.binary(max_size=60), place=st.integers(0, 60), of=st.sampled_from(["3.1", "3.3", "3.5"]))
def test_damaged_announcements_raise_nothing(junk: bytes, place: int, of: str) -> None:
    good = announcement(of)
    parse_announcement(good[:place] + junk + good[place + len(junk) :], "192.0.2.1")


def test_a_search_listens_and_names_what_it_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.sources.discovery.EVERY_S", -0.5)

    async def story() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        plan = SearchPlan(tuya_ports=(port,), interface="127.0.0.1", seconds=0.6)
        searching = asyncio.create_task(search(plan))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not searching.done():
                sender.sendto(announcement("3.4"), ("127.0.0.1", port))
                await asyncio.sleep(0.02)
        findings = await searching
        assert [meter.url for meter in findings.meters] == ["tuya://127.0.0.1?version=3.4"]
        assert findings.actions == [f"Tuya: listened at UDP {port} on 127.0.0.1 during 0.6 s; 1 devices"]
        assert findings.problems == []

    run(story())


def test_a_port_that_is_taken_is_said() -> None:
    async def story() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
            findings = await search(SearchPlan(tuya_ports=(port,), interface="127.0.0.1", seconds=0.1))
        assert findings.problems == [f"UDP port {port}: Address already in use"]

    run(story())


def test_the_question_is_the_one_that_apps_send() -> None:
    iv = bytes(range(0x40, 0x4C))
    message = TuyaMessage(0, 0x25, None, b'{"from": "app", "ip": "192.0.2.2"}', 0, True, PREFIX_6699, iv)
    assert encode_question("192.0.2.2", iv) == pack_message(message, hmac_key=udpkey)
    assert parse_announcement(encode_question("192.0.2.2", iv), "192.0.2.2") is None


def test_a_device_that_only_answers_is_asked_once_and_found() -> None:
    """It answers at the port of the question; here at another, for both ends are one machine."""

    class SilentDevice(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.asked: list[object] = []
            self.answer_to = 0

        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            frame = unpack_message(data, hmac_key=udpkey, no_retcode=True)
            self.asked.append((frame.cmd, json.loads(frame.payload)))
            text = json.dumps({**DOCUMENT, "version": "3.5"}, separators=(",", ":")).encode()
            answer = pack_message(TuyaMessage(0, 0x25, 0, text, 0, True, PREFIX_6699, True), hmac_key=udpkey)
            self.transport.sendto(answer, (addr[0], self.answer_to))

    async def story() -> None:
        loop = asyncio.get_running_loop()
        _, device = await loop.create_datagram_endpoint(SilentDevice, local_addr=("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            device.answer_to = port = probe.getsockname()[1]
        there = device.transport.get_extra_info("sockname")
        plan = SearchPlan(tuya_ports=(port,), tuya_question=there, interface="127.0.0.1", seconds=0.3)
        findings = await search(plan)
        assert [meter.url for meter in findings.meters] == ["tuya://127.0.0.1?version=3.5"]
        assert device.asked == [(0x25, {"from": "app", "ip": "127.0.0.1"})]
        assert findings.actions == [
            f"Tuya: asked once who is there, from 127.0.0.1 to UDP 127.0.0.1:{there[1]}; "
            f"listened at UDP {port} on 127.0.0.1 during 0.3 s; 1 devices"
        ]
        device.transport.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wattrail.sources.discovery.EVERY_S", -0.7)
        run(story())


def test_a_question_that_cannot_be_sent_is_said() -> None:
    async def story() -> None:
        plan = SearchPlan(tuya_ports=(0,), tuya_question=("192.0.2.1", 7000), interface="127.0.0.1", seconds=0.1)
        findings = await search(plan)
        assert findings.problems[0].startswith("UDP 192.0.2.1:7000: ")
        assert "asked" not in findings.actions[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wattrail.sources.discovery.EVERY_S", -0.9)
        run(story())
