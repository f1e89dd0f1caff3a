"""``wattrail flash write``."""

from __future__ import annotations

from pathlib import Path

from wattrail.cli.flash.image_file import load_image
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.place import ImagePlace
from wattrail.cli.flash.session import board
from wattrail.cli.flash.writing import WritingOptions, finish, foretell
from wattrail.cli.image.files import Source
from wattrail.cli.target import Json
from wattrail.image import Image


def write(
    port: PortText,
    image: Source,
    *,
    place: ImagePlace | None = None,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Write an image to flash, after a backup, and prove it.

    Only sectors that differ are erased and written, and all are compared with the chip's CRCs afterwards. A write that
    was cut, by whatever, is gone on with by the same command.
    """
    place, writing = place or ImagePlace(), writing or WritingOptions()
    place.check()
    wanted = load_image(image, place, writing.check())
    write_image(port, image, wanted, place=place, writing=writing, json=json, options=options)


def write_image(
    port: str,
    path: Path,
    wanted: Image,
    *,
    place: ImagePlace,
    writing: WritingOptions,
    json: bool = False,
    options: BoardOptions | None = None,
) -> None:
    """Open the port, and write an image whose file was looked at before."""
    allow = writing.check()
    with board(port, options, writes=True, json=json) as flasher:
        if writing.dry_run:
            found = flasher.preview(wanted, start=place.start, parts=place.part, allow=allow)
            foretell(found, flasher, json=json)
            return
        report = flasher.write(
            wanted, name=path.name, start=place.start, parts=place.part, allow=allow, backup=writing.backup
        )
        finish(report, flasher, writing, json=json)
