"""USB serial adapters that are plugged in and give no device: each is named with its reason.

The folders are laid out as the Linux kernel does in /sys/bus/usb/devices (Documentation/ABI/stable/sysfs-bus-usb).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail.transport.discovery import CHIPS, without_device

CH340, CP2102, MOUSE = (0x1A86, 0x7523), (0x10C4, 0xEA60), (0x046D, 0xC077)


class Usb:
    """A machine's USB as sysfs shows it, and its /dev."""

    def __init__(self, folder: Path) -> None:
        self.sysfs, self.devices, self._drivers = folder / "devices", folder / "dev", folder / "drivers"
        for made in (self.sysfs, self.devices, self._drivers):
            made.mkdir()

    def plug(
        self, name: str, ids: tuple[int, int], *, driver: str | None = None, tty: str | None = None, node: bool = True
    ) -> None:
        device, interface = self.sysfs / name, self.sysfs / f"{name}:1.0"
        device.mkdir()
        interface.mkdir()
        (device / "idVendor").write_text(f"{ids[0]:04x}\n")
        (device / "idProduct").write_text(f"{ids[1]:04x}\n")
        if driver:
            (self._drivers / driver).mkdir(exist_ok=True)
            (interface / "driver").symlink_to(self._drivers / driver)
        if tty:
            (interface / ("tty/" if tty.startswith("ttyACM") else "") / tty).mkdir(parents=True)
            if node:
                (self.devices / tty).touch()

    def descriptions(self) -> list[str]:
        return [adapter.words() for adapter in without_device(sysfs=self.sysfs, devices=self.devices)]


@pytest.fixture
def usb(tmp_path: Path) -> Usb:
    return Usb(tmp_path)


@pytest.mark.parametrize(("driver", "tty"), [("ch341", "ttyUSB0"), ("cdc_acm", "ttyACM0")])
def test_an_adapter_with_its_device_needs_no_word(usb: Usb, driver: str, tty: str) -> None:
    usb.plug("1-1.2", CH340, driver=driver, tty=tty)
    assert usb.descriptions() == []


def test_an_adapter_that_brltty_has_taken_is_reported_as_taken(usb: Usb) -> None:
    usb.plug("1-1", CH340, driver="usbfs")
    (said,) = usb.descriptions()
    assert said.startswith("a CH340 (1a86:7523) is plugged in, and another program has taken it, usually brltty")
    assert "sudo apt remove brltty" in said


def test_an_adapter_without_a_driver_names_its_module(usb: Usb) -> None:
    usb.plug("3-2", CP2102)
    (said,) = usb.descriptions()
    assert "no driver holds it: sudo modprobe cp210x" in said


def test_a_device_that_a_container_does_not_have_is_reported_as_such(usb: Usb) -> None:
    usb.plug("1-1", CH340, driver="ch341", tty="ttyUSB0", node=False)
    (said,) = usb.descriptions()
    assert "/dev/ttyUSB0 does not exist here: in a container hand it in (docker run --device /dev/ttyUSB0)" in said


def test_a_driver_that_made_no_device_is_named(usb: Usb) -> None:
    usb.plug("1-1", CH340, driver="ch341")
    assert "its driver ch341 has made no device" in usb.descriptions()[0]


def test_other_usb_devices_and_hubs_are_passed_over(usb: Usb) -> None:
    usb.plug("1-3", MOUSE, driver="usbhid")
    (usb.sysfs / "usb1").mkdir()
    (usb.sysfs / "1-9").mkdir()
    (usb.sysfs / "1-9" / "idVendor").write_bytes(b"\xff\xfe")
    assert usb.descriptions() == []


def test_two_of_a_kind_are_told_apart_from_one_that_works(usb: Usb) -> None:
    usb.plug("1-1", CH340, driver="ch341", tty="ttyUSB0")
    usb.plug("1-1.1", CH340)
    assert len(usb.descriptions()) == 1


def test_a_system_without_sysfs_tells_nothing(tmp_path: Path) -> None:
    assert without_device(sysfs=tmp_path / "none", devices=tmp_path) == ()


@pytest.mark.parametrize("ids", CHIPS)
def test_every_listed_chip_has_words(usb: Usb, ids: tuple[int, int]) -> None:
    usb.plug("1-1", ids)
    assert "modprobe" in usb.descriptions()[0]


def test_a_missing_port_says_which_adapter_gives_none(usb: Usb, monkeypatch: pytest.MonkeyPatch) -> None:
    from wattrail.errors import PortOpenError
    from wattrail.transport import open_port

    usb.plug("1-1", CH340, driver="usbfs")
    monkeypatch.setattr("wattrail.transport.discovery.SYSFS", usb.sysfs)
    with pytest.raises(PortOpenError, match="there is no device") as caught:
        open_port("serial:///dev/ttyUSB77")
    assert "usually brltty" in str(caught.value.hint)


def test_without_any_port_the_hidden_adapters_are_named(usb: Usb, monkeypatch: pytest.MonkeyPatch) -> None:
    from wattrail.app.plan import plan_service
    from wattrail.cli.run import demo_notice

    usb.plug("1-1", CP2102)
    monkeypatch.setattr("wattrail.transport.discovery.SYSFS", usb.sysfs)
    monkeypatch.setattr("wattrail.app.plan.list_candidates", tuple)
    demo = plan_service().demo
    assert demo is not None
    notice = demo_notice(demo)
    assert "No port of this machine" in notice
    assert "a CP2102 (10c4:ea60) is plugged in, and no driver holds it" in notice
