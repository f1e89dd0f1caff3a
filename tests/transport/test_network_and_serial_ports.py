from __future__ import annotations

import sys
import termios
from types import SimpleNamespace

import pytest
import serialx
from transport_rigs import Adapter, listening, rfc2217_far_end, tcp_far_end, terminal

from wattrail.errors import MissingExtra, PortError, PortOpenError, UrlError
from wattrail.extras import install_command
from wattrail.transport import Port, open_port
from wattrail.transport.serial_port import prepare
from wattrail.urls import split


def opened(url: str) -> Port:
    port = open_port(url)
    assert isinstance(port, Port)
    return port


def test_a_missing_adapter_lists_the_adapters_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialx, "list_serial_ports", lambda: [SimpleNamespace(device="/dev/ttyACM7")])
    with pytest.raises(PortOpenError, match="there is no device /dev/ttyUSB99") as caught:
        open_port("serial:///dev/ttyUSB99")
    assert caught.value.hint == "serial devices here: /dev/ttyACM7"


def test_no_adapter_at_all_points_at_the_cable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialx, "list_serial_ports", list)
    with pytest.raises(PortOpenError) as caught:
        open_port("serial:///dev/ttyUSB99")
    assert caught.value.hint == "no serial device is plugged in: check the USB cable"


def test_an_adapter_belongs_to_one_program_at_a_time() -> None:
    with terminal() as (_, device):
        with opened(f"serial://{device}"), pytest.raises(PortOpenError, match="in use by another program"):
            open_port(f"serial://{device}")
        opened(f"serial://{device}").close()


def test_a_file_that_is_not_a_serial_device_is_told_apart() -> None:
    with pytest.raises(PortOpenError, match="/dev/null does not open"):
        open_port("serial:///dev/null")


def test_the_rate_reaches_the_device_and_can_be_changed() -> None:
    with terminal() as (far, device), opened(f"serial://{device}?baud=9600") as port:
        assert termios.tcgetattr(far)[4] == termios.B9600
        port.set_baud(38400)
        assert termios.tcgetattr(far)[4] == termios.B38400


def test_two_slashes_too_few_are_pointed_out() -> None:
    with pytest.raises(UrlError) as caught:
        open_port("serial://ttyUSB0")
    assert caught.value.hint == "a device follows three slashes: try serial:///dev/ttyUSB0"


@pytest.mark.parametrize("url", ["tcp://host", "tcp://:80", "rfc2217://host", "spi+tcp://host:1/path"])
def test_a_network_port_needs_host_and_port_and_nothing_more(url: str) -> None:
    with pytest.raises(UrlError, match="is not host and port"):
        open_port(url)


def test_a_windows_name_loses_its_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(serialx, "serial_for_url", lambda target, **options: asked.append(target) or _Unopenable())
    with pytest.raises(PortOpenError, match="in use"):
        open_port("serial:///COM3")
    assert asked == ["COM3"]


class _Unopenable:
    def open(self) -> None:
        raise OSError(16, "busy")


def test_a_missing_library_names_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serialx", None)
    with pytest.raises(MissingExtra) as caught:
        open_port("serial:///dev/ttyUSB0")
    assert caught.value.hint == install_command("serialx", "serial")


@pytest.mark.parametrize("scheme", ["tcp", "rfc2217", "spi+tcp"])
def test_a_refused_connection_says_that_nothing_listens(scheme: str) -> None:
    with listening() as (_, free):
        pass
    with pytest.raises(PortOpenError, match="cannot connect") as caught:
        open_port(f"{scheme}://127.0.0.1:{free}")
    assert caught.value.hint is not None
    assert "nothing listens there" in caught.value.hint


def test_raw_tcp_points_at_rfc2217_for_what_it_cannot_do() -> None:
    with tcp_far_end((), False) as (url, _), opened(url) as port:
        for refused in (lambda: port.set_baud(9600), lambda: port.set_lines(dtr=True)):
            with pytest.raises(PortError) as caught:
                refused()
            assert caught.value.hint is not None
            assert "rfc2217://" in caught.value.hint


def test_a_remote_adapter_takes_rate_and_lines() -> None:
    adapter = Adapter()
    with rfc2217_far_end((), False, adapter) as (url, _), opened(url) as port:
        assert adapter.baudrate == 4800
        port.set_baud(38400)
        port.set_lines(dtr=True, rts=False)
        assert (adapter.baudrate, adapter.dtr, adapter.rts) == (38400, True, False)


def test_a_server_of_raw_bytes_is_not_a_remote_adapter() -> None:
    with tcp_far_end((), False) as (url, _):
        port = split(url).port
        with pytest.raises(PortOpenError, match="no RFC 2217 answer") as caught:
            open_port(f"rfc2217://127.0.0.1:{port}?connect_timeout_s=0.03")
        assert caught.value.hint == f"a server of raw bytes is opened by tcp://127.0.0.1:{port}"


def test_an_ipv6_address_reaches_the_library_in_brackets() -> None:
    assert prepare("rfc2217://[::1]:2217", {"baud": 4800, "parity": "none"}, "rfc2217://[::1]:2217")._host == "::1"
