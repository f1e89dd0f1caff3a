from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import serialx

from wattrail.transport import SCHEMES, discovery, open_port
from wattrail.transport.discovery import DeviceCandidate, adapter_chip, list_candidates
from wattrail.transport.serial_port import missing_hint
from wattrail.urls import read_options, split

GUIDE = Path(__file__).parents[2] / "docs" / "transports.md"


def adapter(device: str, resolved: str, manufacturer: str | None = None, product: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(device=device, resolved_device=resolved, manufacturer=manufacturer, product=product)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with two adapters and two SPI devices."""
    ports = [
        adapter("/dev/ttyS0", "/dev/ttyS0"),
        adapter("/dev/serial/by-id/usb-1a86", "/dev/ttyUSB0", "QinHeng", "USB Serial"),
    ]
    monkeypatch.setattr(serialx, "list_serial_ports", lambda: ports)
    monkeypatch.setattr(discovery, "DEVICES", tmp_path)
    monkeypatch.setattr(discovery, "_TTYS", tmp_path / "tty")
    for name in ("spidev0.1", "spidev0.0", "spidev"):
        (tmp_path / name).touch()
    return tmp_path


def test_adapters_and_buses_are_listed_with_the_url_to_use(machine: Path) -> None:
    assert list_candidates() == (
        DeviceCandidate("serial:///dev/serial/by-id/usb-1a86", "UART", "QinHeng USB Serial (/dev/ttyUSB0)"),
        DeviceCandidate("serial:///dev/ttyS0", "UART", "serial port"),
        DeviceCandidate(f"spi://{machine}/spidev0.0", "SPI", "SPI bus 0, chip select 0"),
        DeviceCandidate(f"spi://{machine}/spidev0.1", "SPI", "SPI bus 0, chip select 1"),
    )


@pytest.mark.parametrize(
    ("attribute", "content", "listed"),
    [("type", "0", False), ("type", "4", True), ("console", "Y", False), ("console", "N", True)],
)
def test_a_console_or_a_port_without_hardware_is_not_a_candidate(
    machine: Path, attribute: str, content: str, listed: bool
) -> None:
    folder = machine / "tty" / "ttyS0"
    folder.mkdir(parents=True)
    (folder / attribute).write_text(f"{content}\n", encoding="ascii")
    assert ("serial:///dev/ttyS0" in [found.url for found in list_candidates()]) is listed
    assert ("/dev/ttyS0" in missing_hint()) is listed


@pytest.mark.parametrize(
    ("vid", "pid", "chip"),
    [(0x10C4, 0xEA60, "CP2102"), (0x1A86, 0x7523, "CH340"), (0x1234, 1, None), (None, None, None)],
)
def test_the_chip_of_an_adapter_is_known_by_its_usb_numbers(
    monkeypatch: pytest.MonkeyPatch, vid: int | None, pid: int | None, chip: str | None
) -> None:
    port = SimpleNamespace(device="/dev/serial/by-id/x", resolved_device="/dev/ttyUSB0", vid=vid, pid=pid)
    monkeypatch.setattr(serialx, "list_serial_ports", lambda: [port])
    assert adapter_chip(split("serial:///dev/ttyUSB0")) == chip
    assert adapter_chip(split("serial:///dev/serial/by-id/x?baud=9600")) == chip
    assert adapter_chip(split("serial:///dev/ttyUSB1")) is None
    assert adapter_chip(split("tcp://127.0.0.1:1")) is None


def test_a_windows_name_becomes_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialx, "list_serial_ports", lambda: [adapter("COM3", "COM3", None, "CH340")])
    assert list_candidates()[0] == DeviceCandidate("serial:///COM3", "UART", "CH340")


@pytest.mark.usefixtures("machine")
def test_looking_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a device was opened")

    for place, name in ((builtins, "open"), (serialx.Serial, "open"), (Path, "open")):
        monkeypatch.setattr(place, name, refuse)
    assert len(list_candidates()) == 4


def test_without_libraries_and_devices_there_is_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "serialx", None)
    monkeypatch.setattr(discovery, "DEVICES", tmp_path / "none")
    assert list_candidates() == ()


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "twin"])
def test_every_scheme_understands_its_own_example(name: str) -> None:
    url = split(SCHEMES[name].example)
    assert read_options(url, SCHEMES[name].load().OPTIONS)


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "twin"])
def test_every_scheme_has_a_section_with_all_options_and_examples(name: str) -> None:
    _, _, rest = GUIDE.read_text(encoding="utf-8").partition(f"\n## {name}: ")
    section = rest.partition("\n## ")[0]
    examples = [line for line in section.splitlines() if line.startswith(f"{name}:")]
    assert examples
    options = SCHEMES[name].load().OPTIONS
    for example in examples:
        read_options(split(example), options)
    assert [option.name for option in options if f"`{option.name}`" not in section] == []


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown scheme 'usb'; known: serial, tcp, rfc2217"):
        open_port("usb://x")


def test_no_scheme_loads_its_library_before_it_opens() -> None:
    modules = [scheme.module for scheme in SCHEMES.values() if scheme.name != "twin"]
    program = (
        "import sys, importlib\n"
        f"for name in {[*modules, 'wattrail.transport.discovery']!r}: importlib.import_module(name)\n"
        "print(sorted({'serialx', 'spidev', 'pyftdi', 'gpiod', 'usb'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
