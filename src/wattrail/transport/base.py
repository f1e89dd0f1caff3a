"""The two carriers of a meter: a byte stream (Port) and a shared SPI bus (Bus).

Both block with deadlines; neither retries nor parses.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from wattrail.clock import Clock, Deadline

__all__ = ["Bus", "Carrier", "Port"]


class Carrier(Protocol):
    """Common to all open carriers: URL, clock, and closing."""

    @property
    def url(self) -> str:
        """The URL it was opened by."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock its deadlines run on."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether what it carries comes from a twin."""
        ...

    def close(self) -> None:
        """Release the device. Closing twice is harmless."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


# Wrappers (record, the frame log) find out by isinstance which of the two they were given.
@runtime_checkable
class Port(Carrier, Protocol):
    """An open byte stream."""

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        ...

    # One block: a chip drops a frame that pauses, after 16 ms by one datasheet and 20 ms between two bytes by
    # the older ones. Source: bl0942-ds/uart-frame
    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost, PortTimeout."""
        ...

    # For what is left of a reply that came too late: it would be taken for the answer to the next request.
    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        ...

    def set_baud(self, baud: int) -> None:
        """Change the rate. Raises PortError where the carrier has none."""
        ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines; None leaves one alone. Raises PortError where the carrier has none."""
        ...


@runtime_checkable
class Bus(Carrier, Protocol):
    """An open SPI bus with one chip on it, in mode 1, most significant bit first."""

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block under chip select. Raises PortTimeout, PortLost."""
        ...
