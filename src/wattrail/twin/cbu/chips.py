"""The chips that are emulated: what differs between N, T and M, and which peripherals each has, where.

A new peripheral is a line in ``_COMMON``, ``_N`` or ``_T``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wattrail.bk7231 import Chip
from wattrail.image.code import TUYA_KEY, ZERO_KEY, CodeKey
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.cbu.adc import AdcBlock
from wattrail.twin.cbu.flash_controller import FlashController
from wattrail.twin.cbu.peripheral import RegisterBlock, Services
from wattrail.twin.cbu.pwm import GroupedPwm, RowPwm
from wattrail.twin.cbu.radio import AlwaysOn, MacBlock, Memorandum, ModemBlock, SecurityBlock, XvrBlock
from wattrail.twin.cbu.spi import SpiBlock
from wattrail.twin.cbu.system_control import SystemControl
from wattrail.twin.cbu.timers import TimerBlock, Watchdog
from wattrail.twin.cbu.uart import UartBlock

__all__ = ["CBU_CHIPS", "BlockPlace", "CbuChip", "ChipWiring"]


@dataclass(frozen=True, slots=True)
class ChipWiring:
    """What a peripheral may be made with."""

    chip: CbuChip
    services: Services
    flash: NorFlash
    efuse: bytes
    flash_changed: Callable[[int, int], None]
    watchdog_bites: Callable[[], None]


@dataclass(frozen=True, slots=True)
class BlockPlace:
    """A peripheral at its base address; ``key`` is the machine's name for it."""

    key: str
    base: int
    make: Callable[[ChipWiring], RegisterBlock]


@dataclass(frozen=True, slots=True)
class CbuChip:
    """One member of the family. ``ram`` is the number of bytes at 0x400000."""

    name: Literal["N", "T", "M"]
    chip: Chip
    chip_id: int
    device_id: int
    ram: int
    code_key: CodeKey
    places: tuple[BlockPlace, ...]


_COMMON: Final = (
    BlockPlace("system", 0x800000, lambda w: SystemControl(w.chip.chip_id, w.chip.device_id, w.efuse)),
    BlockPlace("uart1", 0x802100, lambda w: UartBlock("uart1", 0, w.services.clock, w.services.interrupts)),
    BlockPlace("uart2", 0x802200, lambda w: UartBlock("uart2", 1, w.services.clock, w.services.interrupts)),
    BlockPlace("watchdog", 0x802900, lambda w: Watchdog(w.services.clock, w.watchdog_bites)),
    BlockPlace("timers", 0x802A00, lambda w: TimerBlock(w.services.clock, w.services.interrupts)),
    BlockPlace("flash", 0x803000, lambda w: FlashController(w.flash, w.flash_changed)),
    BlockPlace("always_on", 0x80A000, lambda w: AlwaysOn()),
    BlockPlace("security", 0x810000, lambda w: SecurityBlock()),
    BlockPlace("xvr", 0x900000, lambda w: XvrBlock()),
    BlockPlace("modem", 0x1000000, lambda w: ModemBlock()),
    BlockPlace("mac", 0xC0000000, lambda w: MacBlock()),
)
_N: Final = (
    BlockPlace("spi", 0x802700, lambda w: SpiBlock(w.services)),
    BlockPlace("pwm", 0x802B00, lambda w: GroupedPwm()),
    BlockPlace("adc", 0x802C00, lambda w: AdcBlock(w.services.clock, w.services.interrupts)),
)
# No SPI: the controller of a T has other registers, and in the SDK the interrupt of its driver never ends once a byte
# has been received (read in spi.c). Boards with a T have the meter chip on UART1.
_T: Final = (
    BlockPlace("pwm", 0x802A80, lambda w: RowPwm(w.services.clock, w.services.interrupts)),
    BlockPlace("adc", 0x802C00, lambda w: AdcBlock(w.services.clock, w.services.interrupts)),
)
_REST: Final = (BlockPlace("unknown", 0x800000, lambda w: Memorandum()),)
"""What no other place covers."""

_KIB: Final = 1024

CBU_CHIPS: Final[Mapping[str, CbuChip]] = {
    chip.name: chip
    for chip in (
        CbuChip("N", Chip.N, 0x7231C, 0x20521024, 192 * _KIB, TUYA_KEY, _COMMON + _N + _REST),
        CbuChip("T", Chip.T, 0x7231A, 0x18520001, 256 * _KIB, TUYA_KEY, _COMMON + _T + _REST),
        CbuChip("M", Chip.M, 0x7231C, 0x20521024, 192 * _KIB, ZERO_KEY, _COMMON + _N + _REST),
    )
}
"""By the letter behind BK7231. Identities: documented for N and T; M taken for an N without a key."""
