"""The module's network stack joined to this machine's loopback."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from wattrail.simulated_ports import simulated_port
from wattrail.twin.cbu.frames import FramePort
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.user_network import HOST, UserNetwork

__all__ = ["POLL_S", "BoardNetwork"]

POLL_S: Final = 0.002
"""Device time between two polls."""

_POLL_TICKS: Final = round(POLL_S * TICKS_PER_SECOND)


class BoardNetwork:
    """Frames of the firmware on one side, sockets of 127.0.0.1 on the other; polled as the machine runs."""

    host = HOST
    """Where the firmware finds 127.0.0.1 of this machine."""

    def __init__(self, machine: Cbu) -> None:
        self.frames = FramePort(machine)
        self._sockets = UserNetwork(self.frames.deliver, lambda: machine.seconds)
        self.frames.listen(self._sockets.sent)
        self._ports: dict[int, int] = {}
        self._said_of_ports = ExitStack()
        self._clock = machine.clock
        self._due = machine.clock.alarm("network", self._poll_again)
        self._due.set(machine.clock.now + _POLL_TICKS)

    def port(self, firmware_port: int = 80) -> int:
        """The port of 127.0.0.1 that leads to a TCP port of the firmware; what is read there counts as simulated."""
        if firmware_port not in self._ports:
            self._ports[firmware_port] = self._sockets.forward(firmware_port)
            self._said_of_ports.enter_context(simulated_port(self._ports[firmware_port]))
        return self._ports[firmware_port]

    def join(self) -> None:
        """Make OpenBeken believe that it has joined a network: then it calls its broker and its time server."""
        self.frames.claim_joined()

    def _poll_again(self) -> None:
        self.poll()
        self._due.set(self._clock.now + _POLL_TICKS)

    def poll(self, wait_s: float = 0.0) -> None:
        """Move what is there; the machine must run in between."""
        self._sockets.poll(wait_s)

    def close(self) -> None:
        """End every connection."""
        self._due.cancel()
        self._said_of_ports.close()
        self._sockets.close()
