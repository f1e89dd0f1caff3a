"""The interrupt and clock unit, 0x802000: which sources interrupt the CPU, which clocks run."""

from __future__ import annotations

from typing import Final

from wattrail.twin.cbu.peripheral import FactOrigin, RegisterBlock, mapped
from wattrail.wire.register import Access, Field

__all__ = ["FIQ_SOURCES", "IRQ_SOURCES", "SOURCES", "InterruptUnit"]

_SDK: Final = FactOrigin.DOCUMENTED
FIQ_SOURCES: Final = 0xFFFF_0000
IRQ_SOURCES: Final = 0x0000_FFFF

# A T has others besides: 4 I2S, 10 audio, 13 USB, 14 FFT, 23 SDIO DMA, 24 and 25 mailboxes, 27 SPI DMA. Nothing here
# raises them.
SOURCES: Final = {
    0: "UART1", 1: "UART2", 2: "I2C1", 3: "IRDA", 5: "I2C2", 6: "SPI", 7: "GPIO", 8: "timers", 9: "PWM", 11: "ADC",
    12: "SDIO", 13: "security", 14: "LA", 15: "DMA", 16: "modem", 17: "MAC timer", 18: "MAC misc", 19: "MAC RX",
    20: "MAC TX", 21: "MAC protocol", 22: "MAC general", 26: "MAC wake-up", 28: "DPLL unlock", 29: "BTDM", 30: "BLE",
    31: "BT",
}  # fmt: skip
"""Names of the sources of the N. 0 to 15 raise IRQ, the others FIQ."""

MUX = mapped(0x00, "clock_mux", "1 = 26 MHz, else a faster clock: bit 0 UART1, 1 UART2, 5 ADC, 6 SPI, 7 PWM", _SDK)
POWER_DOWN = mapped(
    0x08, "power_down", "1 = clock off: 0 UART1, 1 UART2, 6 SPI, 7 ADC, 8 watchdog, 20 and 21 timers", _SDK
)
ENABLE = mapped(0x40, "enable", "a bit a source", _SDK)
GLOBAL = mapped(0x44, "global", "whether the CPU is interrupted at all", _SDK, Field("irq", 0), Field("fiq", 1))
RAW = mapped(0x48, "raw", "sources whose line is high", _SDK, access=Access.READ)
STATUS = mapped(0x4C, "status", "the same, if enabled; a level is not cleared by writing 1 to it", _SDK)
WAKE_UP = mapped(0x50, "wake_up", "sources that end a sleep", _SDK)


class InterruptUnit(RegisterBlock):
    """Levels in, IRQ and FIQ out. Handlers acknowledge here first and at the device later, so levels must stay."""

    name = "interrupts"
    registers = (MUX, POWER_DOWN, ENABLE, GLOBAL, RAW, STATUS, WAKE_UP)
    kept = ("lines",)

    def __init__(self) -> None:
        self.lines = 0
        super().__init__()

    def set(self, source: int, level: bool) -> None:
        """Drive the line of a source."""
        self.lines = self.lines | 1 << source if level else self.lines & ~(1 << source)

    @property
    def pending(self) -> int:
        """Sources that are high and enabled."""
        return self.lines & self.words[0x40]

    @property
    def irq(self) -> bool:
        """The IRQ input of the CPU."""
        return bool(self.lines & self.words[0x40] & IRQ_SOURCES and self.words[0x44] & 1)

    @property
    def fiq(self) -> bool:
        """The FIQ input of the CPU."""
        return bool(self.lines & self.words[0x40] & FIQ_SOURCES and self.words[0x44] & 2)

    def read(self, offset: int) -> int:
        """RAW and STATUS follow the lines."""
        if offset == STATUS.address:
            return self.pending
        return self.lines if offset == RAW.address else super().read(offset)

    def reset(self) -> None:
        """The lines are driven by peripherals, which are reset too."""
        super().reset()
        self.lines = 0
