"""What goes wrong on a bench: bytes lost and bent, power lost half-way, others on the wire."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.bootrom.golden import SECTOR
from tests.twin_bootrom.conftest import Bench
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import Answered, ChipFailed, DamagedReply, NoReply, TruncatedReply, WrongEcho
from wattrail.errors import PortLost
from wattrail.twin.bootrom import BootPhase, BootTiming
from wattrail.twin.bootrom.receiver import FrameReceiver, ReceivedCommand, ReceivedPage

LINK = "01 E0 FC 01 00"
LINKED = "04 0E 05 01 E0 FC 01 00"


# ---- replies


def test_a_reply_loses_a_byte_or_its_end_or_all_of_it(rom) -> None:
    rom.twin.faults.drop_byte(2000)
    event = rom.ask(c.READ_4K, address=0x11000)
    assert isinstance(event, TruncatedReply)
    assert (len(event.data), event.want) == (4110, 4111)
    rom.twin.faults.cut_reply(after=9)
    assert isinstance(rom.ask(c.FLASH_ID), TruncatedReply)
    rom.twin.faults.drop(2)
    assert [type(rom.ask(c.FLASH_ID, seconds=0.1)) for _ in range(3)] == [NoReply, NoReply, Answered]


def test_a_bent_bit_in_a_reply_s_data_is_shown_by_the_crc_only(rom) -> None:
    rom.twin.faults.flip_bit(byte=500, bit=3)
    data = rom.do(c.READ_4K, address=0x11000).data
    assert data != b"\xff" * 4096
    rom.twin.faults.flip_bit(byte=1)
    assert isinstance(rom.ask(c.FLASH_ID, seconds=0.1), DamagedReply)


def test_a_late_acknowledgement_comes_50_ms_later_and_in_order(rom) -> None:
    rom.do(c.FLASH_WRITE, b"x", address=0x11000)
    usual = rom.took
    rom.twin.faults.late(0.05)
    rom.do(c.FLASH_WRITE, b"x", address=0x11000)
    assert rom.took == pytest.approx(usual + 0.05)


def test_junk_doubles_and_a_system_error(rom) -> None:
    rom.twin.faults.junk(before=b"V:BK", after=b"\r\n")
    assert rom.do(c.FLASH_ID).skipped == b"V:BK"
    rom.twin.faults.double()
    rom.do(c.LINK_CHECK)
    assert rom.do(c.FLASH_ID).strays in (0, 1)
    rom.twin.faults.fail(0xFE)
    assert isinstance(rom.ask(c.FLASH_ID), ChipFailed)
    rom.do(c.FLASH_ID)


def test_a_cut_sending_wire_hides_what_was_done(rom) -> None:
    rom.twin.faults.silence()
    assert isinstance(rom.ask(c.WRITE_4K, SECTOR, address=0x11000), NoReply)
    rom.twin.faults.silence(False)
    assert rom.do(c.READ_4K, address=0x11000).data == SECTOR


def test_a_pulled_adapter_raises_and_the_chip_goes_on(rom) -> None:
    rom.twin.faults.unplug()
    with pytest.raises(PortLost, match="unplugged"):
        rom.port.write(b"x")
    rom.twin.faults.replug()
    rom.do(c.LINK_CHECK)


# ---- requests


def test_a_bent_address_is_acted_upon_and_shows_in_the_echo(rom) -> None:
    rom.do(c.WRITE_4K, SECTOR, address=0x13000)
    rom.twin.faults.flip_request_bit(byte=10, bit=5)  # address bits 15..8: 0x11000 becomes 0x13000
    event = rom.ask(c.ERASE, size=0x20, address=0x11000)
    assert isinstance(event, WrongEcho)
    assert (event.sent, event.got) == (0x11000, 0x13000)
    assert rom.twin.flash.read(0x13000, 4096) == b"\xff" * 4096


@pytest.mark.parametrize("chip", ["N", "T"])
def test_a_lost_byte_leaves_the_receiver_waiting_until_it_is_full(make_bench, chip: str) -> None:
    bench = make_bench(chip)
    bench.unprotect()
    bench.twin.faults.drop_request_byte(1000)
    assert isinstance(bench.ask(c.WRITE_4K, SECTOR, address=0x11000, seconds=1), NoReply)
    assert bench.say(LINK) == "04 0E FF 01 E0 FC F4 06 00 07 00 00 10 01 00", "the first byte of it ended the body"
    assert bench.say(LINK) == LINKED


def test_filler_frees_a_stuck_receiver(make_bench) -> None:
    bench = make_bench("T")
    bench.unprotect()
    for lost in (8, 9, 10, 11, 2000):
        bench.twin.faults.drop_request_byte(lost)
        bench.ask(c.WRITE_4K, SECTOR, address=0x11000, seconds=1)
        bench.say(b"\0" * 4108, 1.0)
        assert bench.say(LINK) == LINKED


def test_a_body_that_is_not_a_whole_page_sticks_until_reset(loader) -> None:
    loader.say(bytes.fromhex("01 E0 FC FF F4 69 00 07 00 10 01 00") + b"\0" * 100)
    for _ in range(5):
        assert loader.say(b"\0" * 8192, 1.0) == ""
    assert loader.say(LINK) == ""
    loader.connect()


def test_a_body_of_a_single_page_is_written_by_the_bootloader(make_bench) -> None:
    bench = make_bench("T")
    bench.unprotect()
    reply = bench.say(bytes.fromhex("01 E0 FC FF F4 05 01 07 00 10 01 00") + b"\x42" * 256, 0.5)
    assert reply == "04 0E FF 01 E0 FC F4 06 00 07 00 00 10 01 00"
    assert bench.twin.flash.read(0x11000, 257) == b"\x42" * 256 + b"\xff"


def test_a_second_01_is_not_looked_at_again(loader) -> None:
    assert loader.say("01 01 E0 FC 01 00") == ""
    assert loader.say("55 01 E0 FC 01 00") == LINKED
    assert loader.say("01 E0 FC 00 01 E0 FC 01 00") == LINKED, "a length of 0 starts again"
    assert loader.say("01 E0 FC FF F5 01 E0 FC 01 00") == LINKED


def test_slow_pages_lose_bytes_once_the_ring_is_full(make_bench) -> None:
    for page_s, survives in ((0.0028, True), (0.0031, False)):  # a page arrives in 2.78 ms
        bench = make_bench("T", timing={"page_s": page_s})
        bench.unprotect()
        bench.set_baud(921600)
        event = bench.ask(c.WRITE_4K, SECTOR, address=0x11000, seconds=1)
        assert isinstance(event, Answered) is survives, page_s
        if not survives:
            assert isinstance(event, NoReply)


def test_bytes_that_take_no_time_on_the_wire_overrun_nothing(make_bench) -> None:
    bench = make_bench("T", timing={"pace_requests": False, "page_s": 0.01})
    bench.unprotect()
    bench.do(c.WRITE_4K, SECTOR, address=0x11000)
    assert 0.16 < bench.took < 0.17
    assert bench.twin.flash.read(0x11000, 4096) == SECTOR


def test_a_receiver_with_a_time_out_starts_again(make_bench) -> None:
    bench = make_bench("N", timing={"byte_gap_s": 0.02})
    assert bench.say("01 E0 FC FF F4", 0.5) == ""
    assert bench.say(LINK) == LINKED


def test_a_time_out_runs_between_bytes_and_not_over_a_page(make_bench) -> None:
    bench = make_bench("N", timing={"byte_gap_s": 0.005})
    bench.unprotect()
    bench.do(c.WRITE_4K, SECTOR, address=0x11000)  # a page is on the wire for 22 ms
    assert bench.twin.flash.read(0x11000, 4096) == SECTOR


# ---- power


@pytest.mark.parametrize("chip", ["N", "T"])
def test_a_power_cut_leaves_whole_pages_a_torn_one_and_the_rest_blank(make_bench, chip: str) -> None:
    bench = make_bench(chip)
    bench.unprotect()
    bench.twin.faults.power_fails_in("page", 5, returns=False)
    assert isinstance(bench.ask(c.WRITE_4K, bytes(4096), address=0x11000, seconds=1), NoReply)
    assert bench.twin.phase is BootPhase.OFF
    assert bench.twin.flash.read(0x11000, 4096) == bytes(4 * 256 + 128) + b"\xff" * (4096 - 4 * 256 - 128)
    bench.twin.power(True)
    bench.clock.advance(0.01)
    assert bench.say(LINK) == LINKED


def test_a_brown_out_in_mid_write_is_a_reset_and_the_host_sees_silence(rom) -> None:
    rom.set_baud(921600)
    rom.twin.faults.power_fails_in("page", 16)
    assert isinstance(rom.ask(c.WRITE_4K, bytes(4096), address=0x11000, seconds=0.1), NoReply)
    assert rom.twin.phase is BootPhase.WINDOW
    assert rom.twin.baud == 115200


def test_a_torn_erase_leaves_a_sector_that_is_neither(make_bench) -> None:
    bench = make_bench("N", image=bytes(0x200000), sr=0)
    bench.twin.faults.power_fails_in("erase")
    bench.ask(c.ERASE, size=0x20, address=0x11000, seconds=0.2)
    torn = bench.twin.flash.read(0x11000, 4096)
    assert torn not in (bytes(4096), b"\xff" * 4096)
    assert bench.twin.flash.read(0x12000, 4096) == bytes(4096)
    again = Bench("N", image=bytes(0x200000), sr=0)
    again.twin.faults.power_fails_in("erase")
    again.ask(c.ERASE, size=0x20, address=0x11000, seconds=0.2)
    assert again.twin.flash.read(0x11000, 4096) == torn, "seeded"


@given(st.floats(0, 0.5))
def test_power_may_go_at_any_moment_and_only_the_past_has_happened(at: float) -> None:
    bench = Bench("N", image=bytes(0x40000), flash_bytes=0x40000, sr=0)
    bench.port.write(bench.link.request(c.ERASE, size=0x20, address=0x11000))
    writing = at > 0.08
    if writing:
        bench.clock.advance(0.08)
        bench.port.write(bench.link.request(c.WRITE_4K, b"\xa5" * 4096, address=0x11000))
        at -= 0.08
    bench.clock.advance(at)
    bench.twin.faults.cut_power()
    sector = bench.twin.flash.read(0x11000, 4096)
    bench.clock.advance(10)
    assert bench.twin.phase is BootPhase.OFF
    assert bench.twin.flash.read(0x11000, 4096) == sector, "nothing happens without power"
    if writing:  # a page is programmed as soon as its last byte has come, while the next one is on the wire
        come = [(12 + 256 * number) * 10 / 115200 for number in range(1, 17)]
        done, begun = (256 * sum(moment < at - margin for moment in come) for margin in (0.001, -0.0001))
        assert sector[:done] == b"\xa5" * done
        assert sector[begun:] == b"\xff" * (4096 - begun)
    elif at < 0.001:
        assert sector == bytes(4096)
    elif at > 0.06:
        assert sector == b"\xff" * 4096
    assert set(bench.twin.flash.data[:0x11000]) == {0}


def test_a_brown_out_forgets_the_link(rom) -> None:
    rom.twin.faults.brown_out()
    rom.clock.advance(0.01)
    assert rom.twin.phase is BootPhase.WINDOW


def test_a_reply_is_cut_where_the_power_went(rom) -> None:
    rom.port.write(rom.link.request(c.READ_4K, address=0))
    rom.clock.advance(0.1)
    rom.twin.power(False)
    assert 900 < len(rom.listen(1.0)) < 1200


# ---- others on the wire


def test_a_tuya_heartbeat_spares_an_idle_receiver_and_ruins_a_frame(rom) -> None:
    rom.twin.faults.second_talker()
    assert rom.say(LINK) == LINKED
    rom.port.write(bytes.fromhex("01 E0 FC"))
    rom.twin.faults.second_talker(b"\x55\xaa", baud=115200)
    assert LINKED not in rom.say("01 00")


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.05])
def test_noise_never_upsets_the_twin_or_the_link(make_bench, rate: float) -> None:
    bench = make_bench("T", seed=3)
    bench.unprotect()
    bench.twin.faults.noise(rate)
    for number in range(20):
        bench.ask(c.READ_4K, address=0x11000, seconds=0.5)
        bench.ask(c.WRITE_4K, SECTOR, address=0x11000 + 0x1000 * number, seconds=0.6)
    bench.twin.faults.noise(0)
    bench.connect()
    with pytest.raises(ValueError, match="is not from 0"):
        bench.twin.faults.noise(0.6)


def test_the_same_seed_gives_the_same_noise() -> None:
    def run() -> bytes:
        bench = Bench("N", seed=5)
        bench.twin.faults.noise(1e-3)
        bench.port.write(bench.link.request(c.READ_4K, address=0x11000))
        return bench.listen(1.0)

    assert run() == run()


@given(
    st.lists(st.binary(min_size=1, max_size=200), max_size=8), st.sampled_from(["N", "T"]), st.integers(300, 4_000_000)
)
def test_no_bytes_at_any_rate_upset_a_chip(portions: list[bytes], chip: str, baud: int) -> None:
    bench = Bench(chip, timing=BootTiming(), flash_bytes=0x40000)
    bench.port.set_baud(baud)
    for portion in portions:
        bench.port.write(portion)
        bench.clock.advance(0.01)
        bench.port.drain()
    bench.clock.advance(10)
    bench.port.set_baud(115200)
    bench.port.drain()
    bench.connect()


# ---- the receiver by itself


@given(st.binary(min_size=1, max_size=32), st.integers(0, 2**32 - 1))
def test_the_receiver_hears_a_write_page_by_page(data: bytes, address: int) -> None:
    data = (data * 4096)[:4096]
    frame = bytes.fromhex("01 E0 FC FF F4 05 10 07") + address.to_bytes(4, "little") + data
    receiver, found, place = FrameReceiver(), [], 0
    while place < len(frame):
        count = receiver.missing
        found += receiver.feed(frame[place : place + count])
        place += count
    pages = [item for item in found if isinstance(item, ReceivedPage)]
    assert b"".join(page.data for page in pages) == data
    assert [page.address - address for page in pages] == list(range(0, 4096, 256))
    assert found[-1] == ReceivedCommand(True, 7, frame[8:12])
    assert receiver.idle


PIECES = st.sampled_from(
    [b"\x01", b"\xe0", b"\xfc", b"\xff", b"\xf4", b"\x00", b"\x07", b"\x01\xe0\xfc", bytes.fromhex("05 01 07")]
)


@given(st.lists(PIECES | st.binary(min_size=1, max_size=3), max_size=40).map(b"".join))
@example(bytes.fromhex("01 E0 FC 01 00 01 E0 FC FF F4 01 00 0E"))
def test_the_receiver_hears_the_same_in_portions_as_byte_by_byte(data: bytes) -> None:
    """What it says it misses can be fed at once: nothing is heard earlier, later, or other than it was sent."""
    slowly, at_once = FrameReceiver(), FrameReceiver()
    place = 0
    while place < len(data):
        portion = data[place : place + at_once.missing]
        heard = [found for byte in portion[:-1] for found in slowly.feed(bytes((byte,)))]
        assert not heard, "a portion is complete before its last byte"
        assert at_once.feed(portion) == slowly.feed(portion[-1:])
        assert vars(at_once) == vars(slowly)
        place += len(portion)
