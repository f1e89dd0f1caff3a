"""Kinds of file that begin with a magic number, and files that hold nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from wattrail.bk7231 import Chip
from wattrail.errors import ImageError, MissingExtra
from wattrail.image import chips, rbl, rf, uf2, ug
from wattrail.image.layout import LAYOUTS, SECTOR
from wattrail.image.model import Confidence, Container, Image, ImageKind, Problem, Range
from wattrail.image.tuya_cipher import KEY_SECTOR_MARK, KEY_SECTOR_MARK_AT

__all__ = ["blank_image", "rbl_image", "rf_image", "tuya_image", "uf2_image", "ug_image"]


def blank_image(data: bytes) -> Image | None:
    """Nothing at all, or one value throughout."""
    if data.strip(b"\xff") and data.strip(b"\0"):
        return None
    what = "the file is empty" if not data else f"every byte is {data[:1].hex().upper()}"
    hint = "nothing was written there" if data else "nothing was read"
    return Image(ImageKind.BLANK, Confidence.CERTAIN, data, (what,), (Problem(f"{what}: {hint}"),))


def uf2_image(data: bytes) -> Image | None:
    """A UF2 file, whole or not."""
    if not data.startswith(uf2.MAGIC):
        return None
    reasons = ("it begins with the UF2 magic",)
    try:
        found = uf2.decode_uf2(data)
    except ImageError as error:
        return Image(ImageKind.UF2, Confidence.LIKELY, data, reasons, (Problem(str(error), error.offset),))
    name = uf2.FAMILIES.get(found.family or 0)
    chip = chips.chip_in(name) if name else None
    return Image(
        ImageKind.UF2,
        Confidence.LIKELY if found.problems else Confidence.CERTAIN,
        data,
        reasons,
        tuple(Problem(text) for text in found.problems),
        chip=chip,
        chip_confidence=Confidence.CERTAIN if chip else Confidence.NONE,
        chip_reasons=(f"its blocks carry the family number of {name}",) if name else (),
        uf2=found,
    )


def ug_image(data: bytes) -> Image | None:
    """A UG container, whole or not."""
    if not data.startswith(ug.MAGIC):
        return None
    reasons = ("it begins with the UG magic",)
    try:
        _, package = ug.unwrap(data)
    except ImageError as error:
        return Image(ImageKind.UG, Confidence.LIKELY, data, reasons, (Problem(str(error), error.offset),))
    image = rbl_image(package)
    if image is None:
        problem = Problem("no RBL container follows the UG header", ug.HEADER)
        return Image(ImageKind.UG, Confidence.LIKELY, data, reasons, (problem,))
    return replace(image, kind=ImageKind.UG, data=data, reasons=(*reasons, "its two sums hold", *image.reasons))


def rbl_image(data: bytes) -> Image | None:
    """An RBL container for an update over the air, whole or not."""
    if not data.startswith(rbl.MAGIC):
        return None
    reasons = ("it begins with the RBL magic",)
    try:
        header = rbl.decode_header(data)
    except ImageError as error:
        return Image(ImageKind.RBL, Confidence.LIKELY, data, reasons, (Problem(str(error), error.offset),))
    faults = rbl.package_faults(data)
    container = Container(0, header, packed=False, faults=faults)
    verdict = chips.decide(chips.clues(containers=(container,), code=b"" if faults else _opened(data)), None)
    return Image(
        ImageKind.RBL,
        Confidence.LIKELY if faults else Confidence.CERTAIN,
        data,
        (*reasons, "the CRC of its header holds", *(() if faults else ("so does that of its package",))),
        tuple(Problem(text) for text in faults),
        chip=verdict.chip,
        chip_confidence=verdict.confidence,
        chip_reasons=verdict.reasons,
        chip_contradictions=verdict.against,
        containers=(container,),
    )


def _opened(data: bytes) -> bytes:
    """The plain code of a container, for what it says of itself; nothing where it cannot be opened here."""
    with suppress(ImageError, MissingExtra):  # another key, another compression, or no library for AES
        return rbl.open_ota(data)[1]
    return b""


def rf_image(data: bytes) -> Image | None:
    """The RF sector of a flash on its own."""
    try:
        block = rf.decode_rf(data)
    except ImageError:
        return None
    # Likely and not certain: the block has no checksum.
    return Image(ImageKind.RF, Confidence.LIKELY, data, ("it begins with the magic of an RF block",), rf=block)


def tuya_image(data: bytes) -> Image | None:
    """The sectors with Tuya's settings on their own, the one with their key among them."""
    at = data.find(KEY_SECTOR_MARK) - KEY_SECTOR_MARK_AT
    if at < 0 or at % SECTOR:
        return None
    start = LAYOUTS[Chip.N]["tuya-key"].start - at
    ranges = (Range("tuya-kv", 0, start, len(data)),) if start + len(data) == LAYOUTS[Chip.N].partitions[-1].end else ()
    return Image(
        ImageKind.TUYA, Confidence.LIKELY, data,
        ("a sector of it holds the key of Tuya's settings, and no code is in it",),
        ranges=ranges, settings=(f"Tuya settings, their key at byte {at:#x} of the file",),
    )  # fmt: skip
