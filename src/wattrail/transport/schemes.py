"""Every scheme a URL can have, as one table.

A scheme's module holds its ``OPTIONS`` and ``open_carrier(url, options, clock)``. It is named by a dotted path and
imported when a URL of that scheme is opened, and it imports its library when it opens: a TCP port needs no USB library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Protocol, cast

from wattrail.clock import Clock, SystemClock
from wattrail.errors import UrlError, WattrailError
from wattrail.transport.base import Bus, Port
from wattrail.transport.carrier import SIMULATED, address, com_name, device_open_error, device_path
from wattrail.transport.frame_log import logged
from wattrail.urls import (
    DEVICE_SCHEMES,
    NESTED,
    NETWORK_SCHEMES,
    Option,
    PortUrl,
    choice,
    corrected,
    innermost,
    read_options,
    split,
)

__all__ = [
    "SCHEMES",
    "Reach",
    "Scheme",
    "check_url",
    "crosses_network",
    "is_physical",
    "is_wired",
    "open_port",
    "open_unlogged",
    "reach",
    "require_device",
]

Reach = Literal["wire", "network", "file", "twin"]


class _Module(Protocol):
    OPTIONS: Sequence[Option]

    def open_carrier(self, url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port | Bus: ...


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to reach a meter: by a wire of this machine, over a network, from a file, or by simulating it."""

    name: str
    module: str
    carries: str
    reach: Reach
    example: str

    def load(self) -> _Module:
        """The module behind the scheme."""
        # Only when it is used: a library that is missing for one scheme costs the others nothing.
        return cast(_Module, import_module(self.module))

    def options(self) -> tuple[Option, ...]:
        """Its own options, and those that say what is at the other end; a scheme's own of that name comes first."""
        own = tuple(self.load().OPTIONS)
        names = {option.name for option in own}
        return own if NESTED in names else (*own, *(option for option in METER_OPTIONS if option.name not in names))


METER_OPTIONS: Final = (
    Option("chip", str, None, "the metering chip at the other end: chip=bl0942 (usual) or chip=bl0940"),
    # Which package has which heads is not published; both are met on real boards. Source: bl0940-ds/uart-frame
    Option("heads", choice("58", "50"), None, "BL0940: its frames begin with 58/A8 or with 50/A0; both are tried"),
)

_ROOM: Final = "wattrail.transport"
# fmt: off
_TABLE: Final = (
    Scheme("serial",   f"{_ROOM}.serial_port",  "UART",        "wire",    "serial:///dev/ttyUSB0?baud=4800"),
    Scheme("tcp",      f"{_ROOM}.tcp",          "UART",        "network", "tcp://192.168.1.20:8888"),
    Scheme("rfc2217",  f"{_ROOM}.rfc2217",      "UART",        "network", "rfc2217://192.168.1.20:2217?baud=4800"),
    Scheme("spi",      f"{_ROOM}.spidev_bus",   "SPI",         "wire",    "spi:///dev/spidev0.0?hz=800000"),
    Scheme("spi+ftdi", f"{_ROOM}.ftdi_bus",     "SPI",         "wire",    "spi+ftdi://232h/1?hz=100000"),
    Scheme("spi+gpio", f"{_ROOM}.gpio_bus",     "SPI",         "wire",    "spi+gpio:///dev/gpiochip0?sclk=11&sdi=10&sdo=9"),
    Scheme("spi+tcp",  f"{_ROOM}.tcp_bus",      "SPI",         "network", "spi+tcp://127.0.0.1:4942"),
    Scheme("replay",   f"{_ROOM}.replay",       "UART or SPI", "file",    "replay:capture.jsonl"),
    Scheme("record",   f"{_ROOM}.record",       "UART or SPI", "file",    "record:capture.jsonl?of=serial:///dev/ttyUSB0"),
    Scheme("twin",     "wattrail.twin.carrier", "UART or SPI", "twin",    "twin://pziot-e01?scenario=house&seed=7"),
)
# fmt: on

SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType({scheme.name: scheme for scheme in _TABLE})
"""Known schemes by name, in the order in which they are listed to people."""


def open_port(url: str, *, clock: Clock | None = None) -> Port | Bus:
    """Open the port (UART) or bus (SPI) a URL names; close it by ``with`` or ``close()``.

    Its frames are logged if DEBUG is on now for ``wattrail.transport``. Raises UrlError for an unknown scheme or
    option, MissingExtra, PortOpenError.
    """
    return logged(open_unlogged(url, clock=clock))


def open_unlogged(url: str, *, clock: Clock | None = None) -> Port | Bus:
    """As ``open_port``, for a carrier within another, which is logged as a whole."""
    parts = split(url)
    scheme = _scheme(parts)
    return scheme.load().open_carrier(parts, read_options(parts, scheme.options()), clock or SystemClock())


def check_url(url: str) -> str:
    """The URL as it came, once its scheme and every option of it, and of the one inside it, are known to be good.

    Opens nothing. Raises UrlError.
    """
    _innermost(url)
    return url


def require_device(url: str) -> None:
    """Raise PortOpenError if a URL names a device that is not there, as opening it would; opens nothing.

    For callers who ask a person something before they open. Seen through ``record:``; Windows names no files.
    """
    parts = innermost(url)
    # Windows has no file for COM3: whether it is there shows only when it is opened.
    if parts.scheme not in DEVICE_SCHEMES or os.name == "nt":
        return
    path = device_path(parts)
    if not Path(path).exists():
        hint = import_module(_scheme(parts).module).missing_hint()
        raise device_open_error(url, com_name(path), FileNotFoundError(), missing=hint)


def reach(url: str) -> Reach:
    """How the meter of a URL is reached, seen through ``record:``. Raises UrlError.

    Where the URL itself says that a twin is at the other end, that is what is reached.
    """
    scheme, options = _innermost(url)
    return "twin" if options.get(SIMULATED.name) else scheme.reach


def is_physical(url: str) -> bool:
    """Whether opening a URL can touch wires on mains potential. Raises UrlError."""
    return reach(url) == "wire"


def is_wired(url: str) -> bool:
    """The same for the URL of any meter: that of a network meter, which no port has, touches no wire."""
    try:
        return is_physical(url)
    except WattrailError:
        return False


def crosses_network(url: str) -> bool:
    """Whether what a URL carries comes over a network, whoever is at its other end. Raises UrlError."""
    scheme, _ = _innermost(url)
    return scheme.reach == "network"


def _innermost(url: str) -> tuple[Scheme, dict[str, object]]:
    parts = split(url)
    scheme = _scheme(parts)
    options = read_options(parts, scheme.options())
    # The place is checked with the options, so that a slip shows before a person is asked about wires.
    if scheme.name in DEVICE_SCHEMES:
        device_path(parts)
    elif scheme.reach == "network":
        address(parts)
    return _innermost(parts.query[NESTED]) if NESTED in parts.query else (scheme, options)


def _scheme(url: PortUrl) -> Scheme:
    try:
        return SCHEMES[url.scheme]
    except KeyError:
        # Before "unknown": such a URL is right, and stands in the wrong place.
        if url.scheme in NETWORK_SCHEMES:
            raise UrlError(f"{url.text!r} is a meter on a network, not a port that carries bytes") from None
        meant = corrected(url.text)
        hint = f"try {meant}" if meant else f"for example {SCHEMES['serial'].example}"
        if url.scheme in ("http", "https"):
            hint = f"name the firmware behind it: openbeken://{url.host} or tasmota://{url.host}"
        known = ", ".join([*SCHEMES, *sorted(NETWORK_SCHEMES)])
        raise UrlError(f"{url.text!r}: unknown scheme {url.scheme!r}; known: {known}", hint=hint) from None
