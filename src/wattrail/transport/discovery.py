"""Devices of this machine that may carry a meter. Lists names only: nothing is opened, no chip is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.transport.usb_adapters import CHIPS
from wattrail.urls import PortUrl

__all__ = ["DeviceCandidate", "adapter_chip", "is_free_port", "list_candidates"]

_DEVICES: Final = Path("/dev")
_TTYS: Final = Path("/sys/class/tty")


@dataclass(frozen=True, slots=True)
class DeviceCandidate:
    """A device that could carry a meter: the URL to open it by, what it carries (UART or SPI), and what it is."""

    url: str
    carries: str
    description: str


def list_candidates() -> tuple[DeviceCandidate, ...]:
    """Serial adapters, then SPI devices, each sorted by name; none where a library or system knows none."""
    return (*_serial_adapters(), *_spi_devices(_DEVICES))


def is_free_port(device: str) -> bool:
    """Whether a serial device has a UART behind it that is not the kernel's console. Linux, from sysfs; elsewhere True.

    A PC has /dev/ttyS0 to ttyS31, with or without hardware. In sysfs ``type`` is 0 for those without (PORT_UNKNOWN).
    """
    folder = _TTYS / Path(device).resolve().name
    return _content(folder / "type") != "0" and _content(folder / "console") != "Y"


def adapter_chip(url: PortUrl) -> str | None:
    """The chip of the serial adapter a URL names, as its USB reports it; None for any other, or one not listed."""
    if url.scheme != "serial":
        return None
    try:
        from serialx import list_serial_ports
    except ImportError:
        return None
    wanted = {url.path, url.path.removeprefix("/")}
    for port in list_serial_ports():
        if wanted & {port.device, port.resolved_device} and port.vid is not None and port.pid is not None:
            return CHIPS.get((port.vid, port.pid))
    return None


def _serial_adapters() -> tuple[DeviceCandidate, ...]:
    try:
        from serialx import list_serial_ports
    except ImportError:
        return ()
    found = []
    for port in list_serial_ports():
        if not is_free_port(port.device):
            continue
        # Windows names are bare (COM3); everywhere else a device is a path.
        path = port.device if port.device.startswith("/") else f"/{port.device}"
        words = [port.manufacturer or "", port.product or "serial port"]
        if port.resolved_device != port.device:
            words.append(f"({port.resolved_device})")
        found.append(DeviceCandidate(f"serial://{path}", "UART", " ".join(filter(None, words))))
    return tuple(sorted(found, key=lambda candidate: candidate.url))


def _content(path: Path) -> str | None:
    """The text of a file of sysfs, None where there is none."""
    try:
        return path.read_text(encoding="ascii").strip() if path.exists() else None
    except OSError:
        return None


def _spi_devices(folder: Path) -> tuple[DeviceCandidate, ...]:
    paths = sorted(folder.glob("spidev*.*")) if folder.is_dir() else []
    return tuple(
        DeviceCandidate(f"spi://{path.as_posix()}", "SPI", "SPI bus {}, chip select {}".format(*_numbers(path)))
        for path in paths
    )


def _numbers(path: Path) -> tuple[str, str]:
    bus, _, select = path.name.removeprefix("spidev").partition(".")
    return bus, select
