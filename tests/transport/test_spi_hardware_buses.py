from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from library_stubs import install_ftdi, install_gpiod, install_spidev
from transport_rigs import FRAME, BitChip, ByteChip, answer_of, soon

from wattrail.clock import ManualClock
from wattrail.errors import MissingExtra, PortLost, PortOpenError, UrlError
from wattrail.extras import install_command
from wattrail.transport import Bus, open_port
from wattrail.transport.gpio_bus import BitBang, GpioPins

GPIO = "spi+gpio:///dev/gpiochip0?sclk=11&sdi=10&sdo=9"


def opened(url: str) -> Bus:
    bus = open_port(url, clock=ManualClock())
    assert isinstance(bus, Bus)
    return bus


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("spi:///dev/spidev0.0", "spidev", "spi"),
        ("spi+ftdi://232h/1", "pyftdi.spi", "ftdi"),
        (GPIO, "gpiod", "spi"),
    ],
)
def test_a_missing_library_names_its_install_command(
    monkeypatch: pytest.MonkeyPatch, url: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra) as caught:
        open_port(url)
    assert caught.value.hint == install_command(library, extra)


def test_the_kernels_device_runs_in_mode_1_at_800_khz(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = install_spidev(monkeypatch, chip := ByteChip())
    with opened("spi:///dev/spidev0.0") as bus:
        bus.transfer(FRAME, soon())
    assert chip.settings == {(1, 800_000)}
    assert (devices[0].path, devices[0].bits_per_word, devices[0].no_cs) == ("/dev/spidev0.0", 8, False)
    assert devices[0].closed


def test_three_wires_leave_chip_select_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = install_spidev(monkeypatch, ByteChip())
    with opened("spi:///dev/spidev0.0?cs=no"):
        assert devices[0].no_cs


def test_a_controller_that_cannot_leave_chip_select_alone_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = install_spidev(monkeypatch, ByteChip(), no_cs=OSError(errno.EINVAL, "Invalid argument"))
    with pytest.raises(PortOpenError, match="cannot leave chip select alone") as caught:
        open_port("spi:///dev/spidev0.0?cs=no")
    assert caught.value.hint is not None
    assert "leave out cs=no" in caught.value.hint
    assert devices[0].closed


def test_the_chips_fastest_clock_is_the_limit() -> None:
    with pytest.raises(UrlError, match="hz='1000000' does not fit: must be from 1000 to 900000"):
        open_port("spi:///dev/spidev0.0?hz=1000000")


def test_spi_that_is_not_enabled_says_how_to_enable_it(monkeypatch: pytest.MonkeyPatch) -> None:
    install_spidev(monkeypatch, ByteChip(), open=FileNotFoundError(errno.ENOENT, "No such file or directory"))
    with pytest.raises(PortOpenError, match="there is no device /dev/spidev0") as caught:
        open_port("spi:///dev/spidev0.0")
    assert caught.value.hint is not None
    assert "raspi-config" in caught.value.hint
    assert "dtparam=spi=on" in caught.value.hint


def test_a_forbidden_spi_device_names_its_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (device := tmp_path / "spidev0.0").touch()
    install_spidev(monkeypatch, ByteChip(), open=PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(PortOpenError) as caught:
        open_port(f"spi://{device}")
    assert caught.value.hint is not None
    assert f"usermod -aG {device.group()}" in caught.value.hint


def test_a_device_that_fails_in_use_is_a_lost_port(monkeypatch: pytest.MonkeyPatch) -> None:
    install_spidev(monkeypatch, ByteChip(), xfer=OSError(errno.ESHUTDOWN, "Cannot send"))
    with opened("spi:///dev/spidev0.0") as bus, pytest.raises(PortLost, match="Cannot send"):
        bus.transfer(FRAME, soon())


def test_an_ftdi_adapter_runs_mode_1_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    controllers = install_ftdi(monkeypatch, ByteChip())
    with opened("spi+ftdi://2232h/2?cs=1&serial=FT1234"):
        pass
    assert controllers[0].calls == [
        ("ftdi://ftdi:2232h:FT1234/2", {"cs_count": 2, "frequency": 100_000.0}),
        ("port", {"cs": 1, "freq": 100_000.0, "mode": 1}),
        ("close", {}),
    ]


def test_an_ftdi_chip_without_the_workaround_is_refused() -> None:
    with pytest.raises(UrlError, match="known chips: 232h, 2232h, 4232h"):
        open_port("spi+ftdi://232r/1")


def test_an_ftdi_adapter_that_is_not_there_points_at_plug_and_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    install_ftdi(monkeypatch, ByteChip(), configure=OSError("No USB device matches"))
    with pytest.raises(PortOpenError, match="No USB device matches") as caught:
        open_port("spi+ftdi://232h/1")
    assert caught.value.hint is not None
    assert "0403" in caught.value.hint


def test_an_ftdi_adapter_pulled_out_is_a_lost_port(monkeypatch: pytest.MonkeyPatch) -> None:
    install_ftdi(monkeypatch, ByteChip(), exchange=OSError("USB device gone"))
    with opened("spi+ftdi://232h/1") as bus, pytest.raises(PortLost, match="USB device gone"):
        bus.transfer(FRAME, soon())


def test_pyftdis_spi_port_takes_the_arguments_we_give() -> None:
    from inspect import signature

    from pyftdi.spi import SpiController, SpiPort

    signature(SpiController.configure).bind(None, "ftdi://ftdi:232h/1", cs_count=1, frequency=1e5)
    signature(SpiController.get_port).bind(None, cs=0, freq=1e5, mode=1)
    signature(SpiPort.exchange).bind(None, b"x", duplex=True)


def test_bits_by_hand_speak_mode_1_to_the_edge() -> None:
    chip = BitChip(cs=8)
    got = BitBang(chip, GpioPins(sclk=11, sdi=10, sdo=9, cs=8), pause=lambda: None).transfer(FRAME)
    assert got == answer_of(FRAME)
    assert chip.taken_bytes == FRAME
    assert chip.levels[11] is False, "the clock idles low"
    assert chip.edges[0] == (8, False), "selected before the first edge"
    assert chip.edges[-1] == (8, True), "released after the last"


def test_every_half_period_lasts_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpiod(monkeypatch, BitChip())
    with opened(GPIO + "&half_period_us=10") as bus:
        bus.transfer(FRAME, soon())
        assert bus.clock.monotonic() == pytest.approx(48 * 2 * 10e-6)


def test_two_halves_of_a_frame_need_no_select_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpiod(monkeypatch, chip := BitChip())
    with opened(GPIO) as bus:
        assert bus.transfer(FRAME[:2], soon()) + bus.transfer(FRAME[2:], soon()) == answer_of(FRAME)
    assert chip.taken_bytes == FRAME


def test_the_lines_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = install_gpiod(monkeypatch, BitChip())
    opened(GPIO).close()
    assert requests[0].released


def test_busy_lines_name_who_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpiod(monkeypatch, BitChip(), used_by="spi0 CS0")
    with pytest.raises(PortOpenError, match="cannot be requested") as caught:
        open_port(GPIO)
    assert caught.value.hint == "line 11 is used by spi0 CS0"


def test_a_missing_gpio_chip_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpiod(monkeypatch, BitChip())
    with pytest.raises(PortOpenError, match="there is no device /dev/gpiochip9") as caught:
        open_port(GPIO.replace("chip0", "chip9"))
    assert caught.value.hint == "'ls /dev/gpiochip*' lists what exists"


@pytest.mark.parametrize(
    ("query", "complaint"),
    [("sclk=11&sdi=10", "option sdo is missing"), ("sclk=11&sdi=10&sdo=11", "two pins of the chip on one GPIO line")],
)
def test_pins_are_named_once_each(query: str, complaint: str) -> None:
    with pytest.raises(UrlError, match=complaint):
        open_port(f"spi+gpio:///dev/gpiochip0?{query}")
