"""Nothing is erased or programmed outside what a write covers, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from wattrail.bootrom.geometry import ERASE_64K, ERASE_SECTOR
from wattrail.flasher.device import FlashDevice

FENCE = ((0x20000, 0x10000), (0x40000, 0x1000))
SECTOR = bytes(0x1000)


@pytest.mark.parametrize("chip", ["N", "T"])
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda flash: flash.program(0x1F000, SECTOR), id="the sector before it"),
        pytest.param(lambda flash: flash.program(0x30000, SECTOR), id="the sector behind it"),
        pytest.param(lambda flash: flash.program(0x40800, SECTOR), id="half of it behind"),
        pytest.param(lambda flash: flash.erase(ERASE_SECTOR, 0x41000), id="a sector behind the second span"),
        pytest.param(lambda flash: flash.erase(ERASE_64K, 0x40000), id="a block that begins inside"),
        pytest.param(lambda flash: flash.erase(ERASE_64K, 0x10000), id="a block before it"),
    ],
)
def test_what_lies_outside_the_fence_is_refused_and_never_sent(
    tmp_path: Path, chip: str, act: Callable[[FlashDevice], None]
) -> None:
    desk = Desk(tmp_path, chip, sr=0)
    with desk.session() as flasher:
        flash = FlashDevice(flasher._session, flasher.target)
        flash.fence_in(FENCE)
        sent = []
        desk.twin.faults.request = lambda data: sent.append(data) or data  # type: ignore[method-assign,func-returns-value]
        with pytest.raises(ValueError, match="outside what may be written"):
            act(flash)
    assert not [data for data in sent if data[7:8] in {b"\x07", b"\x0f"}], "neither Write4K nor Erase"
    assert desk.flash == desk.before


def test_before_a_fence_is_set_nothing_at_all_may_be_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.session() as flasher, pytest.raises(ValueError, match="4096 bytes at 0x20000"):
        FlashDevice(flasher._session, flasher.target).program(0x20000, SECTOR)
    assert desk.flash == desk.before


def test_the_whole_of_a_fence_may_be_written_up_to_its_edges(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sr=0)
    with desk.session() as flasher:
        flash = FlashDevice(flasher._session, flasher.target)
        flash.fence_in(FENCE)
        flash.erase(ERASE_64K, 0x20000)
        flash.erase(ERASE_SECTOR, 0x40000)
        for at in (0x20000, 0x2F000, 0x40000):
            flash.program(at, SECTOR)
    assert desk.flash[0x2F000:0x30000] == desk.flash[0x40000:0x41000] == SECTOR
    assert desk.flash[:0x20000] == desk.before[:0x20000]
