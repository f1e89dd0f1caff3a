"""Wires in the wrong place, and a chip that talks of its own accord."""

from __future__ import annotations

import pytest

from tests.twin_bootrom.conftest import Bench
from wattrail.bootrom import commands as c
from wattrail.errors import ConfigError
from wattrail.twin.bootrom import APPLICATIONS, BootPhase, BootTiming, BootTwin

LINK = bytes.fromhex("01 E0 FC 01 00")
LINKED = "04 0E 05 01 E0 FC 01 00"
HEARTBEAT = "55 AA 00 00 00 00 FF"


def bench_wired(wiring: str, chip: str = "N", **options: object) -> Bench:
    bench = Bench(chip, linked=False, **options)
    bench.port = bench.twin.port(wiring=wiring)  # type: ignore[arg-type]
    return bench


def reset_and_check_link(bench: Bench) -> str:
    bench.twin.reset()
    return " ".join(filter(None, (bench.say(LINK, 0.01) for _ in range(60))))


@pytest.mark.parametrize("wiring", ["swapped", "uart2"])
@pytest.mark.parametrize("chip", ["N", "M", "T"])
def test_over_wrong_wires_nobody_is_reached(wiring: str, chip: str) -> None:
    bench = bench_wired(wiring, chip)
    assert LINKED not in reset_and_check_link(bench)
    assert bench.twin.phase is BootPhase.APP, "its window passed unused"


def test_over_swapped_wires_a_second_talker_is_heard_and_the_chip_is_not() -> None:
    bench = bench_wired("swapped", app="openbeken")
    assert bench.listen(3) == b""
    bench.twin.faults.second_talker()
    bench.port.set_baud(9600)
    assert bench.listen(0.1).hex(" ").upper() == HEARTBEAT


@pytest.mark.parametrize(
    ("chip", "text"),
    [
        ("N", b"V:BK7231N_1.0.1\r\nJ 0x10000\r\n"),
        ("M", b"BK7231n_1.0.11\r\ngo os_addr(0x10000)\r\n"),
        ("T", b"V:BK7231S_1.0.5\r\nJ 0x10000\r\n"),
    ],
)
def test_the_log_uart_carries_the_boot_messages_at_each_start(chip: str, text: bytes) -> None:
    bench = bench_wired("uart2", chip, timing=BootTiming())
    assert bench.listen(1) == b"", "it has been running for long"
    for _ in range(2):
        bench.twin.reset()
        assert bench.listen(1) == text


def test_a_reset_cuts_a_boot_message_short() -> None:
    bench = bench_wired("uart2")
    bench.twin.reset()
    bench.clock.advance(0.2055)
    bench.twin.reset()
    assert bench.listen(0.1) == b"V:BK7"


def test_a_chip_that_is_linked_or_dead_starts_no_application() -> None:
    for chip, text in (("N", b""), ("T", b"V:BK7231S_1.0.5\r\n")):
        bench = Bench(chip, linked=False, image=bytes(0x200000))
        log = bench.twin.port(wiring="uart2")
        bench.connect()
        bench.clock.advance(3)
        assert log.drain() == text
    bench.do(c.ERASE, size=0x20, address=0x200000)
    bench.twin.reset()
    bench.clock.advance(3)
    assert log.drain() == b"", "a bootloader that is gone says nothing"


def test_an_n_asked_to_reboot_says_so_on_its_log() -> None:
    bench = Bench("N")
    log = bench.twin.port(wiring="uart2")
    bench.say("01 E0 FC 02 0E A5")
    assert log.drain().startswith(b"V:BK7231N")


def test_an_echo_comes_back_over_any_wires() -> None:
    bench = Bench(linked=False)
    for wiring in ("right", "swapped", "uart2"):
        bench.port = bench.twin.port(wiring=wiring, echo=True)
        assert bench.say(LINK) == LINK.hex(" ").upper()


@pytest.mark.parametrize(
    ("app", "baud", "words"), [("tuyamcu", 9600, HEARTBEAT), ("bl0942", 4800, "58 AA"), ("openbeken", 115200, None)]
)
def test_an_application_talks_once_a_second_at_its_rate(app: str, baud: int, words: str | None) -> None:
    bench = Bench(linked=False, app=app)
    bench.port.set_baud(baud)
    heard = [bench.listen(1.0) for _ in range(4)]
    said = APPLICATIONS[app].text
    assert b"".join(heard).count(said) in (3, 4)
    assert said.hex(" ").upper() == words or said.decode().endswith("\r\n")


@pytest.mark.parametrize("app", ["tuyamcu", "bl0942"])
def test_slow_talk_is_zeros_and_garbage_at_the_rate_of_the_host(app: str) -> None:
    got = Bench(linked=False, app=app).listen(3.5)
    assert got
    assert APPLICATIONS[app].text not in got


@pytest.mark.parametrize("app", [None, "stock", "libretiny", "beken"])
def test_others_are_silent(app: str | None) -> None:
    assert Bench(linked=False, app=app).listen(5) == b""


def test_talk_stops_with_the_application_and_begins_again_with_it() -> None:
    bench = Bench(linked=False, app="tuyamcu")
    bench.connect()
    assert bench.listen(5) == b""
    bench.twin.reset()
    bench.port.set_baud(9600)
    assert bench.listen(1.1) == b"", "a second after it has started, not before"
    assert bench.listen(1.0).hex(" ").upper() == HEARTBEAT
    bench.twin.power(False)
    assert bench.listen(5) == b""


def test_a_dead_bootloader_starts_no_app_that_talks_listens_or_sags() -> None:
    bench = Bench("T", app="openbeken", image=bytes(0x200000), supply="usb + ldo + capacitor")
    bench.do(c.ERASE, size=0x20, address=0x200000)
    bench.twin.reset()
    assert bench.listen(5) == b""
    steady = bench.twin.rail_volts
    bench.say(b"reboot\r\n", 0.01)
    assert bench.twin.phase is BootPhase.APP
    assert bench.twin.rail_volts == steady == pytest.approx(3.3 - 0.06 * 4.0), "no radio is on"


def test_talk_that_nobody_takes_is_lost_and_not_hoarded() -> None:
    bench = Bench(linked=False, app="openbeken")
    bench.clock.advance(3600)
    assert bench.twin.phase is BootPhase.APP
    assert len(bench.port.drain()) <= 64 * len(APPLICATIONS["openbeken"].text)


def test_talk_is_not_a_reply_to_a_fault_and_silence_hides_it() -> None:
    bench = Bench(linked=False, app="openbeken")
    bench.twin.faults.cut_reply(after=3)
    assert bench.listen(1.5) == APPLICATIONS["openbeken"].text
    bench.twin.reset()
    bench.clock.advance(0.01)
    assert bench.say(LINK) == "04 0E 05", "the fault has waited for a reply"
    bench = Bench(linked=False, app="openbeken")
    bench.twin.faults.silence()
    assert bench.listen(5) == b""


def test_an_application_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no application 'tasmota'") as error:
        BootTwin("N", app="tasmota")  # type: ignore[arg-type]
    assert "openbeken" in str(error.value.hint)


def test_wires_nobody_has_are_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="no wiring 'crossed'") as error:
        BootTwin("N").port(wiring="crossed")  # type: ignore[arg-type]
    assert error.value.hint == "known are right, swapped, uart2"
