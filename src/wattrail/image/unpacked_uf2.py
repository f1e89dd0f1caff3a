"""A UF2 file as the image that lies in flash, with the chip that its family number names."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.errors import ImageError
from wattrail.image.model import Confidence, Image, Kind, Range
from wattrail.image.recognise import recognise
from wattrail.image.uf2 import FAMILIES, segments

__all__ = ["as_lies_in_flash"]

_APP: Final = "app"


def as_lies_in_flash(image: Image) -> Image:
    """The app of a UF2 image; any other image as it is.

    Raises ImageError for a UF2 file of another family, for one that is damaged, and for one whose blocks do not belong
    into the app partition.
    """
    if image.kind is not Kind.UF2:
        return image
    _check_family(image)
    app, *others = segments(image.data)
    if others or app.partition != _APP or app.offset or app.start not in (None, APP_START):
        places = ", ".join(f"{found.partition} + {found.offset:#x}" for found in (app, *others))
        raise ImageError(
            f"the UF2 file is for {places}; one run of bytes for the app at {APP_START:#x} is expected",
            hint="use the .bin of the same build",
        )
    return _named(_placed(recognise(app.data)), image)


def _check_family(image: Image) -> None:
    """Raise ImageError where the blocks carry the number of a chip whose flash is not known here."""
    number = image.uf2.family if image.uf2 is not None else None
    if number is not None and image.chip is None:
        raise ImageError(
            f"the UF2 file is for {FAMILIES.get(number, f'the family {number:#010x}')}, whose flash is not known here",
            hint="use the file for the chip in the module, for example the one for BK7231N",
        )


def _placed(app: Image) -> Image:
    """Packed code under a key that nothing tells is an app all the same: the UF2 file has said where it belongs."""
    if app.kind is not Kind.PACKED or app.base or not app.flash:
        return app
    return replace(app, base=APP_START, ranges=(Range(_APP, 0, APP_START, len(app.flash)),))


def _named(app: Image, uf2: Image) -> Image:
    """The chip of the family number; an app that names another contradicts it."""
    reasons = ("it comes from a UF2 file", *app.reasons)
    if uf2.chip is None:
        return replace(app, reasons=reasons)
    if app.chip not in (None, uf2.chip):
        return replace(
            app, reasons=reasons, chip=uf2.chip, chip_confidence=Confidence.POSSIBLE, chip_reasons=uf2.chip_reasons,
            chip_contradictions=(*app.chip_contradictions, *app.chip_reasons),
        )  # fmt: skip
    return replace(
        app, reasons=reasons, chip=uf2.chip, chip_confidence=uf2.chip_confidence,
        chip_reasons=(*uf2.chip_reasons, *app.chip_reasons),
    )  # fmt: skip
