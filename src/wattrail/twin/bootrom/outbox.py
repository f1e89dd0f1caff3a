"""What somebody has sent and a host has not yet taken."""

from __future__ import annotations

from collections import deque
from typing import Final

from wattrail.twin.bootrom.wire import Burst
from wattrail.twin.bootrom.work import NEVER

__all__ = ["Outbox"]

_PORTION_S: Final = 0.004
"""How long an adapter may gather bytes of one reply before it hands them over."""


class Outbox:
    """One sending wire, to a host's ear. ``most``: how many blocks wait for a host that does not listen."""

    def __init__(self, most: int | None = None) -> None:
        self._bursts: deque[Burst] = deque(maxlen=most)

    def __len__(self) -> int:
        """Blocks that were not taken."""
        return len(self._bursts)

    def put(self, burst: Burst) -> None:
        """One more block; the oldest goes if there are too many."""
        self._bursts.append(burst)

    def cut(self, at: float) -> None:
        """The sender loses its power then."""
        for burst in self._bursts:
            burst.cut(at)

    def next_at(self, now: float) -> float:
        """When a reader should look: bytes come in portions, the last one of a block on time. NEVER if none do."""
        if not self._bursts:
            return NEVER
        first = self._bursts[0]
        return min(first.ends, max(first.next_at, now + _PORTION_S))

    def collect(self, now: float, host_baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        taken = bytearray()
        while self._bursts:
            taken += self._bursts[0].take(now, host_baud)
            if not self._bursts[0].done:
                break
            self._bursts.popleft()
        return bytes(taken)
