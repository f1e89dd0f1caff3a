"""OpenBeken's configuration, written with the image, so that a board knows its network when it starts first."""

from __future__ import annotations

from collections.abc import Callable

from wattrail.bk7231 import MAX_FLASH_BYTES, Chip
from wattrail.errors import ChecksumError, ImageError
from wattrail.files import read_bytes
from wattrail.flasher.flasher import Flasher
from wattrail.flasher.write_plan import Segment
from wattrail.image import Image
from wattrail.image.openbeken_configuration import (
    OpenBekenConfiguration,
    configuration_place,
    decode_configuration,
    default_configuration,
    find_configuration,
)
from wattrail.image.openbeken_settings import OpenBekenSettings, differences
from wattrail.image.rf import decode_rf

__all__ = ["configuration_segment"]

_NO_MAC = bytes.fromhex("c8478c000000")
"""What the firmware takes without an RF block."""

Note = Callable[[str], None]


def configuration_segment(
    flasher: Flasher, chip: Chip, image: Image, settings: OpenBekenSettings, *, note: Note
) -> Segment:
    """The sector to be written with an image; ``note`` gets every change. Raises ConfigError for what does not fit.

    It is made from what the board holds, else from what the image brings, else from the firmware's defaults.
    """
    place = configuration_place(chip)
    before = _of_board(flasher, chip, note) or _of_image(image, chip, note) or _default(flasher, chip, note)
    after = settings.applied_to(before)
    for change in differences(before, after):
        note(f"configuration: {change}")
    return Segment(place.start, after.sector())


def _of_board(flasher: Flasher, chip: Chip, note: Note) -> OpenBekenConfiguration | None:
    """What the board holds; after a write that did not end, what it held before."""
    place, unfinished = configuration_place(chip), flasher.unfinished
    # The cut may lie in this very sector, or have left settings there that were made from those in the backup.
    if unfinished is not None and unfinished.backup is not None:
        sector = read_bytes(unfinished.backup, limit=MAX_FLASH_BYTES)[place.start : place.end]
    else:
        sector = flasher.read(place.start, place.length)
    if not sector.strip(b"\xff"):
        return None
    try:
        found = decode_configuration(sector, chip)
    except (ImageError, ChecksumError) as error:
        note(f"what the board holds in the place of the configuration is replaced, and kept in the backup: {error}")
        return None
    name = found.text("name") or "without a name"
    note(f"the board has a configuration already ({name}): it is changed, not replaced, and kept in the backup")
    return found


def _of_image(image: Image, chip: Chip, note: Note) -> OpenBekenConfiguration | None:
    if not image.kind.is_flash_image:
        return None
    found = find_configuration(image.flash, image.base, chip)
    if found is None:
        return None
    note("the configuration that the image brings is changed, not replaced")
    return found[1]


def _default(flasher: Flasher, chip: Chip, note: Note) -> OpenBekenConfiguration:
    rf = flasher.target.layout["rf"]
    # OpenBeken names itself after its MAC address; a configuration made here must do the same.
    try:
        mac = decode_rf(flasher.read(rf.start, rf.length)).mac
    except ImageError:
        mac = None
    if mac is None:
        note("the board has no RF block with a MAC address: its names end in 000000")
    return default_configuration(chip, bytes.fromhex(mac.replace(":", "")) if mac else _NO_MAC)
