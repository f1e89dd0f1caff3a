"""``spi+ftdi://`` - SPI over an FT232H, FT2232H or FT4232H on a desk, by the pyftdi library.

The engine of these chips knows modes 0 and 2 only. pyftdi reaches mode 1 by three-phase clocking, meant for I2C, which
its manual calls unreliable; hence the slow default, and whoever uses this bus reads known registers back first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortLost, PortOpenError, UrlError, needs_library
from wattrail.transport.base import Bus
from wattrail.transport.carrier import MODE, OpenCarrier, hz_option, typed
from wattrail.urls import Option, PortUrl, number_in

__all__ = ["OPTIONS", "FtdiBus", "open_carrier"]

_CHIPS: Final = ("232h", "2232h", "4232h")
"""The -H series; older chips lack three-phase clocking."""

OPTIONS: Final[Sequence[Option]] = (
    # An eighth of the other buses' clock: mode 1 is a workaround in this engine, see above.
    hz_option(100_000),
    Option("cs", number_in(int, 0, 4), 0, "the select pin of the chip: 0 is AD3, 4 is AD7"),
    Option("serial", str, "", "serial number of the adapter, where several are plugged in"),
)

_HINT: Final = "check that it is plugged in, and on Linux that a udev rule lets your user at USB vendor 0403"


class _SpiPort(Protocol):
    """What we use of pyftdi's SpiPort, which is only partly typed."""

    def exchange(self, out: bytes, *, duplex: bool) -> bytes: ...


class _Controller(Protocol):
    def configure(self, url: str, *, cs_count: int, frequency: float) -> None: ...

    def get_port(self, *, cs: int, freq: float, mode: int) -> _SpiPort: ...

    def close(self) -> None: ...


class FtdiBus(OpenCarrier):
    """A bus on a configured FTDI adapter."""

    def __init__(self, url: str, clock: Clock, controller: _Controller, port: _SpiPort) -> None:
        super().__init__(url, clock)
        self._controller = controller
        self._port = port

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block. Raises PortTimeout, PortLost."""
        self._check_open()
        self._check_time(deadline)
        try:
            return bytes(self._port.exchange(data, duplex=True))
        except OSError as error:  # all USB and FTDI errors are OSErrors
            raise PortLost(f"{self.url} went away: {error}", hint="check the USB cable, then open it again") from error

    def _release(self) -> None:
        self._controller.close()


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Bus:
    """Configure the adapter for mode 1. Raises PortOpenError, MissingExtra, UrlError."""
    with needs_library(url.text, "pyftdi", extra="ftdi"):
        from pyftdi.spi import SpiController
        from pyftdi.usbtools import UsbToolsError
    cs, hz = typed(options, "cs", int), float(typed(options, "hz", int))
    address = _library_url(url, typed(options, "serial", str))
    library: Any = SpiController
    controller: _Controller = library()
    try:
        controller.configure(address, cs_count=cs + 1, frequency=hz)
        port = controller.get_port(cs=cs, freq=hz, mode=MODE)
    except (OSError, UsbToolsError, ValueError) as error:  # ValueError: there is no USB library on this system
        controller.close()
        raise PortOpenError(f"{url.text}: the FTDI adapter does not open: {error}", hint=_HINT) from error
    return FtdiBus(url.text, clock, controller, port)


def _library_url(url: PortUrl, serial: str) -> str:
    interface = url.path.strip("/") or "1"
    if url.host not in _CHIPS or url.port is not None or not interface.isdecimal():
        raise UrlError(
            f"{url.text!r} names no FTDI adapter; known chips: {', '.join(_CHIPS)}",
            hint="for example spi+ftdi://232h/1 (chip, then interface counted from 1)",
        )
    return f"ftdi://ftdi:{url.host}{':' + serial if serial else ''}/{interface}"
