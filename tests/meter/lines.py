"""A serial line on a manual clock with whoever a test puts at its other end."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from wattrail.clock import Deadline, ManualClock
from wattrail.errors import PortError, PortTimeout
from wattrail.transport.carrier import OpenCarrier
from wattrail.twin.uart_line import as_received
from wattrail.wire import inverted_sum

COUNTS = {3: 54612, 4: 3653168, 5: 0, 6: 31170, 7: 0, 8: 0x4E1E, 9: 0, 0x19: 0x8F, 0x1A: 2, 0x1D: 0}


class Line(OpenCarrier):
    """``answers`` gets what is written and returns what comes back, each part with its delay in seconds."""

    def __init__(
        self,
        url: str = "serial:///dev/ttyUSB0?baud=4800",
        *,
        answers: Callable[[bytes], list[tuple[float, bytes]]] = lambda _: [],
        says: bytes = b"",
        every_s: float = 1.0,
        at_baud: int = 4800,
        fixed: bool = False,
    ) -> None:
        super().__init__(url, ManualClock())
        self.answers = answers
        self.baud = 4800
        self._says, self._every_s, self._at_baud, self._fixed = says, every_s, at_baud, fixed
        self._next_s = every_s
        self._coming: list[tuple[float, bytes]] = []

    def read(self, deadline: Deadline) -> bytes:
        now = self.clock.monotonic()
        while self._says and self._next_s <= max(deadline.at, now):
            heappush(self._coming, (self._next_s, as_received(self._says, self._at_baud, self.baud)))
            self._next_s += self._every_s
        if not self._coming or self._coming[0][0] > deadline.at:
            self.clock.sleep(max(0.0, deadline.at - now))
            raise PortTimeout("nothing arrived")
        at, data = heappop(self._coming)
        self.clock.sleep(max(0.0, at - now))
        return data

    def write(self, data: bytes) -> None:
        for delay, part in self.answers(data):
            heappush(self._coming, (self.clock.monotonic() + delay, part))

    def drain(self) -> bytes:
        taken = bytearray()
        while True:
            try:
                taken += self.read(Deadline.after(0.0, self.clock))
            except PortTimeout:
                return bytes(taken)

    def set_baud(self, baud: int) -> None:
        if self._fixed:
            raise PortError("raw TCP has no baud rate to set")
        self.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def _release(self) -> None: ...


def chip(delay: Callable[[], float], *, address: int = 0) -> Callable[[bytes], list[tuple[float, bytes]]]:
    """A BL0942 whose every answer takes that long. Written from the datasheet's frames, not from our codec."""
    held = dict(COUNTS)

    def answer(data: bytes) -> list[tuple[float, bytes]]:
        if data[0] == 0xA8 | address:
            held[data[1]] = int(data[2] == 0x55) if data[1] == 0x1D else int.from_bytes(data[2:5], "little")
        if data[0] != 0x58 | address:
            return []
        if data[1] == 0xAA:
            words = [held[at].to_bytes(3, "little") for at in (3, 4, 5, 6, 7)]
            body = b"\x55" + b"".join(words) + held[8].to_bytes(2, "little") + bytes(4)
            return [(delay(), body + bytes((inverted_sum(data[:1] + body),)))]
        body = held.get(data[1], 0).to_bytes(3, "little")
        return [(delay(), body + bytes((inverted_sum(data + body),)))]

    return answer
