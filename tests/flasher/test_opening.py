"""A flasher is opened by a URL, or by the name that a system has for a device."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from wattrail import open_flasher
from wattrail.errors import FileError, PortOpenError, UrlError


@pytest.mark.parametrize("device", ["/dev/ttyUSB77", "serial:///dev/ttyUSB77"])
def test_a_plain_device_is_taken_as_the_command_line_takes_it(device: str) -> None:
    with pytest.raises(PortOpenError, match="there is no device /dev/ttyUSB77"):
        open_flasher(device)


def test_what_is_neither_is_refused_with_what_to_write() -> None:
    with pytest.raises(UrlError) as caught:
        open_flasher("ttyUSB77")
    assert caught.value.hint == "try serial:///dev/ttyUSB77"


def test_a_port_is_one_port_whatever_options_its_url_has(tmp_path: Path) -> None:
    controller, device = os.openpty()
    try:
        name = os.ttyname(device)
        with (
            open_flasher(f"serial://{name}?simulated=yes", folder=tmp_path),
            pytest.raises(FileError, match=rf"the port serial://{name} is in use by process {os.getpid()}"),
        ):
            open_flasher(f"serial://{name}?baud=115200")
        open_flasher(f"serial://{name}?baud=115200").close()
    finally:
        os.close(controller)
        os.close(device)


def test_a_bridge_on_the_network_is_told_apart_from_an_adapter() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        open_flasher(f"tcp://127.0.0.1:{server.getsockname()[1]}") as flasher,
    ):
        assert flasher.statistics.network, "a bridge that drops has other causes than a USB cable"
