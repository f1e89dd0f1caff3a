"""Files for a flash, looked at before a port is opened: nobody wires a board up for a file that is refused anyway."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from wattrail.cli.flash.place import ImagePlace
from wattrail.cli.flash.session import name_the_override
from wattrail.cli.image.files import ForeignFile, load, read
from wattrail.errors import WriteRefused
from wattrail.flasher import Risk, check_dump_file, check_file
from wattrail.image import Image, as_flash_image, recognise

__all__ = ["check_image", "load_dump", "load_image", "load_whole"]


def load_image(path: Path, place: ImagePlace, allow: Collection[Risk]) -> Image:
    """An image that may be written as far as the file tells. Raises FileError, ImageError, WriteRefused."""
    image = load_whole(path, allow)
    check_image(image, place, allow)
    return image


def load_whole(path: Path, allow: Collection[Risk]) -> Image:
    """An image as it lies in flash, not checked yet: a UF2 file is taken for the app it carries."""
    try:
        return as_flash_image(load(path))
    except ForeignFile as error:
        if Risk.UNKNOWN in allow:
            return recognise(read(path))
        refusal = WriteRefused(str(error), risk=Risk.UNKNOWN.value, hint=error.hint)
        name_the_override(refusal)
        raise refusal from error


def check_image(image: Image, place: ImagePlace, allow: Collection[Risk]) -> None:
    """Raise WriteRefused or ImageError for what the file alone shows."""
    with _overrides_named():
        check_file(image, place.start, allow, place.part)


def load_dump(path: Path, allow: Collection[Risk]) -> Image:
    """A dump that may be put back as far as the file tells. Raises FileError, ImageError, WriteRefused."""
    try:
        dump = load(path)
    except ForeignFile as error:
        raise WriteRefused(str(error), risk="", hint=error.hint) from error
    with _overrides_named():
        check_dump_file(dump, allow)
    return dump


@contextmanager
def _overrides_named() -> Iterator[None]:
    try:
        yield
    except WriteRefused as error:
        name_the_override(error)
        raise
