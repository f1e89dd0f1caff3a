"""Devices of this machine that may carry a meter, and adapters without a device. Nothing is opened, no chip touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.urls import PortUrl

__all__ = [
    "CHIPS",
    "DeviceCandidate",
    "UsbAdapter",
    "adapter_chip",
    "is_free_port",
    "list_candidates",
    "without_device",
]

SYSFS: Final = Path("/sys/bus/usb/devices")
DEVICES: Final = Path("/dev")
_TTYS: Final = Path("/sys/class/tty")

# What an adapter can do depends on its chip: a CP2102 does not reach 921600 baud, and with a PL2303 the
# link was reported never to come. Source: bk-boot/adapters
CHIPS: Final = {
    (0x10C4, 0xEA60): "CP2102",
    (0x067B, 0x2303): "PL2303",
    (0x067B, 0x23A3): "PL2303",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x5523): "CH340",
    (0x1A86, 0x55D3): "CH343",
    (0x1A86, 0x55D4): "CH9102",
    (0x0403, 0x6001): "FT232",
    (0x0403, 0x6014): "FT232",
    (0x0403, 0x6015): "FT232",
}
"""Serial adapters' chips by the USB vendor and product number. One number may stand for a family."""

_MODULES: Final = {
    "CP2102": "cp210x",
    "PL2303": "pl2303",
    "CH340": "ch341",
    "CH343": "cdc_acm",
    "CH9102": "cdc_acm",
    "FT232": "ftdi_sio",
}
"""The Linux driver of each."""

_USBFS: Final = "usbfs"
"""What sysfs names as the driver of an interface that a program has taken for itself."""


@dataclass(frozen=True, slots=True)
class DeviceCandidate:
    """A device that could carry a meter: the URL to open it by, what it carries (UART or SPI), and what it is."""

    url: str
    carries: str
    description: str


def list_candidates() -> tuple[DeviceCandidate, ...]:
    """Serial adapters, then SPI devices, each sorted by name; none where a library or system knows none."""
    return (*_serial_adapters(), *_spi_devices(DEVICES))


def is_free_port(device: str) -> bool:
    """Whether a serial device has a UART behind it that is not the kernel's console. Linux, from sysfs; elsewhere True.

    A PC has /dev/ttyS0 to ttyS31, with or without hardware. In sysfs ``type`` is 0 for those without (PORT_UNKNOWN).
    """
    folder = _TTYS / Path(device).resolve().name
    # A console has a login behind it: a frame that is sent there is typed into it.
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
        DeviceCandidate(f"spi://{path.as_posix()}", "SPI", "SPI bus {}, chip select {}".format(*_bus_and_select(path)))
        for path in paths
    )


def _bus_and_select(path: Path) -> tuple[str, str]:
    bus, _, select = path.name.removeprefix("spidev").partition(".")
    return bus, select


# ---- USB adapters that are plugged in without a serial device, and why: Linux, from sysfs; elsewhere none


@dataclass(frozen=True, slots=True)
class UsbAdapter:
    """An adapter without a usable device. ``driver`` is what holds it, None if nothing; ``tty`` the kernel's name."""

    chip: str
    vendor: int
    product: int
    driver: str | None = None
    tty: str | None = None

    def words(self) -> str:
        """What is plugged in, why it has no device, and how to fix it."""
        where = f"a {self.chip} ({self.vendor:04x}:{self.product:04x}) is plugged in"
        if self.tty is not None:
            return (
                f"{where} as {self.tty}, and /dev/{self.tty} does not exist here: in a container hand it in "
                f"(docker run --device /dev/{self.tty})"
            )
        # brltty leaves no driver behind but its own claim through usbfs, which is all that sysfs shows of it.
        if self.driver == _USBFS:
            return (
                f"{where}, and another program has taken it, usually brltty, which takes it for a Braille display: "
                "sudo apt remove brltty, then plug it in again"
            )
        if self.driver is None:
            module = _MODULES[self.chip]
            return (
                f"{where}, and no driver holds it: sudo modprobe {module}; if there is no such module, install the "
                "kernel's extra modules (Ubuntu: linux-modules-extra-$(uname -r)); if brltty is installed, it may have "
                "taken the adapter: sudo apt remove brltty, then plug it in again"
            )
        return f"{where}, its driver {self.driver} has made no device: plug it in again, and look at 'dmesg'"


def without_device(*, sysfs: Path | None = None, devices: Path | None = None) -> tuple[UsbAdapter, ...]:
    """Known adapters that are plugged in and have no device of their own. Raises nothing."""
    found = _adapters(sysfs or SYSFS, devices or DEVICES)
    return tuple(sorted(found, key=lambda adapter: (adapter.vendor, adapter.product)))


def _adapters(sysfs: Path, devices: Path) -> Iterator[UsbAdapter]:
    for folder in _entries(sysfs):
        vendor, product = _number(folder / "idVendor"), _number(folder / "idProduct")
        chip = CHIPS.get((vendor, product))
        if chip is None:
            continue
        interfaces = [entry for entry in _entries(sysfs) if entry.name.startswith(f"{folder.name}:")]
        ttys = [tty for interface in interfaces for tty in _ttys(interface)]
        # In a container sysfs is the host's, and /dev is not: the kernel knows a tty there that cannot be opened.
        if any((devices / tty).exists() for tty in ttys):
            continue
        drivers = [name for interface in interfaces if (name := _driver(interface))]
        yield UsbAdapter(chip, vendor, product, next(iter(drivers), None), next(iter(ttys), None))


def _ttys(interface: Path) -> list[str]:
    """Serial drivers make a folder ttyUSB0 in the interface's, modem drivers a folder tty with ttyACM0 in it."""
    names = [entry.name for entry in (*_entries(interface), *_entries(interface / "tty"))]
    return [name for name in names if name.startswith("tty") and name != "tty"]


def _driver(interface: Path) -> str | None:
    try:
        return (interface / "driver").resolve(strict=True).name
    except OSError:
        return None


def _number(path: Path) -> int:
    """A hexadecimal number in a file, -1 where there is none."""
    try:
        return int(path.read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return -1


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
