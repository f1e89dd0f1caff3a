"""Where two images differ."""

from __future__ import annotations

import pytest

from tests.image.boards import Board, damaged, put
from wattrail.errors import ImageError
from wattrail.image import diff, recognise


def test_a_dump_is_the_same_as_itself_even_rotated(n: Board) -> None:
    assert diff(recognise(n.dump), recognise(n.dump)).same
    assert diff(recognise(n.dump), recognise(n.rotated)).same


def test_differences_are_reported_by_partition_and_sector(n: Board) -> None:
    other = bytearray(n.dump)
    put(other, 0x1D1010, b"changed")
    other[0x20000] ^= 1
    other[0x20FFF] ^= 1
    other[0x21000] ^= 1
    found = diff(recognise(n.dump), recognise(bytes(other)))
    changed = {part.name: part for part in found.partitions if part.sectors}
    assert [(s.offset, s.count, s.first) for s in changed["app"].sectors] == [
        (0x20000, 2, 0x20000),
        (0x21000, 1, 0x21000),
    ]
    assert [(s.offset, s.count, s.first) for s in changed["config"].sectors] == [(0x1D1000, 7, 0x1D1010)]
    assert (set(changed), sum(len(part.sectors) for part in found.partitions), changed["app"].count) == (
        {"app", "config"},
        3,
        3,
    )


def test_a_qio_image_is_compared_with_a_dump_where_it_would_lie(n: Board) -> None:
    found = diff(recognise(n.qio), recognise(n.dump))
    assert [part.sectors for part in found.partitions] == [(), ()]
    assert found.only == ("only the second has 0x129f70 to 0x200000",)
    assert not found.same


def test_an_app_image_is_laid_at_its_place(n: Board) -> None:
    found = diff(recognise(damaged(n.ua, 0x10)), recognise(n.qio))
    assert [(s.offset, s.first) for s in found.partitions[0].sectors] == [(0x11000, 0x11010)]
    assert found.only == ("only the second has 0x0 to 0x11000",)


def test_images_without_a_common_range_say_what_each_has(n: Board) -> None:
    found = diff(recognise(n.loader), recognise(n.ua))
    assert found.partitions == ()
    assert found.only == ("only the first has 0x0 to 0x11000", "only the second has 0x11000 to 0x129f70")


def test_files_outside_flash_are_compared_from_their_first_byte(n: Board) -> None:
    found = diff(recognise(n.code), recognise(damaged(n.code, 0x1234)))
    assert [(part.name, s.offset, s.first) for part in found.partitions for s in part.sectors] == [
        ("file", 0x1000, 0x1234)
    ]


def test_code_and_flash_are_not_compared(n: Board) -> None:
    with pytest.raises(ImageError, match="plain code and flash dump cannot be compared") as got:
        diff(recognise(n.code), recognise(n.dump))
    assert "for example to plain code" in str(got.value.hint)
