"""Frames that real chips sent."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.bl0942.test_links import uart_link
from tests.captures import Capture, captures
from wattrail.chips.bl0942.registers import BY_ADDRESS, CF_CNT, STATUS
from wattrail.chips.bl0942.sample import Bl0942Sample
from wattrail.chips.bl0942.scaling import SCALING
from wattrail.chips.events import NEED_DATA, PacketRead, Truncated
from wattrail.chips.uart import UartLink
from wattrail.wire import inverted_sum


def named(rows: list[Capture]) -> list[object]:
    return [pytest.param(row, id=row.id) for row in rows]


def asked() -> UartLink:
    link = uart_link()
    link.read_packet()
    return link


def test_every_published_row_is_here() -> None:
    kinds = ("uart-packet", "uart-packet-22of23", "uart-stream", "spi-register")
    assert [len(captures(kind)) for kind in kinds] == [18, 7, 9, 19]


@pytest.mark.parametrize("capture", named(captures("uart-packet")))
def test_a_real_packet_decodes_to_the_values_published_with_it(capture: Capture) -> None:
    link = asked()
    link.receive(capture.data)
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert asdict(Bl0942Sample.of(event.counts)) == capture.values


@pytest.mark.parametrize("capture", named(captures("uart-packet")))
def test_a_real_packet_decodes_byte_by_byte_too(capture: Capture) -> None:
    link = asked()
    for byte in capture.data[:-1]:
        link.receive(bytes((byte,)))
        assert link.next_event() is NEED_DATA
    link.receive(capture.data[-1:])
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert event.frame == capture.data


@pytest.mark.parametrize("capture", named(captures("uart-packet-22of23")))
def test_a_packet_published_without_its_checksum_is_reported_as_cut_short(capture: Capture) -> None:
    link = asked()
    link.receive(capture.data)
    assert link.end() == Truncated(capture.data, 23)


@pytest.mark.parametrize("capture", named(captures("uart-packet-22of23")))
def test_a_packet_published_without_checksum_decodes_with_a_computed_one(capture: Capture) -> None:
    link = asked()
    link.receive(capture.data + bytes((inverted_sum(b"\x58" + capture.data),)))
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert asdict(Bl0942Sample.of(event.counts)) == capture.values


@pytest.mark.parametrize("capture", named(captures("uart-stream")[:-1]))
def test_junk_around_a_real_packet_is_skipped_and_shown(capture: Capture) -> None:
    link = asked()
    link.receive(capture.data)
    event = link.next_event()
    assert isinstance(event, PacketRead)
    end = len(capture.data) - capture.junk_after
    assert event.frame == capture.data[capture.junk_before : end]
    assert event.skipped == capture.data[: capture.junk_before]


def test_a_real_packet_cut_off_in_the_log_is_reported_as_cut_short() -> None:
    capture = captures("uart-stream")[-1]
    assert capture.id == "esph-10136-9-raw"
    link = asked()
    link.receive(capture.data)
    assert link.next_event() is NEED_DATA
    assert link.end() == Truncated(capture.data[capture.junk_before :], 23)


@pytest.mark.parametrize("capture", named(captures("uart-packet")))
def test_no_real_packet_contradicts_physics(capture: Capture) -> None:
    link = asked()
    link.receive(capture.data)
    event = link.next_event()
    assert isinstance(event, PacketRead)
    assert Bl0942Sample.of(event.counts).contradictions() == ()


def test_power_agrees_with_volts_times_amps_in_the_forty_watt_set() -> None:
    for capture in captures("uart-packet-22of23"):
        apparent = capture.values["i_rms"] * capture.values["v_rms"] * SCALING.watt_identity
        assert abs(capture.values["watt"]) / apparent == pytest.approx(0.9984, abs=0.0002)


def test_a_real_chip_at_rest_shows_the_reset_values_of_the_table() -> None:
    different = {
        register.name: value
        for capture in captures("spi-register")
        for register in (BY_ADDRESS[int(capture.id[-2:], 16)],)
        if (value := int.from_bytes(capture.data, "big")) != register.reset
    }
    # No mains was connected (STATUS); the sketch did not look at checksums (CF_CNT).
    assert different == {STATUS.name: 0x300, CF_CNT.name: 0x800000}
