"""``wattrail flash write`` and ``erase``, and image files, checked before a port is opened.

Nobody should wire up a board for a file that is refused anyway.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from wattrail.bootrom.geometry import SECTOR
from wattrail.cli import output
from wattrail.cli.device.setup import SettingsOptions, is_template
from wattrail.cli.exits import UsageError
from wattrail.cli.flash.session import (
    BoardOptions,
    ImagePlace,
    PortText,
    RangeOptions,
    WritingOptions,
    board,
    finish,
    name_override,
)
from wattrail.cli.flash.view import print_preview
from wattrail.cli.image.files import ForeignFile, Source, load, read
from wattrail.cli.option_types import Json
from wattrail.errors import WriteRefused
from wattrail.flasher import Flasher, Risk, Segment, check_file
from wattrail.flasher.configuration_segment import configuration_segment
from wattrail.image import Image, as_flash_image, recognise
from wattrail.image.openbeken_settings import OpenBekenSettings

__all__ = ["check_image", "erase", "load_image", "load_unchecked", "write", "write_image"]


def write(
    port: PortText,
    image: Source,
    *,
    place: ImagePlace | None = None,
    writing: WritingOptions | None = None,
    settings: SettingsOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Write an image to flash, after a backup, and verify it.

    Only sectors that differ are erased and written, and all are compared with the chip's CRCs afterwards. Run the same
    command again to resume an interrupted write. With settings for OpenBeken, its configuration is written with it.
    """
    place, writing = place or ImagePlace(), writing or WritingOptions()
    place.check()
    # What the file alone shows is refused before the port is opened.
    wanted = load_image(image, place, writing.check())
    given = settings.settings() if settings is not None and settings.is_given else None
    if settings is not None and settings.board is not None and not is_template(settings.board):
        output.note(
            "gestures of the button and patterns of the LED are a file of the running firmware: "
            f"'wattrail device setup HOST --board {settings.board}' writes them once it runs"
        )
    write_image(port, image, wanted, place=place, writing=writing, settings=given, json=json, options=options)


def write_image(
    port: str,
    path: Path,
    wanted: Image,
    *,
    place: ImagePlace,
    writing: WritingOptions,
    settings: OpenBekenSettings | None = None,
    json: bool = False,
    options: BoardOptions | None = None,
) -> None:
    """Open the port, and write an image whose file was checked before."""
    allow = writing.check()
    with board(port, options, writes=True, json=json) as flasher:
        extra = _configuration(flasher, wanted, settings) if settings is not None else None
        if writing.dry_run:
            found = flasher.preview(wanted, start=place.start, parts=place.part, allow=allow, extra=extra)
            print_preview(found, flasher, json=json)
            return
        report = flasher.write(
            wanted, name=path.name, start=place.start, parts=place.part, allow=allow, backup=writing.backup, extra=extra
        )
        finish(report, flasher, writing, json=json)


def _configuration(flasher: Flasher, image: Image, settings: OpenBekenSettings) -> Segment:
    chip = flasher.target.chip
    if chip is None:
        raise UsageError("the chip was not recognised, so the place of its configuration is not known")
    return configuration_segment(flasher, chip, image, settings, note=output.note)


def load_image(path: Path, place: ImagePlace, allow: Collection[Risk]) -> Image:
    """An image that may be written as far as the file shows. Raises FileError, ImageError, WriteRefused."""
    image = load_unchecked(path, allow)
    check_image(image, place, allow)
    return image


def load_unchecked(path: Path, allow: Collection[Risk]) -> Image:
    """An image as it is stored in flash, not checked yet: a UF2 file is taken for the app it carries."""
    try:
        return as_flash_image(load(path))
    except ForeignFile as error:
        # Allowed: bytes of no known kind, which need a start of their own.
        if Risk.UNKNOWN in allow:
            return recognise(read(path))
        refusal = WriteRefused(str(error), risk=Risk.UNKNOWN.value, hint=error.hint)
        name_override(refusal)
        raise refusal from error


def check_image(image: Image, place: ImagePlace, allow: Collection[Risk]) -> None:
    """Raise WriteRefused or ImageError for what the file alone shows."""
    try:
        check_file(image, place.start, allow, place.part)
    except WriteRefused as error:
        name_override(error)
        raise


# ---- erase


def erase(
    port: PortText,
    *,
    where: RangeOptions | None = None,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Erase a partition, or whole sectors, after a backup.

    The radio's calibration stays unless that is allowed, and so does the bootloader that answers here.
    """
    where, writing = where or RangeOptions(), writing or WritingOptions()
    _check_sectors(where)
    allow = writing.check()
    with board(port, options, writes=True, json=json) as flasher:
        start, length = where.span(flasher.target)
        if writing.dry_run:
            print_preview(flasher.preview_erase(start, length, allow=allow), flasher, json=json)
            return
        finish(flasher.erase(start, length, allow=allow, backup=writing.backup), flasher, writing, json=json)


def _check_sectors(where: RangeOptions) -> None:
    where.check()
    if where.part is None and (where.start is None or where.length is None):
        raise UsageError("nothing was named to erase", hint="name it: --part NAME, or --start and --length")
    # Rounded to sectors it would erase what was not named.
    if (where.start or 0) % SECTOR or (where.length or 0) % SECTOR or where.length == 0:
        raise UsageError(
            f"{where.length or 0:#x} bytes from {where.start or 0:#x} are not whole sectors of {SECTOR:#x}",
            hint="flash is erased by sectors: begin and end at multiples of 0x1000",
        )
