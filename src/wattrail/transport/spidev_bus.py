"""``spi://`` - the kernel's SPI device on a Linux board, by the spidev library. Mode 1, as the BL0942 wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortLost, PortOpenError, needs_library
from wattrail.transport.base import Bus
from wattrail.transport.carrier import CS_OPTION, HZ_OPTION, MODE, OpenCarrier, device_open_error, device_path, typed
from wattrail.urls import Option, PortUrl

__all__ = ["OPTIONS", "SpidevBus", "missing_hint", "open_carrier"]

OPTIONS: Final[Sequence[Option]] = (HZ_OPTION, CS_OPTION)

_ENABLE: Final = (
    "enable SPI: on a Raspberry Pi 'sudo raspi-config', Interface Options, SPI (or dtparam=spi=on in config.txt), "
    "then restart; 'ls /dev/spidev*' lists what exists"
)


class _Device(Protocol):
    """What we use of spidev.SpiDev, which ships no types."""

    mode: int
    max_speed_hz: int
    bits_per_word: int
    no_cs: bool

    def open_path(self, path: str) -> None: ...

    def xfer2(self, data: list[int]) -> Sequence[int]: ...

    def close(self) -> None: ...


class SpidevBus(OpenCarrier):
    """A bus on an open SPI device."""

    def __init__(self, url: str, clock: Clock, device: _Device) -> None:
        super().__init__(url, clock)
        self._device = device

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block. Raises PortTimeout, PortLost."""
        self._check_open()
        self._check_time(deadline)
        try:
            # Not ``xfer``: by its manual that one may let chip select go
            # within a transfer, and the chip counts 48 clocks in one select.
            return bytes(self._device.xfer2(list(data)))
        except OSError as error:
            raise PortLost(f"{self.url} went away: {error}", hint="open it again") from error

    def _release(self) -> None:
        self._device.close()


def missing_hint() -> str:
    """The hint for a device that does not exist."""
    return _ENABLE


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Bus:
    """Open the device in mode 1. Raises PortOpenError, MissingExtra."""
    path = device_path(url)
    device = _new_device(url)
    try:
        device.open_path(path)
        device.mode = MODE
        device.bits_per_word = 8
        device.max_speed_hz = typed(options, "hz", int)
    except OSError as error:
        device.close()
        raise device_open_error(url.text, path, error, missing=missing_hint()) from error
    if not typed(options, "cs", bool):
        _release_select(url, device)
    return SpidevBus(url.text, clock, device)


def _new_device(url: PortUrl) -> _Device:
    with needs_library(url.text, "spidev", extra="spi"):
        import spidev
    library: Any = spidev
    device: _Device = library.SpiDev()
    return device


def _release_select(url: PortUrl, device: _Device) -> None:
    try:
        # Not every controller's driver can leave it alone.
        device.no_cs = True
    except OSError as error:
        device.close()
        raise PortOpenError(
            f"{url.text}: this SPI controller cannot leave chip select alone: {error.strerror or error}",
            hint="leave out cs=no: with the chip's select pin at ground, driving the board's pin does no harm",
        ) from error
