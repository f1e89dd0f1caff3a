"""The chip's SPI, clock by clock: mode 1, high byte first, 48 clocks a frame.

    A8 reg d2 d1 d0 sum        write
    58 reg                     read: d2 d1 d0 sum is shifted out over the next 32 clocks

The engine counts bits and nothing else, so a lost or extra clock leaves it out of step, as real 3-wire wiring does,
until 48 ones in a row. What real silicon does with an unknown head, or with a wrong sum in a write, is not documented:
the twin lets the 48 clocks pass and does nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from wattrail.twin.chip import MeterChip
from wattrail.twin.faults import Faults

__all__ = ["SpiEngine"]

_WRITE, _READ = 0xA8, 0x58
_ASKED, _FRAME = 16, 48  # clocks after which a read is answered, and a frame over
# Documented are 900 kHz; on one board half of the frames failed there, and 800 worked (OpenBK7231T_App PR 724).
_SAFE_HZ: Final = 800_000
_HALF_BAD_HZ: Final = 900_000


class SpiEngine:
    """The shift registers of one chip; fulfils the ``SpiSlave`` that an SPI server asks for.

    ``chip_select`` is False where NCS is tied low. ``selected`` is False for a chip strapped to UART, whose SDO stays
    high. ``overclocking`` makes frames above 800 kHz fail, half of them at 900 kHz (one board did).
    """

    simulated = True

    def __init__(
        self,
        chip: MeterChip,
        faults: Faults,
        now: Callable[[], float],
        *,
        chip_select: bool = False,
        selected: bool = True,
        overclocking: bool = False,
        seed: int = 0,
    ) -> None:
        self._chip = chip
        self._faults = faults
        self._now = now
        self._chip_select = chip_select
        self._selected = selected
        self._overclocking = overclocking
        self._chance = random.Random(seed)
        self._enabled = True
        self._hz = _SAFE_HZ
        self._last_out = 1
        self._last_in = 1
        self._ones = 0
        self._in = 0
        self._count = 0
        self._reply = 0
        self._answering = False

    def select(self, level: bool) -> None:
        """Drive NCS: True selects. Letting go in mid-frame aborts the frame; 3-wire wiring has no such line."""
        # The datasheets do not say what a select that is let go does to a frame: that it ends is inferred.
        if self._chip_select:
            self._enabled = level
            if not level:
                self._restart()

    def transfer(self, data: bytes, *, mode: int = 1, hz: int = _SAFE_HZ) -> bytes:
        """Clock bytes in and as many out. A pause between calls does not matter."""
        if not self._selected or not self._enabled or not data:
            return b"\xff" * len(data)
        received = self._faults.request(data)
        if len(received) != len(data):
            return b"\xff" * len(data)
        self._hz = hz
        bits = 8 * len(data)
        sent = int.from_bytes(received, "big")
        # Inferred from the edges: both sides shift on the rising one and look on the falling one.
        if mode == 3:  # host changes its line on the very edge on which the chip looks: it sees the bit before
            sent, self._last_in = self._last_in << bits - 1 | sent >> 1, sent & 1
        shifted = self.clock(sent, bits)
        if mode != 1:  # host looks before the chip has shifted
            shifted, self._last_out = self._last_out << bits - 1 | shifted >> 1, shifted & 1
        return shifted.to_bytes(len(data), "big")

    def clock(self, sent: int, bits: int) -> int:
        """That many clocks; ``sent`` is what stood on SDI, most significant first. Returns what stood on SDO."""
        shifted, left = 0, bits
        while left:
            edge = _ASKED if self._count < _ASKED else _FRAME
            take = min(left, edge - self._count, _FRAME - self._ones)
            left -= take
            part = sent >> left & (1 << take) - 1
            shifted = shifted << take | self._shift(part, take)
        return shifted

    def _shift(self, part: int, take: int) -> int:
        """Some clocks that end at or before the next moment at which something happens."""
        high = (1 << take) - 1
        out = self._reply >> (_FRAME - self._count - take) & high if self._answering else high
        self._in = self._in << take | part
        self._count += take
        self._ones = self._ones + take if part == high else ((part ^ high) & -(part ^ high)).bit_length() - 1
        if self._ones >= _FRAME:
            self._restart()
        elif self._count == _ASKED and self._in >> 8 == _READ:
            self._answer(self._in & 0xFF)
        elif self._count == _FRAME:
            self._finish()
        return out

    def _answer(self, address: int) -> None:
        data = self._chip.read_word(address, self._now()).to_bytes(3, "big")
        reply = self._faults.reply(data + bytes((_sum(bytes((_READ, address)) + data),)))
        self._reply = int.from_bytes(reply.data[:4].ljust(4, b"\xff"), "big")
        if self._garbled():
            self._reply ^= 1 << self._chance.randrange(32)
        self._answering = True

    def _finish(self) -> None:
        frame = self._in.to_bytes(6, "big")
        # That a write with a wrong sum is dropped stands in the chapter on UART alone; taken to hold here too.
        valid = frame[0] == _WRITE and frame[5] == _sum(frame[:5])
        if valid and not self._garbled():
            self._chip.write_word(frame[1], int.from_bytes(frame[2:5], "big"), self._now())
        if valid or self._answering:  # in step: ones that ended this frame must not count towards the 48
            self._ones = 0
        self._restart()

    def _restart(self) -> None:
        self._in = self._count = self._reply = 0
        self._answering = False
        if self._ones >= _FRAME:
            self._ones = 0

    def _garbled(self) -> bool:
        """Whether this frame fails, at a clock beyond what the wiring carries."""
        odds = 0.5 * (self._hz - _SAFE_HZ) / (_HALF_BAD_HZ - _SAFE_HZ) if self._overclocking else 0.0
        return odds > 0 and self._chance.random() < odds


def _sum(data: bytes) -> int:
    return ~sum(data) & 0xFF
