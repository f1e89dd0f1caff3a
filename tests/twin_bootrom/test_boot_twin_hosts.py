"""The default twin is no slower than any host known to work allows; the allowances are data in ``hosts``."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest

from tests.twin_bootrom.conftest import Bench
from tests.twin_bootrom.hosts import AT, FLASH, PAGES, WAITS, Wait
from wattrail.bootrom import Command
from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Responder
from wattrail.bootrom.events import Answered
from wattrail.twin.bootrom import BootTiming

SERVER_S = 0.003
"""What a pseudo-terminal's server and the system's scheduler may add to what the chip and the wire take."""

WRITE_S, CRC_S = 0.05, 5.0
"""The two closest deadlines there are: uartprogram's and BK7231GUIFlashTool's; see ``hosts``."""


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: f"{wait.host}-{wait.command.name}-{wait.seconds}")
@pytest.mark.parametrize("chip", ["N", "M", "T"])
def test_no_host_known_to_work_times_out_on_the_default_twin(
    make_bench: Callable[..., Bench], chip: str, wait: Wait
) -> None:
    if (Responder.BOOTLOADER if chip == "T" else Responder.BOOT_ROM) not in wait.command.known:
        return
    bench = make_bench(chip, timing=BootTiming())
    if wait.baud != 115200:
        assert isinstance(bench.set_baud(wait.baud), Answered)
    bench.do(wait.command, wait.data, seconds=60, **wait.fields)
    assert bench.took + SERVER_S < wait.seconds, wait.where


@pytest.mark.parametrize(("chip", "baud"), [("N", 921600), ("N", 1_500_000), ("N", 2_000_000), ("T", 921600)])
def test_a_host_with_the_closest_deadlines_writes_and_proves_a_piece(
    make_bench: Callable[..., Bench], chip: str, baud: int
) -> None:
    # A host of our own: it erases, writes with 50 ms a sector and no second try, and asks for one CRC of all.
    bench = make_bench(chip, timing=BootTiming(), image=bytes(FLASH), sr=0)

    def must(command: Command, data: bytes = b"", *, seconds: float, **fields: int) -> Answered:
        event = bench.ask(command, data, seconds=seconds - SERVER_S, **fields)
        assert isinstance(event, Answered), f"{command.name} {fields}: nothing within {seconds} s"
        return event

    assert isinstance(bench.set_baud(baud), Answered)
    must(c.ERASE, seconds=1.0, size=0xD8, address=AT)
    for sector in range(16):
        must(c.WRITE_4K, PAGES, seconds=WRITE_S, address=AT + 0x1000 * sector)
    image = bytes(AT) + PAGES * 16 + bytes(FLASH - AT - 0x10000)
    assert must(c.CHECK_CRC, seconds=CRC_S, start=0, end=FLASH - 1)["crc"] == zlib.crc32(image) ^ 0xFFFF_FFFF


def test_a_twin_slower_than_that_shows_the_host_s_complaint(make_bench: Callable[..., Bench]) -> None:
    slow = make_bench("N", timing=BootTiming(page_s=0.0065, crc_byte_s=2.4e-6), sr=0)
    slow.set_baud(921600)
    assert not isinstance(slow.ask(c.WRITE_4K, PAGES, seconds=WRITE_S, address=AT), Answered)
    slow.port.set_baud(115200)
    slow.connect()
    assert not isinstance(slow.ask(c.CHECK_CRC, seconds=CRC_S, start=0, end=FLASH - 1), Answered)
