"""The chip's receiving side: blocks on the wire, and the ring that holds what came while the chip was at work."""

from __future__ import annotations

from collections import deque

from wattrail.twin.bootrom.wire import Incoming

__all__ = ["Inbox"]


class Inbox:
    """One receiving wire. ``room``: bytes its ring holds; ``paced``: whether bytes take their time on the wire."""

    def __init__(self, room: int, *, paced: bool) -> None:
        self._room = room
        self._paced = paced
        self._blocks: deque[Incoming] = deque()
        self._ring = bytearray()

    def put(self, data: bytes, now: float, host_baud: int) -> None:
        """Somebody begins to send this now, or as soon as what was sent before is through.

        Two senders take turns here; that real ones destroy each other's bytes is not modelled.
        """
        if data:
            begins = max(now, self._blocks[-1].ends if self._blocks else now)
            self._blocks.append(Incoming(data, begins, host_baud, paced=self._paced))

    def first(self, chip_baud: float) -> Incoming | None:
        """The block of which the next byte comes, as a chip at this rate hears it."""
        while self._blocks:
            block = self._blocks[0]
            block.tune(chip_baud)
            if block.left:
                return block
            self._blocks.popleft()
        return None

    # ---- the ring

    @property
    def holds_any(self) -> bool:
        """Whether the ring holds bytes."""
        return bool(self._ring)

    def keep(self, data: bytes) -> None:
        """Into the ring; what does not fit is lost."""
        self._ring += data[: max(0, self._room - len(self._ring))]

    def kept(self, count: int) -> bytes:
        """Out of the ring, at most that many."""
        taken = bytes(self._ring[:count])
        del self._ring[:count]
        return taken

    def forget(self) -> None:
        """Empty the ring."""
        self._ring.clear()
