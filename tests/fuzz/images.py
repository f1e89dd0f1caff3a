"""What must hold for any bytes taken as a firmware image. Each function raises only where a promise is broken."""

from __future__ import annotations

from contextlib import suppress

from wattrail.errors import ImageError
from wattrail.image import (
    KEYS,
    Difference,
    Image,
    OutputKind,
    Recipe,
    check,
    convert,
    detect_key,
    diff,
    look_into_zip,
    open_ota,
    pack,
    recognise,
    recognise_foreign,
    unpack,
)
from wattrail.image.bootloader import inspect
from wattrail.image.code import PACKED, TUYA_KEY, CodeKey, grid_shift, strip, without_blank_end
from wattrail.image.limits import MAX_FLASH_BYTES, MAX_RECORDS
from wattrail.image.rf import decode_rf
from wattrail.image.uf2 import decode_uf2, segments
from wattrail.image.ug import HEADER, unwrap
from wattrail.image.zipped import MAX_UNPACKED

__all__ = [
    "archive",
    "bootloader",
    "code_keys",
    "conversions",
    "foreign",
    "ota",
    "packing",
    "recognition",
    "rf",
    "uf2",
    "ug",
]


def recognition(data: bytes) -> None:
    """Anything is recognised as something, and every place that is named lies in the file."""
    image = recognise(data)
    assert image.data == data
    assert image.reasons
    for problem in image.problems:
        assert problem.offset is None or 0 <= problem.offset <= len(data), problem
        assert str(problem)
    for part in image.ranges:
        assert part.length > 0
        assert 0 <= part.offset < len(data)
        assert part.length <= len(data)
    assert len(image.app or b"") <= len(image.flash)
    assert image.loader is None or image.flash.startswith(image.loader)


def conversions(data: bytes) -> None:
    """Every conversion, and a comparison with the half of it, ends in bytes or in an ImageError."""
    image = recognise(data)
    for target in OutputKind:
        for recipe in (Recipe(), Recipe(key=TUYA_KEY)):
            with suppress(ImageError):
                made = convert(image, target, recipe)
                assert len(made) <= 2 * len(data) + MAX_FLASH_BYTES
    assert diff(image, image).same
    other = recognise(data[: len(data) // 2])
    with suppress(ImageError):
        _compare(image, other)


def _differing(found: Difference) -> int:
    return sum(len(part.sectors) for part in found.partitions)


def _compare(one: Image, other: Image) -> None:
    there, back = diff(one, other), diff(other, one)
    assert _differing(there) == _differing(back) or one.chip != other.chip
    assert len(there.only) == len(back.only)


def ota(data: bytes) -> None:
    """A container is opened to as many bytes as its header says, never more than any flash has."""
    with suppress(ImageError):
        header, code = open_ota(data)
        assert len(code) == header.raw_size <= MAX_FLASH_BYTES


def ug(data: bytes) -> None:
    with suppress(ImageError):
        header, package = unwrap(data)
        assert data[HEADER:].startswith(package)
        assert len(package) == header.size


def uf2(data: bytes) -> None:
    with suppress(ImageError):
        found = decode_uf2(data)
        assert found.blocks == len(data) // 512
        assert found.payload <= len(data)
        placed = segments(data)
        assert 0 < sum(len(segment.data) for segment in placed) <= found.payload


def foreign(data: bytes) -> None:
    """A file of another format has a name and a way out."""
    found = recognise_foreign(data)
    assert found is None or (found.what and "FILE" not in found.hint("it.bin"))


def archive(data: bytes) -> None:
    """A zip archive ends in its images or in an ImageError, and takes no more memory than its limit."""
    with suppress(ImageError):
        found = look_into_zip(data)
        assert sum(len(image.data) for image in found.images) <= MAX_UNPACKED
        assert {image.name for image in found.images} <= set(found.names)


def rf(data: bytes) -> None:
    with suppress(ImageError):
        block = decode_rf(data)
        assert len(block.elements) <= MAX_RECORDS
        assert sum(8 + length for tag, length in block.elements if tag & 0xFF) <= len(data)  # a group holds the others


def packing(data: bytes) -> None:
    """Counting raises nothing and counts everything; what is unpacked is the code, and packs again."""
    found = check(data)
    assert found.blocks * PACKED + found.tail == len(data)
    assert found.good >= 0
    assert (found.first_bad is None) == (found.bad == 0)
    assert strip(pack(data))[: len(data)] == data
    assert data.startswith(without_blank_end(data).rstrip(b"\xff"))
    assert grid_shift(data) in (None, *range(PACKED))
    with suppress(ImageError):
        assert len(unpack(data)) == found.blocks * 32


def bootloader(data: bytes) -> None:
    for key in (None, *KEYS.values()):
        found = inspect(data, strip(data), key)
        assert len(found.entries) <= MAX_RECORDS
        assert found.version is None or found.version.isascii()


def code_keys(data: bytes) -> None:
    for address in (0, 0x10000):
        assert detect_key(data, address) in (None, *KEYS.values())
    with suppress(ImageError):
        assert CodeKey.parse(CodeKey.parse(data.decode("latin-1")).name)
