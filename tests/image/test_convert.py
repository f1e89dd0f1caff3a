"""From any kind to any other and back, byte for byte."""

from __future__ import annotations

import pytest

from tests.image.boards import Board, damaged, uf2
from wattrail.errors import ImageError
from wattrail.image import (
    TUYA_KEY,
    ZERO_KEY,
    Chip,
    ImageKind,
    OutputKind,
    Recipe,
    convert,
    crypt,
    open_ota,
    recognise,
    unpack,
)


@pytest.mark.parametrize("chip", Chip, ids=lambda chip: chip.value)
@pytest.mark.parametrize("source", ["ua", "qio", "dump", "rotated"])
def test_the_code_comes_out_of_every_kind_of_every_chip(chip: Chip, source: str) -> None:
    board = Board(chip)
    assert convert(recognise(getattr(board, source)), OutputKind.PLAIN) == board.code


@pytest.mark.parametrize("source", ["qio", "dump", "rotated"])
def test_what_lies_in_flash_is_copied_byte_for_byte(n: Board, source: str) -> None:
    image = recognise(getattr(n, source))
    assert convert(image, OutputKind.UA) == n.ua
    assert convert(image, OutputKind.QIO) == n.qio
    assert convert(image, OutputKind.BOOTLOADER) == n.loader


def test_a_rotated_dump_is_straightened(t: Board) -> None:
    assert convert(recognise(t.rotated), OutputKind.DUMP) == t.dump


def test_plain_code_becomes_what_was_taken_apart(n: Board) -> None:
    plain = recognise(convert(recognise(n.qio), OutputKind.PLAIN))
    recipe = Recipe(key=TUYA_KEY, bootloader=n.loader, version="1.2.3", timestamp=86400)
    assert convert(plain, OutputKind.QIO, recipe) == n.qio
    assert convert(plain, OutputKind.UA, recipe) == n.ua
    packed = convert(plain, OutputKind.PACKED, recipe)
    assert crypt(unpack(packed), TUYA_KEY, 0x10000) == n.code
    assert convert(recognise(packed), OutputKind.PLAIN) == n.code
    assert convert(recognise(n.dump), OutputKind.PACKED) == packed


@pytest.mark.parametrize("to", [OutputKind.RBL, OutputKind.UG])
def test_an_update_goes_there_and_back(n: Board, to: OutputKind) -> None:
    made = recognise(convert(recognise(n.dump), to, Recipe(version="2.0")))
    assert (made.kind.name, made.problems) == (to.name, ())
    assert convert(made, OutputKind.PLAIN) == n.code
    assert convert(made, OutputKind.UA, Recipe(key=TUYA_KEY, version="1.2.3", timestamp=86400)) == n.ua
    assert open_ota(convert(made, OutputKind.RBL))[0].version == "2.0"
    assert convert(made, to) == made.data


def test_the_same_code_gives_the_same_update_every_time(n: Board) -> None:
    recipe = Recipe(version="2.0")  # without one, the header names the chip, which only the QIO image tells
    assert convert(recognise(n.ua), OutputKind.RBL, recipe) == convert(recognise(n.qio), OutputKind.RBL, recipe)


def test_code_can_change_to_a_chip_without_a_key(n: Board) -> None:
    plain = recognise(convert(recognise(n.ua), OutputKind.PLAIN))
    m = recognise(convert(plain, OutputKind.UA, Recipe(key=ZERO_KEY)))
    assert (m.kind, m.key, m.problems) == (ImageKind.UA, ZERO_KEY, ())
    assert convert(m, OutputKind.PLAIN) == n.code


def test_enciphered_code_without_crcs_is_deciphered_where_it_belongs(n: Board) -> None:
    loader = crypt(unpack(n.loader), TUYA_KEY, 0)
    for code, address in ((n.code, 0x10000), (loader, 0)):
        assert convert(recognise(crypt(code, TUYA_KEY, address)), OutputKind.PLAIN) == code


def test_a_key_that_nothing_tells_must_be_said(n: Board) -> None:
    with pytest.raises(ImageError, match="nothing in this plain code says which code key") as got:
        convert(recognise(n.code), OutputKind.UA)
    assert str(got.value.hint).startswith("give the code key: tuya for")


def test_an_app_alone_has_no_bootloader(n: Board) -> None:
    with pytest.raises(ImageError, match="no whole bootloader in this UA image") as got:
        convert(recognise(n.ua), OutputKind.QIO)
    assert str(got.value.hint).startswith("give a file that has one: a dump or")
    assert convert(recognise(n.ua), OutputKind.QIO, Recipe(bootloader=n.loader)) == n.qio


def test_nothing_but_a_dump_becomes_a_dump(n: Board) -> None:
    with pytest.raises(ImageError, match="there is no whole flash in this QIO image"):
        convert(recognise(n.qio), OutputKind.DUMP)


@pytest.mark.parametrize("to", [OutputKind.PLAIN, OutputKind.UA, OutputKind.QIO, OutputKind.PACKED, OutputKind.RBL])
def test_damaged_code_is_not_passed_on(n: Board, to: OutputKind) -> None:
    with pytest.raises(ImageError, match=r"block \d+ at 0x[0-9a-f]+: CRC-16 is"):
        convert(recognise(damaged(n.qio, 0x20000)), to)


def test_code_that_is_not_what_its_header_was_made_for_is_not_passed_on(n: Board) -> None:
    other = Board(Chip.N, seed=2)
    swapped = other.ua[: 34 * 100] + n.ua[34 * 100 :]
    with pytest.raises(ImageError, match="RBL of app: package CRC-32"):
        convert(recognise(swapped), OutputKind.PLAIN)


def test_a_damaged_bootloader_is_not_passed_on(n: Board) -> None:
    with pytest.raises(ImageError, match="block 240 at 0x1fe0"):
        convert(recognise(damaged(n.dump, 0x2000)), OutputKind.QIO)


@pytest.mark.parametrize("data", [uf2(3), b"", b"hello" * 100])
def test_what_holds_no_app_says_so(data: bytes) -> None:
    for to in OutputKind:
        with pytest.raises(ImageError, match=r"there is no (app|whole bootloader|whole flash) in this"):
            convert(recognise(data), to)
