"""The chip's flashing UART: its rate, what comes in, the receiver that makes frames of it, what goes out."""

from __future__ import annotations

from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, LEAST_DIVIDER, MOST_DIVIDER
from wattrail.twin.bootrom.inbox import Inbox
from wattrail.twin.bootrom.outbox import Outbox
from wattrail.twin.bootrom.receiver import Heard, Page, Receiver
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.wire import Burst
from wattrail.twin.bootrom.work import NEVER

__all__ = ["Uart"]


class Uart:
    """UART1. ``baud_asked``: the rate it was told to use; ``baud``: what its divider makes of it."""

    def __init__(self, timing: BootTiming) -> None:
        self._timing = timing
        self._inbox = Inbox(timing.ring, paced=timing.pace_requests)
        self._receiver = Receiver()
        self._last_byte = 0.0
        self.outbox = Outbox()
        self.set_baud(BAUD_AT_RESET)

    def set_baud(self, baud: int) -> None:
        """Another rate, at once; 0 is the one after a reset."""
        self.baud_asked = baud or BAUD_AT_RESET
        self.baud = _real(self.baud_asked)

    def restart(self) -> None:
        """As after a reset."""
        self._inbox.forget()
        self._receiver.restart()
        self.set_baud(BAUD_AT_RESET)

    # ---- in

    def receive(self, data: bytes, now: float, host_baud: int) -> None:
        """Somebody begins to send this now, or as soon as what was sent before is through."""
        self._inbox.put(data, now, host_baud)

    def byte_at(self, now: float, *, working: bool) -> float:
        """When the next byte can be heard, or goes into the ring of a chip that is at work."""
        if working and not self._timing.pace_requests:
            return NEVER  # bytes that take no time on the wire wait where they are, or every ring would overflow
        if self._inbox.holds_any and not working:
            return now
        block = self._inbox.first(self.baud)
        return NEVER if block is None else block.at()

    def portion_at(self) -> float:
        """When something may come of the bytes that are on their way."""
        block = self._inbox.first(self.baud)
        return NEVER if block is None else block.at(self._receiver.missing)

    @property
    def holds_any(self) -> bool:
        """Whether the ring holds bytes."""
        return self._inbox.holds_any

    def kept(self) -> bytes:
        """Bytes out of the ring, as many as the receiver may be fed."""
        return self._inbox.kept(self._receiver.missing)

    def take(self, until: float, *, framed: bool) -> tuple[bytes, float]:
        """Bytes off the wire, and when the last of them came. ``framed``: not more than the receiver may be fed."""
        block = self._inbox.first(self.baud)
        if block is None:
            return b"", until
        count = max(1, block.arrived(until))
        if framed:
            count = min(count, self._receiver.missing)
        at = block.at(count)
        return block.take(count), at

    def keep(self, data: bytes) -> None:
        """The chip is at work: into the ring."""
        self._inbox.keep(data)

    def note(self, at: float, *, working: bool) -> None:
        """A byte came then: a receiver that waits for no one starts anew after a gap."""
        gap = self._timing.byte_gap_s
        if gap is not None and at - self._last_byte > gap and not working:
            self._receiver.restart()
        self._last_byte = at

    def feed(self, data: bytes) -> list[Heard | Page]:
        """What has become whole by these bytes."""
        return self._receiver.feed(data)

    # ---- out

    def send(self, data: bytes, at: float, baud: float | None = None) -> float:
        """Send at the chip's rate or another; when the last bit is through."""
        burst = Burst(data, at, baud or self.baud, paced=self._timing.pace_replies)
        if data:
            self.outbox.put(burst)
        return burst.ends


def _real(baud: int) -> float:
    """The rate that the chip's divider makes of the one asked for."""
    divider = (CLOCK_HZ - 1 + baud // 2) // baud - 1
    return CLOCK_HZ / (max(LEAST_DIVIDER, min(MOST_DIVIDER, divider)) + 1)
