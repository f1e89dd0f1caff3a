"""The microcontroller that stock firmware of many products expects at UART1, as far as it must answer to go on.

Frames are 55 AA, version, command, length (two bytes, high first), data, sum of all before. Source: tuya/mcu-serial.
A product is JSON like ``{"p":"sixteen characters","v":"1.0.0","m":0}``; the id must be the one in the flash of the
module, and without "m" SDKs from 2.0 on refuse it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

__all__ = ["TuyaMcu"]

HEARTBEAT, PRODUCT, MODE, WIFI_STATE = 0, 1, 2, 3
_HEAD: Final = b"\x55\xaa"
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
    """Answers heartbeat, product, mode and state; has no data points. ``asked`` lists the commands that came."""

    def __init__(self, uart: SerialWire, product: bytes) -> None:
        self._uart, self._product = uart, product
        self._received = bytearray()
        self._has_beaten = False
        self.asked: list[int] = []
        uart.listen(self.hear)

    def hear(self, data: bytes) -> None:
        """Take bytes that the firmware sends."""
        self._received += data
        for command, _data in self._frames():
            self.asked.append(command)
            answer = self._answer(command)
            if answer is not None:
                self._uart.receive(_frame(command, answer))

    def _answer(self, command: int) -> bytes | None:
        if command == HEARTBEAT:
            first, self._has_beaten = not self._has_beaten, True
            return b"\x00" if first else b"\x01"
        if command == PRODUCT:
            return self._product
        return b"" if command in (MODE, WIFI_STATE) else None

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Whole frames with a right sum; what is none is dropped."""
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
            yield frame[3], frame[6:-1]
        del received[:-1]


def _frame(command: int, data: bytes) -> bytes:
    body = _HEAD + bytes((_VERSION, command)) + len(data).to_bytes(2, "big") + data
    return body + bytes((sum(body) & 0xFF,))
