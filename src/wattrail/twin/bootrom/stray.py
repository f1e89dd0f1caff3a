"""Wires in the wrong place: a host that hears something else than the chip's flashing UART, and reaches nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from wattrail.twin.bootrom.outbox import Outbox
from wattrail.twin.bootrom.wire import Burst

if TYPE_CHECKING:
    from wattrail.twin.bootrom.twin import BootTwin

__all__ = ["Line", "StrayWires", "Wiring"]

Wiring = Literal["right", "swapped", "uart2"]


class Line(Protocol):
    """What a port needs of the other end of its wires."""

    def wait_s(self) -> float:
        """How long nothing can arrive at the host, as things stand."""
        ...

    def send(self, data: bytes, baud: int, *, echo: bool = False) -> None:
        """The host sends."""
        ...

    def collect(self, baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        ...


class StrayWires:
    """A line to a twin by which one hears, and is not heard. ``heard`` is what comes along."""

    def __init__(self, twin: BootTwin, heard: Outbox, *, paced: bool) -> None:
        self._twin = twin
        self._heard = heard
        self._paced = paced

    def wait_s(self) -> float:
        """How long nothing can arrive at the host, as things stand."""
        with self._twin.lock:
            now = self._twin.now()
            return max(0.0, self._twin.engine.next_at(now, self._heard) - now)

    def send(self, data: bytes, baud: int, *, echo: bool = False) -> None:
        """Nobody hears the host but itself."""
        if echo and data:
            with self._twin.lock:
                self._heard.put(Burst(data, self._twin.now(), baud, paced=self._paced))

    def collect(self, baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        with self._twin.lock:
            self._twin.engine.advance(self._twin.now())
            return self._heard.collect(self._twin.now(), baud)
