"""A supply that sags while firmware runs: the chip restarts for ever, loses its memory, and the cause is said."""

from __future__ import annotations

import pytest

from tests.twin_cbu.genuine import openbeken
from tests.twin_cbu.test_machine import HELLO, flash_with
from wattrail.bk7231 import Chip
from wattrail.errors import ConfigError
from wattrail.twin import Board
from wattrail.twin.bootrom.supply import SUPPLIES
from wattrail.twin.cbu.firmware import LoadedFirmware
from wattrail.twin.cbu.stalls import RunObserver

FIRMWARE = LoadedFirmware("N", bytes(flash_with(HELLO).data), 0, "program")


def test_a_rail_that_falls_holds_the_chip_in_reset() -> None:
    board, heard = Board(FIRMWARE, supply="usb + ldo"), bytearray()
    board.machine.uart("uart2").listen(heard.extend)
    assert board.supply is not None

    board.run(0.1)
    assert board.supply.volts > 2.7
    assert bytes(heard) == b"Hi"
    board.machine.cpu.write_memory(0x420000, b"kept?")

    board.run(0.08)  # into the radio's calibration
    ((at, activity),) = board.supply.brown_outs
    assert at == pytest.approx(0.17, abs=0.005)
    assert activity == "calibrating"
    assert board.machine.cpu.read_memory(0x420000, 5) == bytes(5)
    assert bytes(heard) == b"Hi"

    board.run(0.02)  # released: it says the same again
    assert bytes(heard) == b"HiHi"


def test_a_loop_of_brown_outs_names_its_cause_and_the_remedy() -> None:
    board = Board(FIRMWARE, supply="usb + ldo")
    observer, found = RunObserver(board.machine), list[str]()
    for _ in range(100):
        board.run(0.01)
        found += map(str, observer.sample())

    (loop,) = [text for text in found if "restarts every" in text]
    assert loop.startswith("the chip restarts every 0.2 s, by brown-out while calibrating")
    assert "too weak" in loop
    assert "1000 µF" in loop


def test_an_unknown_supply_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no supply 'battery'") as refused:
        Board(FIRMWARE, supply="battery")
    assert "usb + ldo" in str(refused.value.hint)


@pytest.mark.parametrize("chip", [Chip.N, Chip.T])
@pytest.mark.parametrize("supply", SUPPLIES)
def test_a_genuine_firmware_starts_on_what_holds_and_never_on_what_sags(chip: Chip, supply: str) -> None:
    with Board(openbeken(chip, ""), supply=supply) as board:
        board.run(4.0)
        starts = sum("version 1.18.300" in line for line in board.log.lines)
        if supply in {"ideal", "bench supply", "usb + ldo + capacitor"}:
            assert (starts, board.machine.resets) == (1, [])
        else:
            assert starts > 5
            assert len(board.machine.resets) >= starts - 1
