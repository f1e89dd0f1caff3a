"""The DMA controller, 0x809000: six channels that copy memory, or feed a peripheral when it asks."""

from __future__ import annotations

from typing import Final

from wattrail.twin.cbu.peripheral import BusMemory, FactOrigin, InterruptLines, RegisterBlock, mapped
from wattrail.wire.register import Field

__all__ = ["DmaController"]

CHANNELS: Final = 6
STRIDE: Final = 0x20
SOURCE: Final = 15
MEMORY_LINE: Final = 0
"""The request line of memory, which is always ready."""

_SDK: Final = FactOrigin.DOCUMENTED
CONTROL = mapped(
    0x00, "control", "starts by bit 0, which clears itself at the end", _SDK,
    Field("enable", 0), Field("finish_int", 1), Field("half_int", 2), Field("repeat", 3), Field("source_width", 4, 2),
    Field("target_width", 6, 2), Field("source_moves", 8), Field("target_moves", 9), Field("source_loop", 10),
    Field("target_loop", 11), Field("priority", 12, 2), Field("length", 16, 16),
)  # fmt: skip
TARGET = mapped(0x04, "target", "address", _SDK)
ORIGIN = mapped(0x08, "origin", "address", _SDK)
TARGET_END, TARGET_START = mapped(0x0C, "target_loop_end", "", _SDK), mapped(0x10, "target_loop_start", "", _SDK)
ORIGIN_END, ORIGIN_START = mapped(0x14, "origin_loop_end", "", _SDK), mapped(0x18, "origin_loop_start", "", _SDK)
REQUEST = mapped(0x1C, "request", "which line moves it", _SDK, Field("source", 0, 4), Field("target", 4, 4))
STATUS: Final = 0xE0
REMAINING: Final = 0xC0
_ENABLE, _FINISH_INT, _REPEAT = 1, 2, 8
_SOURCE_MOVES, _TARGET_MOVES, _SOURCE_LOOP, _TARGET_LOOP = 1 << 8, 1 << 9, 1 << 10, 1 << 11


class DmaController(RegisterBlock):
    """Copies of memory happen at once; a peripheral's channel moves what ``request`` says.

    Not modelled: the interrupt at half of a transfer, and priorities.
    """

    name = "dma"
    registers = (
        CONTROL, TARGET, ORIGIN, TARGET_END, TARGET_START, ORIGIN_END, ORIGIN_START, REQUEST,
        *(mapped(REMAINING + 4 * n, f"remaining_{n}", "bytes left; from bit 24 on, how often it finished", _SDK)
          for n in range(CHANNELS)),
        mapped(STATUS, "status", "bits 5:0 finished, 13:8 half; write 1 to clear", _SDK),
    )  # fmt: skip
    kept = ("places", "status")

    def __init__(self, memory: BusMemory, interrupts: InterruptLines) -> None:
        self._memory = memory
        self._interrupts = interrupts
        self.places = [[0, 0, 0] for _ in range(CHANNELS)]
        """Of each channel: where it reads, where it writes, bytes left."""
        self.status = 0
        super().__init__()

    def reset(self) -> None:
        """Every channel stops."""
        super().reset()
        self.places = [[0, 0, 0] for _ in range(CHANNELS)]
        self.status = 0

    def read(self, offset: int) -> int:
        """Counters and status are live."""
        if offset == STATUS:
            return self.status
        if REMAINING <= offset < REMAINING + 4 * CHANNELS:
            return self.places[(offset - REMAINING) // 4][2] & 0x1FFFF | self.words.get(offset, 0) & ~0x1FFFF
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A rising enable starts; status is cleared by writing 1."""
        if offset == STATUS:
            self.status &= ~value
            self._interrupt()
            return
        channel, inside = divmod(offset, STRIDE)
        before = self.words.get(offset, 0)
        super().write(offset, value)
        if channel < CHANNELS and inside == CONTROL.address and value & ~before & _ENABLE:
            self._start_channel(channel, value)

    def _word(self, channel: int, offset: int) -> int:
        return self.words.get(channel * STRIDE + offset, 0)

    def _start_channel(self, channel: int, control: int) -> None:
        origin, target = self._word(channel, ORIGIN.address), self._word(channel, TARGET.address)
        self.places[channel] = [origin, target, (control >> 16) + 1]
        request = self._word(channel, REQUEST.address)
        # Seen: OpenBeken copies by it once its access point is up, and polls the enable bit until that is gone. A
        # controller that never clears it leaves the firmware silent there.
        if request & 0xF == MEMORY_LINE and request >> 4 & 0xF == MEMORY_LINE:
            self._copy(channel, control)

    def _copy(self, channel: int, control: int) -> None:
        origin, target, left = self.places[channel]
        if control & _SOURCE_MOVES and control & _TARGET_MOVES and not control & (_SOURCE_LOOP | _TARGET_LOOP):
            self._memory.write(target, self._memory.read(origin, left))
            self.places[channel][2] = 0
            self._finish(channel)
        else:
            self._move(channel, left)

    def request(self, line: int, *, source: bool, units: int) -> int:
        """A peripheral gives or takes; see ``peripheral.DmaRequests``."""
        moved = 0
        for channel in range(CHANNELS):
            request = self._word(channel, REQUEST.address)
            if self._word(channel, 0) & _ENABLE and (request if source else request >> 4) & 0xF == line:
                moved += self._move(channel, units - moved)
            if moved >= units:
                break
        return moved

    def _move(self, channel: int, units: int) -> int:
        """Move unit by unit; a peripheral's end is its data register, which does not move."""
        control = self._word(channel, 0)
        width = 1 << (control >> 4 & 3)
        place, moved = self.places[channel], 0
        while moved < units and place[2]:
            self._put(channel, place[1], self._get(channel, place[0], width), width)
            place[0] = self._next(
                channel, place[0], width, control & _SOURCE_MOVES, control & _SOURCE_LOOP, ORIGIN_END.address
            )
            place[1] = self._next(
                channel, place[1], width, control & _TARGET_MOVES, control & _TARGET_LOOP, TARGET_END.address
            )
            place[2] = max(0, place[2] - width)  # a length need not be a multiple of the width
            moved += 1
        if not place[2]:
            self._finish(channel)
        return moved

    def _get(self, channel: int, address: int, width: int) -> bytes:
        if self._word(channel, REQUEST.address) & 0xF == MEMORY_LINE:
            return self._memory.read(address, width)
        return self._memory.read_register(address).to_bytes(4, "little")[:width]

    def _put(self, channel: int, address: int, data: bytes, width: int) -> None:
        if self._word(channel, REQUEST.address) >> 4 & 0xF == MEMORY_LINE:
            self._memory.write(address, data)
        else:
            self._memory.write_register(address, int.from_bytes(data, "little"))

    def _next(self, channel: int, address: int, width: int, moves: int, loops: int, end: int) -> int:
        if not moves:
            return address
        address += width
        if loops and address >= self._word(channel, end):
            return self._word(channel, end + 4)
        return address

    def _finish(self, channel: int) -> None:
        control = self._word(channel, 0)
        self.status |= 1 << channel
        counter = REMAINING + 4 * channel
        finished = (self.words.get(counter, 0) >> 24) + 1 & 0xF
        self.words[counter] = finished << 24
        if control & _REPEAT:
            self.places[channel] = [
                self._word(channel, ORIGIN.address),
                self._word(channel, TARGET.address),
                (control >> 16) + 1,
            ]
        else:
            self.words[channel * STRIDE] = control & ~_ENABLE
        self._interrupt()

    def _interrupt(self) -> None:
        enabled = sum(1 << n for n in range(CHANNELS) if self._word(n, 0) & _FINISH_INT)
        self._interrupts.set(SOURCE, bool(self.status & enabled))
