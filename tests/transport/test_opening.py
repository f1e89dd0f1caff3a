from __future__ import annotations

import errno
from pathlib import Path

import pytest

from wattrail.errors import PortOpenError
from wattrail.transport.carrier import address_open_error, device_open_error


def explain(path: str, number: int) -> PortOpenError:
    return device_open_error(f"serial://{path}", path, OSError(number, "as the system says"), missing="plug it in")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV, errno.ENXIO])
def test_a_device_that_is_not_there_gets_the_callers_hint(number: int) -> None:
    error = explain("/dev/ttyUSB0", number)
    assert "there is no device /dev/ttyUSB0" in str(error)
    assert error.hint == "plug it in"


def test_a_device_of_another_group_names_the_group_and_the_command(tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch()
    error = explain(str(device), errno.EACCES)
    assert "no permission" in str(error)
    assert error.hint is not None
    assert f"sudo usermod -aG {device.group()} $USER, then log in again" in error.hint


def test_a_group_nobody_can_name_still_gets_a_hint() -> None:
    assert (
        explain("/nowhere/ttyUSB0", errno.EACCES).hint
        == "ask the system's administrator for access to /nowhere/ttyUSB0"
    )


def test_a_busy_device_says_how_to_find_who_holds_it() -> None:
    error = explain("/dev/ttyUSB0", errno.EBUSY)
    assert "in use by another program" in str(error)
    assert error.hint is not None
    assert "fuser -v /dev/ttyUSB0" in error.hint


def test_windows_says_permission_where_it_means_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.transport.carrier.os.name", "nt")
    assert "in use by another program" in str(explain("COM3", errno.EACCES))


def test_anything_else_is_reported_in_the_systems_words() -> None:
    assert "as the system says" in str(explain("/dev/ttyUSB0", errno.EIO))


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "nothing listens there"),
        (TimeoutError("timed out"), "the host does not answer"),
    ],
)
def test_an_address_that_does_not_answer_gets_its_own_hint(error: OSError, hint: str) -> None:
    told = address_open_error("tcp://192.0.2.1:1", error)
    assert "cannot connect" in str(told)
    assert told.hint is not None
    assert hint in told.hint
