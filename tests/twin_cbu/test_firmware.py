"""A firmware file finds its place in flash, and its chip, or is refused with what to do instead."""

from __future__ import annotations

import struct

import pytest

from tests.twin_cbu.test_machine import HELLO
from wattrail.bk7231 import APP_START
from wattrail.errors import ImageError
from wattrail.image.code import TUYA_KEY, ZERO_KEY, CodeKey, crypt, pack
from wattrail.twin.cbu.firmware import load_firmware

VECTORS = (0xEA000006,) * 8
"""Branches behind the vectors, by which code is recognised."""


def app(key: CodeKey) -> bytes:
    words = (*VECTORS, *HELLO)
    code = struct.pack(f"<{len(words)}I", *words).ljust(64 * 32, b"\0")
    return pack(crypt(code, key, 0x10000))


def test_an_app_alone_begins_at_its_own_address() -> None:
    loaded = load_firmware(app(TUYA_KEY), chip="N")

    assert (loaded.chip, loaded.start) == ("N", 0x10000)
    assert loaded.flash[:APP_START] == b"\xff" * APP_START
    assert loaded.flash[APP_START : APP_START + 34] == app(TUYA_KEY)[:34]
    assert len(loaded.flash) == 1 << 21
    assert "no bootloader" in loaded.notes[-1]


def test_code_for_another_key_is_refused_with_the_chips_that_have_it() -> None:
    with pytest.raises(ImageError, match="execute noise") as caught:
        load_firmware(app(TUYA_KEY), chip="M")
    assert caught.value.hint == "choose a chip with that key: BK7231N, BK7231T"

    plain = b"\xff" * APP_START + app(ZERO_KEY)
    assert load_firmware(plain, chip="M").start == 0x10000


def test_what_is_not_firmware_is_refused_by_its_kind() -> None:
    with pytest.raises(ImageError, match="unknown file: the emulator runs images of flash"):
        load_firmware(bytes(range(256)) * 40)
    with pytest.raises(ImageError, match="blank file"):
        load_firmware(b"\xff" * 4096)
