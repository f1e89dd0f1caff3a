"""The flash controller, 0x803000: commands to the flash chip, of which the CPU sees 32 bytes at a time.

Commands see raw bytes at physical addresses. Every command is done at once: a real erase takes 40 ms or more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.cbu.peripheral import FactOrigin, RegisterBlock, mapped
from wattrail.wire.register import Access, Field

__all__ = ["FlashController"]

_SDK: Final = FactOrigin.DOCUMENTED
OPERATE = mapped(
    0x00, "operate", "opcode 1 WREN, 3 read SR, 4 write SR, 5 read, 6 read SR2, 7 write SR 16 bit, 12 program, "
    "13/14/15 erase 4/32/64 KiB, 16 erase all, 20 id", _SDK,
    Field("address", 0, 24), Field("opcode", 24, 5), Field("go", 29), Field("write_protect", 30), Field("busy", 31),
)  # fmt: skip
TO_FLASH = mapped(0x04, "to_flash", "a word to program; eight are a command's", _SDK)
FROM_FLASH = mapped(0x08, "from_flash", "a word that was read; the next read gives the next", _SDK, access=Access.READ)
ID = mapped(0x10, "id", "manufacturer, kind, capacity", _SDK, access=Access.READ)
SR = mapped(0x14, "sr", "", _SDK, Field("status", 0, 8), Field("crc_errors", 8, 8), access=Access.READ)
CONFIG = mapped(
    0x1C, "config", "", _SDK,
    Field("clock", 0, 4), Field("mode", 4, 5), Field("cpu_write", 9), Field("sr_data", 10, 16), Field("crc", 26),
)  # fmt: skip

PAGE: Final = 32
_GO, _BUSY = 1 << 29, 1 << 31

_READ, _PROGRAM, _ERASE_ALL, _READ_ID = 5, 12, 16, 20
_ERASES: Final = {13: 0x1000, 14: 0x8000, 15: 0x10000}
_STATUS_READS: Final = {3: 0x05, 6: 0x35}
"""The flash chip's own opcode for each of the two status registers."""
_STATUS_WRITES: Final = {4: 1, 7: 2}
"""Bytes of the status that are written."""


class FlashController(RegisterBlock):
    """``changed`` hears the physical range that a command changed."""

    name = "flash"
    registers = (OPERATE, TO_FLASH, FROM_FLASH, ID, SR, CONFIG)
    kept = ("staged", "at")

    def __init__(self, flash: NorFlash, changed: Callable[[int, int], None]) -> None:
        self.flash = flash
        self._changed = changed
        self._page: list[int] = []
        self.staged: list[int] = []
        self.at = 0
        super().__init__()

    @property
    def cpu_writes(self) -> bool:
        """Whether stores into the code window go to the flash."""
        return bool(CONFIG.field("cpu_write").get(self.words[CONFIG.address]))

    def reset(self) -> None:
        """Forget what was staged; the flash chip keeps its content."""
        super().reset()
        self.staged, self._page, self.at = [], [], 0

    def read(self, offset: int) -> int:
        """A command is never busy; words come in order."""
        if offset != FROM_FLASH.address:
            return super().read(offset)
        if not self._page:
            # Raw bytes at a physical address: Tuya finds its key block only so, which lies above what code can be.
            page = self.flash.read(self.at & ~(PAGE - 1), PAGE)
            self._page = [int.from_bytes(page[n : n + 4], "little") for n in range(PAGE - 4, -1, -4)]
        return self._page.pop()

    def write(self, offset: int, value: int) -> None:
        """Operate runs a command."""
        if offset == TO_FLASH.address:
            self.staged = [*self.staged, value][-PAGE // 4 :]
        elif offset == OPERATE.address:
            super().write(offset, value & ~(_BUSY | _GO))
            if value & _GO:
                # All five bits count: TuyaOS 3.8.18 programs at each start, and restarts for ever where its 12 is taken
                # for something else.
                self._run(value >> 24 & 0x1F, value & 0xFF_FFFF)
        else:
            super().write(offset, value)

    def _run(self, opcode: int, address: int) -> None:
        if opcode == _READ:
            self.at, self._page = address, []
        elif opcode == _PROGRAM:
            self._program(address)
        elif opcode in _ERASES:
            self._erase(address % self.flash.size, _ERASES[opcode])
        elif opcode == _ERASE_ALL:
            self._erase(0, self.flash.size)
        elif opcode in _STATUS_READS:
            self.words[SR.address] = self.flash.read_status(_STATUS_READS[opcode], 0.0)
        elif opcode in _STATUS_WRITES:
            data = CONFIG.field("sr_data").get(self.words[CONFIG.address])
            self.flash.write_status(0x01, data.to_bytes(2, "little")[: _STATUS_WRITES[opcode]])
        elif opcode == _READ_ID:  # hosts of the boot ROM print it the other way round: capacity first
            self.words[ID.address] = int.from_bytes(self.flash.mid.to_bytes(3, "little"), "big")

    def _erase(self, address: int, span: int) -> None:
        self.flash.erase(address, span)
        self._changed(address & ~(span - 1), span)

    def _program(self, address: int) -> None:
        data = b"".join(word.to_bytes(4, "little") for word in self.staged)
        self.staged = []
        start = address & ~(PAGE - 1)
        self.flash.program(start, data)
        self._changed(start % self.flash.size, len(data))
