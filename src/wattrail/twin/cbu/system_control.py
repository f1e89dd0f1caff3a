"""System control and eFuse, 0x800000: who the chip is, and 32 bytes that are burnt once."""

from __future__ import annotations

from wattrail.twin.cbu.peripheral import FactOrigin, PeripheralState, RegisterBlock, mapped
from wattrail.wire.register import Access, Field

__all__ = ["SystemControl"]

_SDK, _SEEN = FactOrigin.DOCUMENTED, FactOrigin.SEEN
CHIP_ID = mapped(0x00, "chip_id", "", _SDK, access=Access.READ)
DEVICE_ID = mapped(0x04, "device_id", "only the upper half is compared", _SDK, access=Access.READ)
MODEM = mapped(0x10, "modem", "bit 6, reset of the modem core, reads 0 when it is over", _SDK)
ANALOG_BUSY = mapped(
    0x40, "analog_busy", "a bit for each transfer to analog registers that goes on", FactOrigin.GUESSED
)
EFUSE = mapped(
    0x74, "efuse", "go clears itself", _SEEN,
    Field("go", 0), Field("write", 1), Field("address", 8, 5), Field("data", 16, 8),
)  # fmt: skip
EFUSE_DATA = mapped(0x78, "efuse_data", "", _SEEN, Field("byte", 0, 8), Field("valid", 8), access=Access.READ)
SLEEP = mapped(
    0x104, "sleep", "0x4F89 run, 0xB706 sleep at low voltage, 0xADC1 deep sleep: until an enabled source", _SDK
)

RETENTION = mapped(
    0x150, "retention", "survives a watchdog's reset, which sets its flag; N and later", _SDK,
    Field("reason", 0, 16), Field("watchdog", 16),
)  # fmt: skip


class SystemControl(RegisterBlock):
    """``efuse`` has 32 bytes, the first 16 of them the code key."""

    name = "system"
    size = 0x200
    registers = (CHIP_ID, DEVICE_ID, MODEM, ANALOG_BUSY, EFUSE, EFUSE_DATA, SLEEP, RETENTION)

    def __init__(self, chip_id: int, device_id: int, efuse: bytes) -> None:
        self._identity = {CHIP_ID.address: chip_id, DEVICE_ID.address: device_id}
        self.efuse = bytearray(efuse)
        super().__init__()

    def read(self, offset: int) -> int:
        """Identity; nothing is ever busy."""
        if offset in self._identity:
            return self._identity[offset]
        if offset == ANALOG_BUSY.address:
            return 0
        return super().read(offset) & (~(1 << 6) if offset == MODEM.address else -1)

    def write(self, offset: int, value: int) -> None:
        """The eFuse answers at once; burning only sets bits."""
        if offset != EFUSE.address:
            super().write(offset, value)
            return
        super().write(offset, value & ~1)
        if value & 1:
            address = EFUSE.field("address").get(value) % len(self.efuse)
            if value & 2:
                self.efuse[address] |= EFUSE.field("data").get(value)
            # Without the valid bit the SDK takes 0xFF for each byte, and reports an error.
            self.words[EFUSE_DATA.address] = 1 << 8 | self.efuse[address]

    def reset(self) -> None:
        """Everything but the retention register."""
        kept = self.words.get(RETENTION.address, 0)
        super().reset()
        self.words[RETENTION.address] = kept

    def note_watchdog(self) -> None:
        """The reset was the watchdog's; without this flag, firmware takes it for a crash."""
        self.words[RETENTION.address] |= RETENTION.field("watchdog").mask

    def save(self) -> PeripheralState:
        """With the eFuse."""
        return {**super().save(), "efuse": self.efuse.hex()}

    def load(self, state: PeripheralState) -> None:
        """The opposite."""
        super().load(state)
        self.efuse = bytearray.fromhex(str(state["efuse"]))
