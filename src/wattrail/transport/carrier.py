"""Common to all carriers: URL, clock, closing, and typed options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortLost, PortTimeout, UrlError
from wattrail.urls import Option, PortUrl, boolean, corrected

__all__ = ["SIMULATED", "OpenCarrier", "address", "com_name", "device_path", "typed"]

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
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
