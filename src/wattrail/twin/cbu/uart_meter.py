"""A metering chip on the module's UART1: what the firmware sends reaches the chip, replies arrive when they would.

This is the rework of a PZIOT-E01 for a BK7231T, whose SPI controller firmware does not use: SEL to the other level, SDI
and SDO to P11 and P10.
"""

from __future__ import annotations

from collections import deque

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.uart import UartBlock
from wattrail.twin.twin import Twin
from wattrail.twin.uart_engine import TimedByte

__all__ = ["UartMeter"]


class UartMeter:
    """The wires between one UART and one chip. The firmware's rate counts: a wrong one gives damaged bytes."""

    def __init__(self, uart: UartBlock, meter: Twin, clock: TickClock) -> None:
        self._uart, self._meter, self._clock = uart, meter, clock
        self._on_the_wire: deque[TimedByte] = deque()
        self._due = clock.alarm("meter reply", self._arrive)
        uart.listen(self._sent)

    def _sent(self, data: bytes) -> None:
        now = self._meter.now()
        self._on_the_wire.extend(self._meter.uart.receive(data, now, self._uart.baud))
        self._wait(now)

    def _arrive(self) -> None:
        now = self._meter.now()
        while self._on_the_wire and self._on_the_wire[0].at <= now + 1e-9:
            self._uart.receive(bytes((self._on_the_wire.popleft().byte,)))
        self._wait(now)

    def _wait(self, now: float) -> None:
        if self._on_the_wire:
            ahead = self._on_the_wire[0].at - now
            self._due.set(self._clock.now + max(1, round(ahead * TICKS_PER_SECOND)))
