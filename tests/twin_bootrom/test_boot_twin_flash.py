"""Flash truth: bits, sizes, wraps, protection, and honest time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bootrom.golden import SECTOR
from tests.twin_bootrom.conftest import Bench
from wattrail.bootrom import Chip, ChipEvidence, identify, part_of
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import NoReply
from wattrail.bootrom.identify import read_efuse
from wattrail.bootrom.requests import StatusWrite, plan_unprotect, settled, wire_crc
from wattrail.errors import ConfigError
from wattrail.twin.bootrom import AT_ONCE, BootTwin, NorFlash
from wattrail.twin.bootrom.flash import ProtectedFlash


def test_programming_only_clears_bits_until_an_erase(rom) -> None:
    rom.do(c.WRITE_4K, b"\x0f" * 4096, address=0x11000)
    rom.do(c.WRITE_4K, b"\xf1" * 4096, address=0x11000)
    assert rom.do(c.READ_4K, address=0x11000).data == b"\x01" * 4096
    rom.do(c.ERASE, size=0x20, address=0x11000)
    assert rom.do(c.READ_4K, address=0x11000).data == b"\xff" * 4096


@pytest.mark.parametrize(("code", "span"), [(0x20, 0x1000), (0x52, 0x8000), (0xD8, 0x10000)])
def test_an_erase_takes_its_whole_unit_and_no_byte_more(make_bench, code: int, span: int) -> None:
    bench = make_bench("N", image=bytes(0x200000), sr=0)
    bench.do(c.ERASE, size=code, address=0x30000 + span + 0x123)
    blank = [place for place in range(0, 0x200000, 0x1000) if bench.twin.flash.data[place] == 0xFF]
    start = (0x30000 + span) // span * span
    assert blank == list(range(start, start + span, 0x1000))
    assert bench.twin.flash.dirty == {place // 0x1000 for place in blank}


def test_the_bootloader_says_done_to_a_32k_erase_and_erases_nothing(make_bench) -> None:
    bench = make_bench("T", image=bytes(0x200000))
    assert bench.do(c.ERASE, size=0x52, address=0x20000).status == 0
    assert set(bench.twin.flash.data) == {0}


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize("higher", [0, 0x200000, 0x400000])
def test_addresses_wrap_and_are_repeated_as_they_were_sent(make_bench, chip: str, higher: int) -> None:
    bench = make_bench(chip)
    bench.unprotect()
    address = 0x11000 + higher
    assert bench.do(c.ERASE, size=0x20, address=address)["address"] == address
    assert bench.do(c.WRITE_4K, SECTOR, address=address)["address"] == address
    answer = bench.do(c.READ_4K, address=address)
    assert (answer["address"], answer.data) == (address, SECTOR)
    assert bench.twin.flash.read(0x11000, 4096) == SECTOR
    assert bench.do(c.CHECK_CRC, start=address, end=address + 0xFFF)["crc"] == wire_crc(SECTOR)


def test_one_flash_higher_the_bootloader_guards_nothing(loader) -> None:
    assert loader.do(c.READ_4K, address=0).status == 6
    assert loader.do(c.READ_4K, address=0x200000).status == 0


def test_a_page_write_reports_the_low_byte_of_its_length(rom, loader) -> None:
    loader.unprotect()
    for bench in (rom, loader):
        assert bench.do(c.FLASH_WRITE, b"\x5a" * 246, address=0x12000)["written"] == 246
        assert bench.do(c.FLASH_WRITE, b"\x5a" * 256, address=0x13000)["written"] == 0
        assert bench.twin.flash.read(0x13000, 256) == b"\x5a" * 256


# ---- protection


def test_a_protected_chip_says_done_and_changes_nothing(make_bench) -> None:
    bench = make_bench("N", image=b"\xaa" * 0x200000)
    assert bench.twin.flash.protected, "as sold"
    assert bench.do(c.ERASE, size=0x20, address=0x11000).status == 0
    assert bench.do(c.WRITE_4K, bytes(4096), address=0x11000).status == 0
    assert bench.do(c.CHECK_CRC, start=0x11000, end=0x11FFF)["crc"] == wire_crc(b"\xaa" * 4096)


def unprotect(bench: Bench) -> StatusWrite | None:
    """What a host does."""
    ident = bench.do(c.FLASH_ID)
    part = part_of(ident["capacity"] << 16 | ident["kind"] << 8 | ident["manufacturer"])
    assert part is not None

    def status() -> int:
        return sum(bench.do(c.READ_SR, register=read)["sr"] << 8 * place for place, read in enumerate(part.reads))

    write = plan_unprotect(part, status())
    if write is not None:
        bench.do(write.command, register=write.register, sr=write.sr)
        assert settled(part, write, status())
    return write


@pytest.mark.parametrize(
    ("mid", "sr", "after"),
    [(0x1560EB, 0x4004, 0), (0x1560EB, 0x06B4, 0x0680), (0x15701C, 0x5C, 0x40), (0x1560C4, 0x407C, 0)],
)
def test_the_plan_unprotects_the_twin(make_bench, mid: int, sr: int, after: int) -> None:
    bench = make_bench("N", flash_id=mid, sr=sr)
    assert unprotect(bench) is not None
    assert (bench.twin.flash.sr, bench.twin.flash.protected) == (after, False)
    assert unprotect(bench) is None
    bench.do(c.ERASE, size=0x20, address=0x11000)


def test_a_part_that_locks_on_an_unchanged_write_is_never_locked(make_bench) -> None:
    bench = make_bench("N", flash_id=0x152085, sr=0)
    bench.twin.flash.rewrite_locks = True
    assert unprotect(bench) is None
    bench.do(c.WRITE_SR_16, register=1, sr=0)
    assert bench.twin.flash.sr == 0x7BFC, "what a careless host gets"
    bench.do(c.WRITE_SR_16, register=1, sr=0x0200)
    assert bench.twin.flash.protected, "until the power is cut"
    bench.twin.power(False)
    bench.twin.power(True)
    bench.clock.advance(0.01)
    bench.do(c.LINK_CHECK)
    assert unprotect(bench) is not None
    assert not bench.twin.flash.protected


def test_an_unknown_flash_id_is_handed_through(make_bench) -> None:
    bench = make_bench("N", flash_id=0)
    assert bench.say("01 E0 FC FF F4 05 00 0E 9F 00 00 00").endswith("0E 00 00 00 00 00")
    assert bench.twin.flash.size == 0x200000
    assert bench.do(c.READ_SR, register=0x9F)["sr"] == 0


def test_the_bootloader_unprotects_at_an_erase_and_protects_at_every_crc(make_bench) -> None:
    bench = make_bench("T", image=bytes(0x200000))
    address = 0x11000

    def erased() -> bool:
        bench.do(c.ERASE, size=0x20, address=address)
        done = bench.twin.flash.data[address] == 0xFF
        bench.twin.flash.data[address : address + 4096] = bytes(4096)
        return done

    assert erased()
    bench.do(c.CHECK_CRC, start=address, end=address + 0xFFF)
    assert not erased(), "read, CRC, write: says done, does nothing"
    bench.do(c.LINK_CHECK)
    bench.do(c.CHECK_CRC, start=address, end=address + 0xFFF)
    assert erased(), "what a LinkCheck armed outlives a CRC"
    bench.do(c.READ_4K, address=address)
    assert erased()


# ---- time


def test_reading_takes_what_the_wire_takes_and_little_more(rom) -> None:
    rom.set_baud(921600)
    for number in range(32):
        rom.do(c.READ_4K, address=0x1000 * number)
        assert 0.0443 < rom.took < 0.0450


def test_work_takes_honest_time(rom) -> None:
    rom.set_baud(921600)
    rom.do(c.WRITE_4K, SECTOR, address=0x11000)
    # 16 pages of 0.7 ms after the last byte were too slow: uartprogram, which works on boards, gives up after 50 ms.
    assert 0.0446 + 0.0007 < rom.took < 0.047
    for code, least, most in ((0x20, 0.03, 0.06), (0x52, 0.1, 0.2), (0xD8, 0.15, 0.5)):
        rom.do(c.ERASE, size=code, address=0x20000)
        assert least < rom.took < most
    rom.do(c.CHECK_CRC, start=0, end=0x1FFFFF, seconds=20)
    assert rom.took == pytest.approx(2.0e-6 * 0x200000, rel=0.01)  # 2.4 were 5.03 s, and two hosts allow 5.0


def test_a_chip_at_once_takes_no_time(make_bench) -> None:
    bench = make_bench("N", timing=AT_ONCE, sr=0)
    bench.do(c.WRITE_4K, SECTOR, address=0x11000)
    assert bench.do(c.READ_4K, address=0x11000).data == SECTOR
    assert bench.took < 1e-5


# ---- who it is


@pytest.mark.parametrize(("chip", "named"), [("N", Chip.N), ("M", Chip.M), ("T", Chip.T)])
def test_driver_and_twin_agree_on_who_is_there(make_bench, chip: str, named: Chip) -> None:
    bench = make_bench(chip)
    number = bench.ask(c.READ_REG, address=0x800000, seconds=0.1)
    if isinstance(number, NoReply):
        evidence = ChipEvidence(chip_id_silent=True, boot_version=bench.do(c.BOOT_VERSION).data)
    else:
        steps = read_efuse()
        step = next(steps)
        try:
            while True:
                step = steps.send(bench.do(step.command, **step.fields)["value"])
        except StopIteration as stop:
            evidence = ChipEvidence(chip_id=number["value"], efuse=stop.value)
    assert identify(evidence).chip is named


def test_a_plain_beken_bootloader_tells_no_version(make_bench) -> None:
    assert isinstance(make_bench("T", version=None).ask(c.BOOT_VERSION, seconds=0.1), NoReply)


# ---- the flash by itself


@given(st.integers(0, 0x3FFF), st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_what_two_writes_leave_is_their_and(address: int, first: bytes, second: bytes) -> None:
    flash = NorFlash(0x1560EB, size=0x2000)
    flash.program(address, first)
    flash.program(address, second)
    length = min(len(first), len(second))
    got = flash.read(address, length)
    assert got == bytes(a & b for a, b in zip(first[:length], second[:length], strict=True))


def test_a_write_over_the_end_goes_on_at_the_beginning() -> None:
    flash = NorFlash(0x1560EB, size=0x2000)
    flash.program(0x1FFF, b"\x11" * 3)
    assert (flash.read(0x1FFE, 5), flash.dirty) == (b"\xff\x11\x11\x11\xff", {0, 1})


def test_a_worn_bit_stays_1(rom) -> None:
    rom.twin.flash.wear_out(0x11000, 0x80)
    rom.do(c.WRITE_4K, bytes(4096), address=0x11000)
    assert rom.do(c.READ_4K, address=0x11000).data[:2] == b"\x80\x00"


def test_the_flash_lives_on_in_a_file(tmp_path) -> None:
    path = tmp_path / "flash.bin"
    first = Bench("N", image_file=path, sr=0)
    assert first.twin.save() == 0
    first.do(c.WRITE_4K, SECTOR, address=0x11000)
    assert first.twin.save() == 1
    assert path.stat().st_size == 0x200000
    second = Bench("N", image_file=path)
    assert second.do(c.READ_4K, address=0x11000).data == SECTOR
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="5 bytes, the flash has 2097152"):
        Bench("N", image_file=path)
    with pytest.raises(ValueError, match="whole sectors"):
        BootTwin("N", image=b"x")
    assert Bench("N").twin.save() == 0


@pytest.mark.parametrize("span", [0x1000, 0x10000, 1 << 21])
def test_an_erase_that_touches_a_protected_byte_does_nothing(span: int) -> None:
    flash = ProtectedFlash(0x1560EB, image=bytes(1 << 21), sr=0x44)  # sectors, one of them, at the top

    flash.erase((1 << 21) - span, span)
    flash.tear_erase((1 << 21) - span, span, 0.5)

    assert not any(flash.data)
    assert not flash.dirty
