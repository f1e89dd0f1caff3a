"""What hangs on the module's UART1: a metering chip after the rework, or the microcontroller of stock firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from tests.twin_cbu.conftest import flash_with
from tests.twin_cbu.genuine import image
from wattrail.twin import Board
from wattrail.twin.cbu.chips import CBU_CHIPS
from wattrail.twin.cbu.firmware import LoadedFirmware
from wattrail.twin.cbu.uart_partners import TuyaMcu

HEARTBEAT = bytes.fromhex("55aa00000000ff")
PRODUCT = bytes.fromhex("55aa0001000000")
"""What stock firmware sends, as seen with BK7231N images of Tuya 2.0.2 to 3.11.12."""

PRODUCT_OF_OURS = b'{"p":"wattrail00000000","v":"1.0.0","m":0}'


VOLTAGE = 4
"""The register."""


@pytest.mark.parametrize(("chip", "interface"), [("N", "uart"), ("T", None)])
def test_the_reworked_chip_is_read_at_4800_baud(
    compiled: Callable[..., bytes], chip: Literal["N", "T"], interface: Literal["uart"] | None
) -> None:
    flash = bytes(flash_with(compiled("meter_uart"), CBU_CHIPS[chip].code_key).data)
    firmware = LoadedFirmware(chip, flash, 0, "program")
    with Board(firmware, interface=interface, scenario="bench", powered_for=2.0) as board:
        assert board.interface == "uart", "a BK7231T has no controller for SPI that firmware uses"

        read = int(board.wait_for("voltage", within=0.2).split()[1], 16)

        assert read == board.meter.chip.read_word(VOLTAGE, board.meter.now())
        assert read > 1_000_000


class Wire:
    """In place of a UART: keeps the answers."""

    def __init__(self) -> None:
        self.answers = bytearray()

    def listen(self, call: Callable[[bytes], None]) -> None:
        """The tests say what is heard."""

    def receive(self, data: bytes) -> None:
        self.answers += data


@pytest.fixture
def mcu() -> tuple[TuyaMcu, bytearray]:
    """A microcontroller, and what it answers."""
    wire = Wire()
    return TuyaMcu(wire, PRODUCT_OF_OURS), wire.answers


def test_the_first_heartbeat_says_that_it_has_just_started(mcu: tuple[TuyaMcu, bytearray]) -> None:
    controller, answers = mcu
    for byte in HEARTBEAT * 2:
        controller.hear(bytes((byte,)))

    assert answers == bytes.fromhex("55aa030000010003") + bytes.fromhex("55aa030000010104")
    assert controller.asked == [0, 0]


def test_the_product_is_given_between_damaged_frames(mcu: tuple[TuyaMcu, bytearray]) -> None:
    controller, answers = mcu
    damaged = HEARTBEAT[:-1] + b"\x00"

    controller.hear(b"\x00\x55" + damaged + b"\x55\xaa\x00\x01\xff\xff" + PRODUCT)

    assert controller.asked == [1]
    assert answers[:6] == bytes.fromhex("55aa0301002a")
    assert answers[6:-1] == PRODUCT_OF_OURS
    assert answers[-1] == sum(answers[:-1]) & 0xFF


def test_what_needs_no_answer_gets_none(mcu: tuple[TuyaMcu, bytearray]) -> None:
    controller, answers = mcu

    controller.hear(bytes.fromhex("55aa0008000007"))

    assert controller.asked == [8]
    assert not answers


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("BK7231N_Tuya_ATORCH", "tjtigg991kvoiiqi"),
        ("BK7231N_Tuya_BEOK", "9cqoypoauuvhdjq4"),
        ("BK7231T_Tuya_TMWF02", "kxtcfbazhsvjqcfz"),
    ],
)
def test_stock_firmware_accepts_the_product_in_its_flash(name: str, product: str) -> None:
    flash = image(name)
    with Board(flash, product=f'{{"p":"{product}","v":"1.0.0","m":0}}'.encode()) as board:
        board.wait_for(f"input:{product}", within=20)

        mcu = board.mcu
        assert mcu is not None
        board.run_until(lambda: 3 in mcu.asked, within=20, what="the state of its Wi-Fi")
        assert mcu.asked[:4] == [0, 1, 2, 3]
