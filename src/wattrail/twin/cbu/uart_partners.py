"""What hangs on the module's UART1 besides a host: a metering chip that was reworked to it, or a TuyaMCU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.uart import UartBlock
from wattrail.twin.twin import Twin
from wattrail.twin.uart_engine import TimedByte

__all__ = ["TuyaMcu", "UartMeter"]


class UartMeter:
    """The wires between one UART and a metering chip: what is sent reaches it, replies arrive when they would.

    This is the rework of a PZIOT-E01 for a BK7231T, whose SPI controller firmware does not use: SEL to the other level,
    SDI and SDO to P11 and P10. The firmware's rate counts: a wrong one gives damaged bytes.
    """

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
        # Times are sums of floats on one side and ticks on the other: a nanosecond is allowed for.
        while self._on_the_wire and self._on_the_wire[0].at <= now + 1e-9:
            self._uart.receive(bytes((self._on_the_wire.popleft().byte,)))
        self._wait(now)

    def _wait(self, now: float) -> None:
        if self._on_the_wire:
            ahead = self._on_the_wire[0].at - now
            self._due.set(self._clock.now + max(1, round(ahead * TICKS_PER_SECOND)))


HEARTBEAT, PRODUCT, MODE, WIFI_STATE = 0, 1, 2, 3
_HEAD: Final = b"\x55\xaa"
# 55 AA, version, command, length (two bytes, high first), data, sum of all before. Source: tuya/mcu-serial.
_OVERHEAD: Final = 7
_MAX_DATA: Final = 1024
_VERSION: Final = 3


class SerialWire(Protocol):
    """The firmware's UART, seen from outside."""

    def listen(self, call: Callable[[bytes], None]) -> None:
        """Be called with what the firmware sends."""

    def receive(self, data: bytes) -> None:
        """Send to the firmware."""


class TuyaMcu:
    """The microcontroller that stock firmware of many products expects, as far as it must answer to go on.

    It has no data points. ``asked`` lists the commands that came. A product is JSON like
    ``{"p":"sixteen characters","v":"1.0.0","m":0}``; the id must be the one in the flash of the module.
    """

    def __init__(self, uart: SerialWire, product: bytes) -> None:
        self._uart, self._product = uart, product
        self._received = bytearray()
        self._has_beaten = False
        self.asked: list[int] = []
        uart.listen(self.hear)

    def hear(self, data: bytes) -> None:
        """Take bytes that the firmware sends."""
        self._received += data
        for command in self._commands():
            self.asked.append(command)
            answer = self._answer(command)
            if answer is not None:
                self._uart.receive(_frame(command, answer))

    def _answer(self, command: int) -> bytes | None:
        # Seen: without an answer each TuyaMCU image repeats its heartbeat for ever. Without "m" in a product SDKs from
        # 2.0 on refuse it. Mode and state are acknowledged by an empty frame.
        if command == HEARTBEAT:
            first, self._has_beaten = not self._has_beaten, True
            return b"\x00" if first else b"\x01"
        if command == PRODUCT:
            return self._product
        return b"" if command in (MODE, WIFI_STATE) else None

    def _commands(self) -> Iterator[int]:
        """Those of whole frames with a right sum; what is none is dropped."""
        received = self._received
        while (at := received.find(_HEAD)) >= 0:
            del received[:at]
            if len(received) < _OVERHEAD:
                return
            length = int.from_bytes(received[4:6], "big")
            if length <= _MAX_DATA and len(received) < _OVERHEAD + length:
                return
            frame = bytes(received[: _OVERHEAD + length])
            if length > _MAX_DATA or sum(frame[:-1]) & 0xFF != frame[-1]:
                del received[:2]
                continue
            del received[: len(frame)]
            yield frame[3]
        del received[:-1]


def _frame(command: int, data: bytes) -> bytes:
    body = _HEAD + bytes((_VERSION, command)) + len(data).to_bytes(2, "big") + data
    return body + bytes((sum(body) & 0xFF,))
