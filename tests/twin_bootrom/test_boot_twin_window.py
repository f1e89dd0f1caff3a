"""Power, reset, the listening window, and how download mode ends."""

from __future__ import annotations

import pytest

from wattrail.bootrom import commands as c
from wattrail.bootrom.events import Answered, NoReply
from wattrail.clock import Deadline
from wattrail.errors import PortError, PortLost, PortTimeout
from wattrail.transport import Port
from wattrail.twin.bootrom import BootPhase, BootTiming

LINK = bytes.fromhex("01 E0 FC 01 00")
LINKED = "04 0E 05 01 E0 FC 01 00"


def test_the_port_is_a_port(rom) -> None:
    assert isinstance(rom.port, Port)
    assert rom.port.simulated
    assert (rom.port.url, rom.port.clock) == ("twin://bk7231n", rom.clock)
    with pytest.raises(PortError, match="the baud rate must be above 0, got 0"):
        rom.port.set_baud(0)
    with rom.port as port:
        pass
    with pytest.raises(PortLost, match="is closed"):
        port.write(b"x")
    assert rom.twin.port().baud == 115200


@pytest.mark.parametrize("chip", ["N", "M", "T"])
def test_without_a_reset_the_application_is_deaf(make_bench, chip: str) -> None:
    bench = make_bench(chip, linked=False)
    assert bench.twin.phase is BootPhase.APP
    assert bench.say(LINK * 50) == ""


def test_the_rom_listens_for_200_ms_and_then_never_leaves(make_bench) -> None:
    bench = make_bench("N", linked=False)
    bench.twin.reset()
    assert bench.twin.phase is BootPhase.STARTING
    assert bench.say(LINK, 0.004) == "", "sent before the chip was awake"
    bench.clock.advance(0.19)
    assert bench.twin.phase is BootPhase.WINDOW
    assert bench.say(LINK) == LINKED
    bench.clock.advance(86400)
    assert bench.twin.phase is BootPhase.LINKED
    bench.twin.reset()
    bench.clock.advance(0.21)
    assert bench.twin.phase is BootPhase.APP
    assert bench.say(LINK) == ""


def test_the_bootloader_leaves_at_once_on_silence_and_later_on_noise(make_bench) -> None:
    bench = make_bench("T", linked=False)
    bench.twin.reset()
    bench.clock.advance(0.06)
    assert bench.twin.phase is BootPhase.APP
    bench.twin.reset()
    bench.clock.advance(0.02)
    bench.twin.faults.second_talker(b"\x55", baud=115200)
    bench.clock.advance(0.7)
    assert bench.twin.phase is BootPhase.WINDOW
    bench.clock.advance(0.2)
    assert bench.twin.phase is BootPhase.APP


def test_the_bootloader_gives_up_on_a_quiet_host_and_not_on_a_busy_one(make_bench) -> None:
    bench = make_bench("T", timing=BootTiming(crc_byte_s=3e-6))  # a CRC of all lasts longer than silence may
    for _ in range(10):
        bench.clock.advance(4)
        bench.do(c.LINK_CHECK)
    bench.do(c.CHECK_CRC, start=0, end=0x1FFFFF, seconds=20)
    assert bench.took > 5, "its own work is not silence"
    bench.clock.advance(4)
    bench.do(c.LINK_CHECK)
    bench.clock.advance(6)
    assert bench.twin.phase is BootPhase.APP
    assert bench.say(LINK) == ""


def test_a_host_looks_seldom_while_the_chip_works(make_bench) -> None:
    bench = make_bench("T", timing=BootTiming(crc_byte_s=3e-6))
    looks, drain = [], bench.port.drain
    bench.port.drain = lambda: looks.append(bench.clock.monotonic()) or drain()
    bench.do(c.CHECK_CRC, start=0, end=0x1FFFFF, seconds=20)
    assert len(looks) < 200, "six seconds of work, and a look at the cable every 50 ms"


def test_every_link_check_in_a_burst_is_answered_once_and_strays_first(rom) -> None:
    assert rom.say(LINK * 12).split(" ").count("04") == 12
    rom.port.write(LINK * 3)
    answer = rom.do(c.FLASH_ID)
    assert (answer.strays, answer["capacity"]) == (3, 0x15)


@pytest.mark.parametrize(
    "text", [b"reboot\r\n", b"reboot\n", bytes.fromhex("01E0FC05FE95279527"), bytes.fromhex("01E0FC057053 45414E")]
)
def test_texts_and_frames_for_running_firmware_leave_download_mode_alone(rom, loader, text: bytes) -> None:
    for bench in (rom, loader):
        assert bench.say(text) == ""
        assert bench.say(LINK) == LINKED


@pytest.mark.parametrize(
    ("app", "text", "works"),
    [
        ("openbeken", b"reboot\r\n", True),
        ("openbeken", b"reboot\n", True),
        ("libretiny", LINK, True),
        ("beken", bytes.fromhex("01E0FC05FE95279527"), True),
        (None, b"reboot\r\n", False),
        ("openbeken", LINK, False),
    ],
)
def test_some_applications_reset_themselves_when_asked(make_bench, app, text: bytes, works: bool) -> None:
    bench = make_bench("N", linked=False, app=app)
    bench.say(text, 0.01)
    assert (bench.say(LINK) == LINKED) is works


def test_a_reboot_ends_download_mode_without_a_word(rom, loader) -> None:
    rom.say("01 E0 FC 02 0E A5")
    assert rom.twin.phase is BootPhase.APP
    assert loader.say("01 E0 FC 02 0E A4") == ""
    assert loader.twin.phase is BootPhase.LINKED, "another argument does nothing"
    loader.say("01 E0 FC 02 0E A5", 0.02)
    assert loader.twin.phase is BootPhase.WINDOW


def test_the_chip_keeps_its_rate_until_a_reset(rom) -> None:
    rom.set_baud(921600)
    rom.port.close()
    rom.port = rom.twin.port()
    assert isinstance(rom.ask(c.LINK_CHECK, seconds=0.1), NoReply)
    rom.connect()
    assert rom.twin.baud == 115200


@pytest.mark.parametrize("line", ["rts", "dtr"])
def test_a_modem_line_wired_to_cen_resets_the_chip(make_bench, line: str) -> None:
    bench = make_bench("N", linked=False)
    bench.port = bench.twin.port(reset_line=line)
    bench.port.set_lines(**{line: True})
    bench.clock.advance(1)
    assert bench.twin.phase is BootPhase.OFF, "a line that stays asserted holds it there"
    assert bench.say(LINK) == ""
    bench.port.set_lines(**{line: False})
    bench.clock.advance(0.01)
    assert bench.say(LINK) == LINKED
    bench.port.set_lines(**{"dtr" if line == "rts" else "rts": True})
    assert bench.twin.phase is BootPhase.LINKED


def test_lines_that_lead_nowhere_do_nothing(rom) -> None:
    rom.port.set_lines(rts=True, dtr=True)
    assert rom.twin.phase is BootPhase.LINKED


def test_a_chip_without_power_is_silent_and_comes_back_with_its_window(rom) -> None:
    rom.twin.power(False)
    assert rom.twin.phase is BootPhase.OFF
    assert rom.say(LINK) == ""
    rom.twin.power(True)
    rom.clock.advance(0.01)
    assert rom.say(LINK) == LINKED


def test_an_overwritten_bootloader_is_silent_until_it_is_restored(make_bench) -> None:
    bench = make_bench("T")
    before = bytes(bench.twin.flash.data)
    bench.do(c.ERASE, size=0x20, address=0x200000)
    bench.do(c.WRITE_4K, b"\0" * 4096, address=0x200000)
    bench.twin.reset()
    bench.clock.advance(0.01)
    assert bench.say(LINK) == ""
    bench.twin.flash.data[:] = before
    bench.connect()


def test_the_rom_survives_an_empty_flash(rom) -> None:
    rom.do(c.ERASE_ALL)
    rom.connect()


def test_an_echoing_wire_hands_the_host_its_own_bytes(make_bench) -> None:
    bench = make_bench("N", echo=True)
    bench.unprotect()
    assert isinstance(bench.ask(c.WRITE_4K, bytes(4096), address=0x11000), Answered)
    assert bench.twin.flash.read(0x11000, 4096) == bytes(4096)
    assert bench.say(LINK) == f"{LINK.hex(' ').upper()} {LINKED}"


def test_a_wait_for_nothing_ends_at_its_deadline(rom) -> None:
    began = rom.clock.monotonic()
    with pytest.raises(PortTimeout, match="nothing arrived"):
        rom.port.read(Deadline.after(0.5, rom.clock))
    assert rom.clock.monotonic() - began == pytest.approx(0.5, abs=1e-5)
