"""The chip's flashing UART in time: bytes on their way to it, its rate and receive ring, bytes on their way to a host.

Bytes travel as blocks with a beginning and a time for each byte, so that 2 MiB do not become two million objects. Which
bytes arrive depends on the rates of both ends at that moment.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, MAX_DIVIDER, MIN_DIVIDER
from wattrail.twin.bootrom.activity import NEVER
from wattrail.twin.bootrom.receiver import FrameReceiver, ReceivedCommand, ReceivedPage
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.uart_line import BYTE_BITS, as_received

__all__ = ["MAX_BLOCKS", "IncomingBlock", "SentBlock", "TransmitQueue", "Uart"]

MAX_BLOCKS: Final = 64
"""Blocks of text that wait for a host that does not read them; more are lost."""


class IncomingBlock:
    """A block that a host began to send at ``begins``."""

    def __init__(self, data: bytes, begins: float, baud: int, *, paced: bool = True) -> None:
        self._raw = data
        self._baud = baud
        self._begins = begins
        self._byte_s = BYTE_BITS / baud if paced else 0.0
        self._taken = 0
        self._received = b""
        self._step = self._byte_s
        self.chip_baud = 0.0
        self.left = 0  # bytes still to arrive

    @property
    def ends(self) -> float:
        """When its last bit is through."""
        return self._begins + len(self._raw) * self._byte_s

    def set_chip_baud(self, baud: float) -> None:
        """The chip receives at this rate from here on."""
        done = self._taken * self._step / self._byte_s if self._byte_s else self._taken
        # The bytes that are through were received at the old rate; those on their way meet the new one.
        self._raw = self._raw[int(done) :]
        self._begins += int(done) * self._byte_s
        self._taken, self.chip_baud = 0, baud
        self._received = as_received(self._raw, self._baud, round(baud))
        self.left = len(self._received)
        self._step = len(self._raw) * self._byte_s / max(1, self.left)

    def at(self, count: int = 1) -> float:
        """When the ``count``-th byte from here has arrived."""
        return self._begins + (self._taken + (count if count < self.left else self.left)) * self._step

    def arrived(self, until: float) -> int:
        """How many of the bytes left have arrived by then."""
        if not self._step:
            return self.left if self._begins <= until else 0
        count = int((until - self._begins) / self._step + 1e-6) - self._taken
        return max(0, min(self.left, count))

    def take(self, count: int) -> bytes:
        """The next bytes."""
        taken = self._received[self._taken : self._taken + count]
        self._taken += len(taken)
        self.left -= len(taken)
        return taken


class SentBlock:
    """A block that was sent to a host from ``begins`` on; the host's rate when it looks decides what it reads."""

    def __init__(self, data: bytes, begins: float, baud: float, *, paced: bool = True) -> None:
        self._raw = data
        self._baud = baud
        self.begins = begins
        self._byte_s = BYTE_BITS / baud if paced else 0.0
        self._received: bytes | None = None
        self._step = self._byte_s
        self._taken = 0

    @property
    def ends(self) -> float:
        """When its last bit is through."""
        return self.begins + len(self._raw) * self._byte_s

    @property
    def next_at(self) -> float:
        """When the next byte has arrived."""
        return self.begins + (self._taken + 1) * self._step

    @property
    def is_done(self) -> bool:
        """Whether everything has been taken."""
        return self._received is not None and self._taken >= len(self._received)

    def cut(self, at: float) -> None:
        """The sender loses its power then: what was not on the wire yet never comes."""
        if self._byte_s and at < self.ends:
            self._raw = self._raw[: max(0, int((at - self.begins) / self._byte_s))]
            self._received = None if self._received is None else self._received[: len(self._raw)]

    def take(self, now: float, host_baud: int) -> bytes:
        """The bytes that have arrived by now and were not taken yet."""
        if self.begins > now:
            return b""
        if self._received is None:
            self._received = as_received(self._raw, round(self._baud), host_baud, keep_broken=True)
            self._step = len(self._raw) * self._byte_s / max(1, len(self._received))
        count = len(self._received) if not self._step else int((now - self.begins) / self._step + 1e-6)
        if count <= self._taken:
            return b""
        taken = self._received[self._taken : count]
        self._taken += len(taken)
        return taken


class TransmitQueue:
    """Blocks on one wire towards a host. ``max_blocks``: the oldest are lost beyond it."""

    def __init__(self, max_blocks: int | None = None) -> None:
        self._blocks: deque[SentBlock] = deque(maxlen=max_blocks)

    def __len__(self) -> int:
        """Blocks that were not taken."""
        return len(self._blocks)

    def put(self, block: SentBlock) -> None:
        """Add a block."""
        self._blocks.append(block)

    def cut(self, at: float) -> None:
        """The sender loses its power then."""
        for block in self._blocks:
            block.cut(at)

    def next_at(self, now: float, portion_s: float) -> float:
        """When a reader should look: bytes come in portions, the last one of a block on time. NEVER if none do."""
        if not self._blocks:
            return NEVER
        first = self._blocks[0]
        return min(first.ends, max(first.next_at, now + portion_s))

    def collect(self, now: float, host_baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        taken = bytearray()
        while self._blocks:
            taken += self._blocks[0].take(now, host_baud)
            if not self._blocks[0].is_done:
                break
            self._blocks.popleft()
        return bytes(taken)


class Uart:
    """UART1. ``baud_asked``: the rate that was set; ``baud``: what its divider makes of it.

    While the chip works, received bytes wait in a ring of ``timing.ring`` bytes.
    """

    def __init__(self, timing: BootTiming) -> None:
        self._timing = timing
        self._incoming: deque[IncomingBlock] = deque()
        self._ring = bytearray()
        self._receiver = FrameReceiver()
        self._last_byte = 0.0
        self.transmitted = TransmitQueue()
        self.set_baud(BAUD_AT_RESET)

    def set_baud(self, baud: int) -> None:
        """Another rate, at once; 0 is the one after a reset."""
        self.baud_asked = baud or BAUD_AT_RESET
        self.baud = _real_baud(self.baud_asked)

    def restart(self) -> None:
        """As after a reset."""
        self._ring.clear()
        self._receiver.restart()
        self.set_baud(BAUD_AT_RESET)

    # ---- receiving

    def receive(self, data: bytes, now: float, host_baud: int) -> None:
        """A host begins to send this now, or as soon as what was sent before is through.

        Two senders take turns here; that real ones destroy each other's bytes is not modelled.
        """
        if data:
            # A host writes faster than the line carries: its bytes queue in the driver.
            begins = max(now, self._incoming[-1].ends if self._incoming else now)
            self._incoming.append(IncomingBlock(data, begins, host_baud, paced=self._timing.pace_requests))

    def byte_at(self, now: float, *, working: bool) -> float:
        """When the next byte can be received, or goes into the ring of a chip that works."""
        if working and not self._timing.pace_requests:
            return NEVER  # bytes that take no time on the wire wait where they are, or every ring would overflow
        if self._ring and not working:
            return now
        block = self._first()
        return NEVER if block is None else block.at()

    def frame_at(self) -> float:
        """When the bytes on their way may complete a frame or a page."""
        block = self._first()
        return NEVER if block is None else block.at(self._receiver.missing)

    def take_ring(self) -> bytes:
        """Bytes out of the ring, at most as many as the receiver may be fed; empty if it holds none."""
        count = self._receiver.missing
        taken = bytes(self._ring[:count])
        del self._ring[:count]
        return taken

    def take(self, until: float, *, framed: bool) -> tuple[bytes, float, float]:
        """Bytes off the wire, and when the first and the last of them came.

        ``framed``: at most what the receiver may be fed.
        """
        block = self._first()
        if block is None:
            return b"", until, until
        count = max(1, block.arrived(until))
        if framed:
            count = min(count, self._receiver.missing)
        first, last = block.at(), block.at(count)
        return block.take(count), first, last

    def keep(self, data: bytes) -> None:
        """The chip works: into the ring. What does not fit is lost."""
        # 512 bytes bridge a page of 256 that takes longer to program than its own time on the wire.
        self._ring += data[: max(0, self._timing.ring - len(self._ring))]

    def note_bytes(self, first: float, last: float, *, working: bool) -> None:
        """Bytes came from then to then: with ``timing.byte_gap_s`` the receiver starts over after a longer gap."""
        gap = self._timing.byte_gap_s
        if gap is not None and first - self._last_byte > gap and not working:
            self._receiver.restart()
        self._last_byte = last

    def feed(self, data: bytes) -> list[ReceivedCommand | ReceivedPage]:
        """What these bytes complete."""
        return self._receiver.feed(data)

    def _first(self) -> IncomingBlock | None:
        """The block of which the next byte comes."""
        while self._incoming:
            block = self._incoming[0]
            if block.chip_baud != self.baud:
                block.set_chip_baud(self.baud)
            if block.left:
                return block
            self._incoming.popleft()
        return None

    # ---- sending

    def send(self, data: bytes, at: float, baud: float | None = None) -> float:
        """Send at the chip's rate or another; returns when the last bit is through."""
        block = SentBlock(data, at, baud or self.baud, paced=self._timing.pace_replies)
        if data:
            self.transmitted.put(block)
        return block.ends


def _real_baud(baud: int) -> float:
    """The rate that the chip's divider makes of the one asked for."""
    # Read in a disassembly of BK7231S_1.0.5: so 921600 is 928571 in truth, and 3 Mbaud is 3.7 % too slow. An N is taken
    # to divide likewise.
    divider = (CLOCK_HZ - 1 + baud // 2) // baud - 1
    return CLOCK_HZ / (max(MIN_DIVIDER, min(MAX_DIVIDER, divider)) + 1)
