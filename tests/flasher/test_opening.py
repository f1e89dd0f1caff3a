"""A flasher is opened by a URL, or by the name that a system has for a device."""

from __future__ import annotations

import pytest

from wattrail import open_flasher
from wattrail.errors import PortOpenError, UrlError


@pytest.mark.parametrize("device", ["/dev/ttyUSB77", "serial:///dev/ttyUSB77"])
def test_a_plain_device_is_taken_as_the_command_line_takes_it(device: str) -> None:
    with pytest.raises(PortOpenError, match="there is no device /dev/ttyUSB77"):
        open_flasher(device)


def test_what_is_neither_is_told_what_to_write() -> None:
    with pytest.raises(UrlError) as caught:
        open_flasher("ttyUSB77")
    assert caught.value.hint == "try serial:///dev/ttyUSB77"
