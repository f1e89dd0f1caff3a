"""Bytes under way: what a host has handed over and the chip not yet heard, and what the chip has sent.

Both are blocks with a beginning and a time for each byte, so that 2 MiB do not become two million objects.
"""

from __future__ import annotations

from wattrail.twin.uart_line import BYTE_BITS, as_received

__all__ = ["Burst", "Incoming"]


class Incoming:
    """A block a host began to send at ``begins``. Which bytes arrive depends on the chip's rate at that moment."""

    def __init__(self, data: bytes, begins: float, baud: int, *, paced: bool = True) -> None:
        self._raw = data
        self._baud = baud
        self._begins = begins
        self._byte_s = BYTE_BITS / baud if paced else 0.0
        self._place = 0
        self._chip_baud = 0.0
        self._heard = b""
        self._step = self._byte_s

    @property
    def ends(self) -> float:
        """When its last bit is through."""
        return self._begins + len(self._raw) * self._byte_s

    def tune(self, chip_baud: float) -> None:
        """The chip listens at this rate from here on."""
        if chip_baud == self._chip_baud:
            return
        done = self._place * self._step / self._byte_s if self._byte_s else self._place
        self._raw = self._raw[int(done) :]
        self._begins += int(done) * self._byte_s
        self._place, self._chip_baud = 0, chip_baud
        self._heard = as_received(self._raw, self._baud, round(chip_baud))
        self._step = len(self._raw) * self._byte_s / max(1, len(self._heard))

    @property
    def left(self) -> int:
        """Bytes still to arrive."""
        return len(self._heard) - self._place

    def at(self, count: int = 1) -> float:
        """When the ``count``-th byte from here has arrived."""
        return self._begins + (self._place + min(count, self.left)) * self._step

    def arrived(self, until: float) -> int:
        """How many of the bytes left have arrived by then."""
        if not self._step:
            return self.left if self._begins <= until else 0
        count = int((until - self._begins) / self._step + 1e-6) - self._place
        return max(0, min(self.left, count))

    def take(self, count: int) -> bytes:
        """The next bytes."""
        taken = self._heard[self._place : self._place + count]
        self._place += len(taken)
        return taken


class Burst:
    """A block the chip began to send at ``begins``; the host's rate when it looks decides what it reads."""

    def __init__(self, data: bytes, begins: float, baud: float, *, paced: bool = True) -> None:
        self._raw = data
        self._baud = baud
        self.begins = begins
        self._byte_s = BYTE_BITS / baud if paced else 0.0
        self._heard: bytes | None = None
        self._step = self._byte_s
        self._place = 0

    @property
    def ends(self) -> float:
        """When its last bit is through."""
        return self.begins + len(self._raw) * self._byte_s

    @property
    def next_at(self) -> float:
        """When the next byte has arrived."""
        return self.begins + (self._place + 1) * self._step

    @property
    def done(self) -> bool:
        """Whether everything has been taken."""
        return self._heard is not None and self._place >= len(self._heard)

    def cut(self, at: float) -> None:
        """The sender loses its power then: what was not on the wire yet never comes."""
        if self._byte_s and at < self.ends:
            self._raw = self._raw[: max(0, int((at - self.begins) / self._byte_s))]
            self._heard = None if self._heard is None else self._heard[: len(self._raw)]

    def take(self, now: float, host_baud: int) -> bytes:
        """The bytes that have arrived by now and were not taken yet."""
        if self.begins > now:
            return b""
        if self._heard is None:
            self._heard = as_received(self._raw, round(self._baud), host_baud, keep_broken=True)
            self._step = len(self._raw) * self._byte_s / max(1, len(self._heard))
        count = len(self._heard) if not self._step else int((now - self.begins) / self._step + 1e-6)
        taken = self._heard[self._place : max(count, self._place)]
        self._place += len(taken)
        return taken
