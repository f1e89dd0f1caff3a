"""Common to all carriers: URL, clock, closing, typed options, and why a device or an address does not open."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self, TypeVar

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortLost, PortOpenError, PortTimeout, UrlError
from wattrail.urls import Option, PortUrl, boolean, corrected, number_in

__all__ = [
    "CS_OPTION",
    "HZ_OPTION",
    "MODE",
    "SIMULATED",
    "OpenCarrier",
    "address",
    "address_open_error",
    "com_name",
    "device_open_error",
    "device_path",
    "hz_option",
    "typed",
]

_Value = TypeVar("_Value")

SIMULATED: Final = Option("simulated", boolean, False, "simulated=yes says that a twin is at the other end")
"""For carriers that cannot know what is at the other end: everything read through them is marked as simulated."""


class OpenCarrier:
    """An open port or bus. A subclass releases its device in ``_release``."""

    def __init__(self, url: str, clock: Clock, *, simulated: bool = False) -> None:
        self._url = url
        self._clock = clock
        self._simulated = simulated
        self._closed = False

    @property
    def url(self) -> str:
        """The URL it was opened by."""
        return self._url

    @property
    def clock(self) -> Clock:
        """The clock its deadlines run on."""
        return self._clock

    @property
    def simulated(self) -> bool:
        """Whether what it carries comes from a twin."""
        return self._simulated

    def close(self) -> None:
        """Release the device. Closing twice is harmless."""
        if not self._closed:
            # Before the release: one that fails must not be tried again by the ``with`` around it.
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _release(self) -> None:
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._closed:
            raise PortLost(f"{self._url} is closed", hint="open it again")

    def _check_time(self, deadline: Deadline) -> None:
        # A bus frame takes microseconds and must not be cut in two, so the deadline is checked once, before it.
        if deadline.passed:
            raise PortTimeout(f"{self._url}: the deadline had passed before the first clock")


def typed(options: Mapping[str, object], name: str, kind: type[_Value]) -> _Value:
    """An option's value as the type its converter promised."""
    value = options[name]
    if not isinstance(value, kind):
        raise TypeError(f"option {name} holds {value!r}, not a {kind.__name__}")
    return value


def device_path(url: PortUrl) -> str:
    """The device a URL names by its path. Raises UrlError for a host in its place, or an empty path."""
    if url.host or not url.path.strip("/"):
        raise UrlError(f"{url.text!r} names no device", hint=f"a device follows three slashes: try {_device_of(url)}")
    if "&" in url.path:
        raise UrlError(f"{url.text!r}: the first option follows a ?, the next ones a &", hint=f"try {_device_of(url)}")
    return url.path


def com_name(path: str) -> str:
    """The name of a serial device on its system: ``/COM3`` is ``COM3``, every other path stays."""
    return path[1:] if re.fullmatch(r"/COM\d+", path, re.IGNORECASE) else path


def address(url: PortUrl) -> tuple[str, int]:
    """Host and TCP port. Raises UrlError if one is missing or a path follows."""
    if not url.host or not url.port or url.path.strip("/"):
        host = f"[{url.host}]" if ":" in url.host else url.host or "192.168.1.20"
        raise UrlError(
            f"{url.text!r} is not host and port", hint=f"for example {url.scheme}://{host}:{url.port or 8888}"
        )
    return url.host, url.port


def _device_of(url: PortUrl) -> str:
    usual = (
        "/dev/spidev0.0" if url.scheme == "spi" else "/dev/gpiochip0" if url.scheme == "spi+gpio" else "/dev/ttyUSB0"
    )
    return corrected(url.text) or f"{url.scheme}://{usual}"


# ---- options of SPI buses

# The clock idles low, and data is taken on its falling edge. Source: bl0942-ds/spi-frame
MODE: Final = 1
MAX_HZ: Final = 900_000
"""The BL0942's fastest clock by its datasheet."""


def hz_option(default: int) -> Option:
    """The clock option with a bus's own default, in hertz."""
    return Option("hz", number_in(int, 1_000, MAX_HZ), default, f"clock in hertz, 1000 to {MAX_HZ}")


# Not the datasheet's 900 kHz: one board was seen to get half its checksums wrong there, and none at 800 kHz.
HZ_OPTION: Final = hz_option(800_000)
CS_OPTION: Final = Option("cs", boolean, True, "cs=no for a chip whose select pin is tied to ground (three wires)")


# ---- why it does not open

_ABSENT = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})


def device_open_error(url: str, path: str, error: OSError, *, missing: str) -> PortOpenError:
    """The error for a device file that cannot be opened; ``missing`` is the hint for one that does not exist."""
    # A device file may outlive its device: opening it then fails by ENODEV or ENXIO, and the remedy is the same.
    if isinstance(error, FileNotFoundError) or error.errno in _ABSENT:
        return PortOpenError(f"{url}: there is no device {path}", hint=missing)
    # Windows says "access denied" for a port that another program has open.
    if error.errno == errno.EBUSY or (isinstance(error, PermissionError) and os.name == "nt"):
        return PortOpenError(
            f"{url}: {path} is in use by another program",
            hint=f"close the other program; on Linux 'fuser -v {path}' names it. ModemManager tries out a new adapter"
            " for half a minute: wait, or sudo systemctl stop ModemManager",
        )
    if isinstance(error, PermissionError):
        return PortOpenError(f"{url}: no permission to open {path}", hint=_permission_hint(path))
    return PortOpenError(f"{url}: {path} does not open: {error.strerror or error}")


def address_open_error(url: str, error: OSError) -> PortOpenError:
    """The error for a host and port that cannot be connected."""
    if isinstance(error, ConnectionRefusedError):
        hint = "nothing listens there: check the port number, and that the server runs"
    elif isinstance(error, TimeoutError):
        hint = "the host does not answer: check its address, its power and the network"
    else:
        hint = None
    return PortOpenError(f"{url}: cannot connect: {error.strerror or error or 'no answer in time'}", hint=hint)


def _permission_hint(path: str) -> str:
    try:
        group = Path(path).group()
    # Windows has no groups; a group without a name (a container's) is a KeyError.
    except (OSError, KeyError, NotImplementedError):
        return f"ask the system's administrator for access to {path}"
    return f"{path} belongs to the group {group}: sudo usermod -aG {group} $USER, then log in again"
