"""What the boot ROM's ReadReg and WriteReg reach: chip numbers, the eFuse controller, ROM, and memory."""

from __future__ import annotations

from typing import Final

from wattrail.bootrom.constants import (
    CHIP_ID,
    CHIP_ID_N,
    DEVICE_ID,
    DEVICE_ID_N,
    EFUSE_BYTES,
    EFUSE_CONTROL,
    EFUSE_GO,
    EFUSE_RESULT,
    EFUSE_VALID,
)

__all__ = ["Registers"]

ROM_BYTES: Final = 0x4000
BUSY_READS: Final = 1
"""How often CONTROL still shows the go bit after a start: enough that a host must poll."""


class Registers:
    """The address space as far as hosts look at it. Other addresses hold what was written, 0 at first."""

    def __init__(self, efuse: bytes, chip_id: int = CHIP_ID_N) -> None:
        if len(efuse) != EFUSE_BYTES:
            raise ValueError(f"an eFuse has {EFUSE_BYTES} bytes, not {len(efuse)}")
        self._efuse = efuse
        self._fixed = {CHIP_ID: chip_id, DEVICE_ID: DEVICE_ID_N}
        self._busy = 0
        self.readable = True
        self._written: dict[int, int] = {}

    def restart(self) -> None:
        """As after a reset."""
        self._written.clear()
        self._busy = 0

    def read(self, address: int) -> int:
        """A 32-bit word."""
        if address == EFUSE_CONTROL and self._busy:
            self._busy -= 1
            return self._written[EFUSE_CONTROL] | EFUSE_GO
        if address in self._fixed:
            return self._fixed[address]
        if address < ROM_BYTES:
            return address * 0x9E37_79B1 & 0xFFFF_FFFF  # the ROM's contents are not public: any will do
        return self._written.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """A 32-bit word; the go bit of the eFuse controller starts a read and clears by itself."""
        if address in self._fixed or address < ROM_BYTES:
            return
        if address == EFUSE_CONTROL and value & EFUSE_GO:
            value &= ~EFUSE_GO
            self._busy = BUSY_READS
            place = value >> 8 & 0x1F
            self._written[EFUSE_RESULT] = EFUSE_VALID | self._efuse[place] if self.readable else 0
        self._written[address] = value
