"""UF2 files as LibreTiny and ESPHome build them: what they put into flash, and for which chip."""

from __future__ import annotations

import struct

import pytest

from tests.image.boards import Board, libretiny_uf2, uf2
from wattrail.errors import ImageError
from wattrail.image import Chip, ImageKind, OutputKind, Recipe, as_flash_image, code_key, convert, recognise

OF_T, OF_RP2040 = 0x675A40B0, 0xE48BFF56


def test_what_a_flasher_writes_comes_out_and_nothing_else(n: Board) -> None:
    app = as_flash_image(recognise(libretiny_uf2(n.ua)))
    assert (app.kind, app.base, app.flash, app.problems) == (ImageKind.UA, 0x11000, n.ua, ())
    assert app.chip is Chip.N
    assert app.chip_reasons == ("its blocks carry the family number of BK7231N",)


def test_the_chip_comes_from_the_file_where_the_app_does_not_say_it(t: Board) -> None:
    # An app for T has the key and the place of one for N: only the family number tells them apart.
    assert recognise(t.ua).chip is None
    assert as_flash_image(recognise(libretiny_uf2(t.ua, family=OF_T))).chip is Chip.T


def test_an_app_that_names_another_chip_than_its_file_contradicts_it() -> None:
    app = convert(recognise(Board(Chip.N).code), OutputKind.UA, Recipe(code_key(Chip.N), version="1.0-bk7231n"))
    image = as_flash_image(recognise(libretiny_uf2(app, family=OF_T)))
    assert image.chip is Chip.T
    assert image.chip_contradictions == ("the RBL header of app has the version '1.0-bk7231n'",)


def test_an_image_that_is_not_a_uf2_is_left_as_it_is(n: Board) -> None:
    image = recognise(n.qio)
    assert as_flash_image(image) is image


@pytest.mark.parametrize("to", [OutputKind.UA, OutputKind.PACKED, OutputKind.PLAIN, OutputKind.RBL, OutputKind.UG])
def test_it_becomes_what_the_app_alone_would_become(n: Board, to: OutputKind) -> None:
    recipe = Recipe(version="2.0")
    assert convert(recognise(libretiny_uf2(n.ua)), to, recipe) == convert(recognise(n.ua), to, recipe)


def test_with_a_bootloader_of_its_chip_it_becomes_a_qio_image(n: Board) -> None:
    made = recognise(convert(recognise(libretiny_uf2(n.ua)), OutputKind.QIO, Recipe(bootloader=n.loader)))
    assert (made.kind, made.data, made.chip) == (ImageKind.QIO, n.qio, Chip.N)


def test_the_chip_stays_known_when_a_header_is_made(t: Board) -> None:
    # A UA image has one place for the name of a chip: the version in its header. Before, it said 1.00, and an app for T
    # passed onto an N.
    packed = convert(recognise(t.ua), OutputKind.PACKED)
    for source in (libretiny_uf2(packed, family=OF_T), convert(recognise(t.dump), OutputKind.UG)):
        made = recognise(convert(recognise(source), OutputKind.UA, Recipe(key=t.key)))
        assert (made.kind, made.chip) == (ImageKind.UA, Chip.T)


def test_the_version_of_an_update_goes_with_it(t: Board) -> None:
    update = convert(recognise(t.ua), OutputKind.UG, Recipe(version="25.05.28-bk7231t"))
    made = recognise(convert(recognise(update), OutputKind.UA, Recipe(key=t.key)))
    assert made.containers[0].header.version == "25.05.28-bk7231t"
    assert made.chip is Chip.T


def test_a_bootloader_of_another_chip_is_not_put_before_an_app(n: Board, t: Board) -> None:
    with pytest.raises(ImageError, match="the bootloader is for a BK7231N, the UA image for a BK7231T") as got:
        convert(recognise(libretiny_uf2(t.ua, family=OF_T)), OutputKind.QIO, Recipe(bootloader=n.loader))
    assert "a dump of a BK7231T" in str(got.value.hint)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (libretiny_uf2(b"\xff" * 1024, family=OF_RP2040), "for the family 0xe48bff56, whose flash is not known here"),
        (libretiny_uf2(b"\xff" * 1024, partition=b"calibration"), r"for calibration \+ 0x0; one run of bytes"),
        (libretiny_uf2(b"\xff" * 1024, at=0x20000), r"for app \+ 0x0; one run of bytes for the app at 0x11000"),
        (libretiny_uf2(b"\xff" * 1024)[:-512], "the UF2 file is damaged: 7 of 8 blocks are there"),
        (uf2(3), "none of its blocks names a partition that a flasher writes"),
        (b"UF2\nWQ]\x9e" + bytes(20), "the UF2 file is damaged|not a whole block"),
    ],
    ids=["of another family", "of another partition", "at another place", "cut", "without tags", "a stump"],
)
def test_what_cannot_be_placed_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        as_flash_image(recognise(data))


def test_tags_that_lie_about_their_length_end_where_the_block_ends(n: Board) -> None:
    data = bytearray(libretiny_uf2(n.ua))
    data[32] = 0xFF  # the first tag of the header reaches over all others
    struct.pack_into("<B", data, 512 + 32 + 256 + 8, 0xFF)
    with pytest.raises(ImageError):
        as_flash_image(recognise(bytes(data[: 512 * 3])))
