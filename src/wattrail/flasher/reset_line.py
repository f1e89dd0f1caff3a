"""CEN on a modem line: the one wire that spares a person the pulling of plugs."""

from __future__ import annotations

from typing import Final, Literal

from wattrail.errors import PortError, PortLost
from wattrail.transport import Port

__all__ = ["ResetLine"]

HOLD_S: Final = 0.1
"""How long CEN is held low; hosts hold it 50 to 250 ms. Source: bk-boot/hosts."""


class ResetLine:
    """RTS or DTR, wired to CEN. Set, the line is low and the chip in reset; modules exist that turn it over."""

    def __init__(self, line: Literal["rts", "dtr"]) -> None:
        self._line = line

    def pulse(self, port: Port, *, inverted: bool = False) -> None:
        """Reset the chip and let it go. Raises PortError where the carrier has no such line."""
        self._drive(port, not inverted)
        port.clock.sleep(HOLD_S)
        port.drain()
        self._drive(port, inverted)

    def _drive(self, port: Port, value: bool) -> None:
        port.set_lines(**{self._line: value})


def release_lines(port: Port) -> None:
    """Let both modem lines go: an adapter that holds one may hold the chip in reset."""
    try:
        port.set_lines(dtr=False, rts=False)
    except PortLost:
        raise
    except PortError:
        return  # a carrier without such lines holds nothing
