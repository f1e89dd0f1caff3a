"""Telling what a file is by what is in it; its name says nothing here.

First the kinds that begin with a magic number (UF2, UG, RBL, RF). Then code: the block CRCs say whether it is
packed, the first words say under which key and at which address it makes sense, which separates a bootloader
(address 0) from an app (0x10000), and what follows separates a QIO image from a dump. A file that is damaged or cut
keeps its kind and gets problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.errors import ImageError
from wattrail.image import bootloader, chips, find, rbl
from wattrail.image.code import (
    BLOCK,
    PACKED,
    ZERO_KEY,
    CodeKey,
    check,
    crypt,
    detect_key,
    grid_shift,
    looks_like_code,
    strip,
    to_physical,
)
from wattrail.image.flash_start import SURE, FlashStart, Rotation, find_rotation, says, start_of, straight
from wattrail.image.layout import APP_LOGICAL, FLASH, LAYOUTS, QIO_N
from wattrail.image.limits import MAX_FILE_BYTES
from wattrail.image.magic import blank_image, rbl_image, rf_image, tuya_image, uf2_image, ug_image
from wattrail.image.model import Confidence, Container, Image, ImageKind, Problem, Range
from wattrail.image.uf2 import FAMILIES, segments
from wattrail.openbeken import MAGIC as OPENBEKEN_MAGIC

__all__ = ["as_flash_image", "plain_app", "recognise"]

QIO_LENGTHS: Final = {QIO_N: "N", 0x100000: "OpenBeken for T", 0x132000: "U, BK7238, BK7252"}


def recognise(data: bytes) -> Image:
    """Say what some bytes are, for which chip, how sure that is and why, and what is wrong with them.

    Raises ImageError only for more bytes than any image of this family has, MissingExtra without numpy.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{len(data)} bytes are more than any image of this family has ({MAX_FILE_BYTES})")
    # A rotated flash before the containers: one that was read from its RF block or its waiting update on begins with
    # their magic.
    for kind in (blank_image, uf2_image, _rotated, ug_image, rbl_image, rf_image, _in_flash, _code, tuya_image):
        image = kind(data)
        if image is not None:
            return image
    return Image(
        ImageKind.UNKNOWN,
        Confidence.NONE,
        data,
        ("no magic of a known container at its start, no block CRC that holds, no ARM vectors under a known key",),
    )


def _code(data: bytes) -> Image | None:
    """Code that is not packed."""
    for address, name in ((APP_LOGICAL, "an app"), (0, "a bootloader")):
        key = detect_key(data, address)
        if key is not None and not key.bypassed:
            reason = f"its first words are ARM vectors under the {key.name} key at {address:#x}: {name}"
            loader = None if address else bootloader.inspect(b"", data, key)
            code = crypt(data, key, address) if address else b""
            verdict = chips.decide(chips.clues(bootloader=loader, code=code, key=key), key)
            return Image(
                ImageKind.STORED, Confidence.LIKELY, data, (reason, "no block CRC holds"), key=key, bootloader=loader,
                base=to_physical(address), chip=verdict.chip, chip_confidence=verdict.confidence,
                chip_reasons=verdict.reasons, chip_contradictions=verdict.against,
            )  # fmt: skip
    if not looks_like_code(data):
        return None
    loader = bootloader.inspect(b"", data, ZERO_KEY)
    mine = loader if loader.is_identified else None
    verdict = chips.decide(chips.clues(bootloader=mine, code=b"" if mine else data, key=ZERO_KEY), None)
    reasons = ("its first words are ARM vectors", "no block CRC holds", *((says(loader),) if mine else ()))
    return Image(
        ImageKind.PLAIN, Confidence.LIKELY, data, reasons, chip=verdict.chip, chip_confidence=verdict.confidence,
        chip_reasons=verdict.reasons, chip_contradictions=verdict.against, key=ZERO_KEY, bootloader=mine,
    )  # fmt: skip


def _in_flash(data: bytes) -> Image | None:
    """Bytes of flash: packed code, with or without what lies around it."""
    start = start_of(data)
    if start is None:
        return _blank_bootloader(data) or _off_grid(data)
    if start.address == 0:
        return _described(data, 0, start, *_whole(data, 0, start.key))
    if start.address is None:
        return _described(data, 0, start, ImageKind.PACKED, ())
    # Read from 0x11000 on, the address wraps at the end (OpenBK7231T_App #556); two public dumps are like that.
    tail = start_of(data[-APP_START:]) if len(data) > 2 * APP_START else None
    if tail is not None and tail.address == 0:
        begin = f"{APP_START:#x}"
        reason = f"the app comes first and the bootloader {begin} bytes before the end: read from {begin} on, wrapped"
        return _straightened(data, Rotation(APP_START, tail, reason))
    return _described(data, APP_START, start, *_whole(data, APP_START, start.key))


def _rotated(data: bytes) -> Image | None:
    """A whole flash that begins anywhere but at 0 and wraps."""
    rotation = find_rotation(data)
    return _straightened(data, rotation) if rotation else None


def _straightened(data: bytes, rotation: Rotation) -> Image:
    """A rotated dump, recognised as if it were straight; offsets are those of the file as it is."""
    by, size = rotation.by, len(data)
    lengths = tuple(find.length_problems(size))
    image = _described(straight(data, by), 0, rotation.start, ImageKind.ROTATED, lengths)
    ranges = tuple(replace(r, offset=(r.flash - by) % size) for r in image.ranges)
    problems = tuple(p if p.offset is None else replace(p, offset=(p.offset - by) % size) for p in image.problems)
    problem = Problem(f"it is rotated: its first byte is flash {by:#x}; straighten it before anything is restored")
    return replace(
        image, data=data, ranges=ranges, rotated_by=by, reasons=(rotation.reason, *image.reasons),
        problems=(problem, *problems),
    )  # fmt: skip


def _blank_bootloader(data: bytes) -> Image | None:
    """A dump whose bootloader was erased."""
    if len(data) <= APP_START or data[:APP_START].strip(b"\xff"):
        return None
    start = start_of(data[APP_START:])
    if start is None or start.address == 0:
        return None
    kind, problems = _whole(data, 0, start.key)
    # On a T this very program answers the flasher; an N has one in ROM. Source: bk-boot/loader-1, bk-boot/rom
    problem = Problem("the bootloader is blank: a T with it will not answer a flasher any more", 0)
    return _described(data, 0, replace(start, address=0), kind, (problem, *problems))


def _off_grid(data: bytes) -> Image | None:
    shift = grid_shift(data[: PACKED * 256])
    if not shift:
        return None
    what = f"its first whole block begins at byte {shift}: {PACKED - shift} bytes are missing, or {shift} too many"
    return Image(
        ImageKind.PACKED,
        Confidence.POSSIBLE,
        data,
        (f"its block CRCs hold from byte {shift} on",),
        (Problem(what, shift),),
    )


def _whole(data: bytes, base: int, key: CodeKey | None) -> tuple[ImageKind, tuple[Problem, ...]]:
    """The kind of some bytes of flash by how far they go, and what their length leaves to be desired."""
    end = base + len(data)
    programs = [c for c in find.containers(data, base, key) if c.packed and not c.stale]
    container = next((c for c in programs if c.header.name == "app"), None)
    closed = any(c.offset + rbl.PACKED_HEADER == end for c in programs)
    if not base and end > APP_START and end % FLASH and (closed or _ends_in_settings(data)):
        return ImageKind.QIO, ()
    # Beyond the longer of the two app partitions no QIO image goes.
    if end > LAYOUTS[Chip.T]["app"].end:
        missing = (Problem(f"it begins at flash {base:#x}: the bootloader is missing", 0),) if base else ()
        return ImageKind.DUMP, (*missing, *find.length_problems(end))
    if base:
        return (ImageKind.UA if container else ImageKind.PACKED), _rest_problems(container, end, len(data))
    if end <= APP_START:
        loader = bootloader.inspect(data, strip(data), key)
        short = Problem(f"{end:#x} bytes: a bootloader's partition has {APP_START:#x}")
        # Some builds hand out the whole partition, others only the code, which its partition table ends.
        # Source: bk7231-image/bootloader
        whole = (
            end == APP_START
            or 0 < len(data) // PACKED * BLOCK - loader.table_end < BLOCK
            or loader.table_end == len(strip(data))
        )
        return ImageKind.BOOTLOADER, () if whole else (short,)
    if container is None:
        what = f"it ends at {end:#x} without the RBL header that closes an app"
        if end in QIO_LENGTHS:
            return ImageKind.QIO, (Problem(f"{what}, as an image for {QIO_LENGTHS[end]} does"),)
        return ImageKind.QIO, (Problem(f"{what}: cut short, or built without"),)
    return ImageKind.QIO, _rest_problems(container, end, len(data))


def _ends_in_settings(data: bytes) -> bool:
    """Whether an image made for no board in particular ends with OpenBeken's settings: no RF block is before them."""
    return any(
        len(data) == layout["config"].end
        and data[layout["config"].start :].startswith(OPENBEKEN_MAGIC)
        and not data[layout["rf"].start : layout["rf"].end].strip(b"\xff")
        for layout in LAYOUTS.values()
    )


def _rest_problems(container: Container | None, end: int, length: int) -> tuple[Problem, ...]:
    """What follows the app's header in so many bytes that end there in flash."""
    if container is None or container.offset + rbl.PACKED_HEADER == end:
        return ()
    rest = end - container.offset - rbl.PACKED_HEADER
    return (Problem(f"{rest} bytes follow the RBL header that closes the app", length - rest),)


def _described(flash: bytes, base: int, start: FlashStart, kind: ImageKind, problems: Iterable[Problem]) -> Image:
    """Everything that can be recognised in bytes of flash."""
    found = find.containers(flash, base, start.key)
    damage = tuple(replace(p, offset=(p.offset or 0) - base) for p in find.code_problems(flash, base, found))
    whole = kind in (ImageKind.DUMP, ImageKind.ROTATED)
    # Of a dump only: the letters TLV stand in the code of every firmware.
    rf = find.find_rf(flash, base) if whole else None
    loader = (
        bootloader.inspect(flash[:APP_START], strip(flash[:APP_START]), start.key)
        if base == 0 and len(flash) > BLOCK
        else None
    )
    image = Image(
        kind, _confidence(flash, damage), flash,
        (start.reason, *_length_reasons(kind, flash, found), *find.remains(flash, base, found)),
        key=start.key, flash=flash, base=base, bootloader=loader, containers=found,
        rf=rf[1] if rf else None, rf_at=rf[0] if rf else None, settings=tuple(find.settings(flash, base)),
    )  # fmt: skip
    verdict = chips.decide(
        chips.clues(bootloader=loader, rf=rf, containers=found, code=plain_app(image), key=start.key), start.key
    )
    placed = find.place_problems(flash, base, rf[0] if rf else None, verdict.chip, found) if whole else ()
    faults = (Problem(f"RBL of {c.header.name}: {fault}", c.offset - base) for c in found for fault in c.faults)
    image = replace(
        image, chip=verdict.chip, chip_confidence=verdict.confidence, chip_reasons=verdict.reasons,
        chip_contradictions=verdict.against, problems=(*problems, *damage, *faults, *placed),
    )  # fmt: skip
    return replace(image, ranges=tuple(_ranges(image)))


def _confidence(flash: bytes, damage: tuple[Problem, ...]) -> Confidence:
    # Either program will do: the bootloader may be erased, and a bootloader may come alone.
    good = max(check(flash[at : at + PACKED * SURE * 4]).good for at in (0, APP_START))
    if good < SURE:
        return Confidence.POSSIBLE
    return Confidence.LIKELY if damage else Confidence.CERTAIN


def _length_reasons(kind: ImageKind, flash: bytes, found: tuple[Container, ...]) -> Iterable[str]:
    programs = sum(c.packed and not c.stale and not c.faults and c.header.name != "bootloader" for c in found)
    if kind is ImageKind.QIO and programs > 1:
        yield f"{programs} programs end to end behind the bootloader: a production image"
    if kind is ImageKind.QIO and _ends_in_settings(flash):
        yield "it ends with OpenBeken's settings, and no board's calibration is in it: an image with settings"
    if kind in (ImageKind.DUMP, ImageKind.ROTATED) and len(flash) % FLASH == 0:
        yield f"it has the {len(flash):#x} bytes of a whole flash"
    for container in found:
        where = f"{container.offset:#x}" + ("" if container.packed else ", unpacked")
        verdict = "its checks do not hold" if container.faults else "its checks hold"
        if container.was_updated:
            verdict = f"the app was updated over the air, and {verdict}"
        if container.stale:
            verdict = "left there by an earlier image"
        yield f"an RBL header of {container.header.name!r} at {where}: {verdict}"


def plain_app(image: Image) -> bytes:
    """The app's code without CRCs and cipher, as far as it is in use; nothing where there is none, or no known key."""
    app, container = image.app, image.rbl_of("app")
    if not app or not image.key:
        return b""
    used = container.code_length if container and not container.faults else len(app)
    return crypt(strip(app[:used]), image.key, APP_LOGICAL)


def _ranges(image: Image) -> Iterable[Range]:
    end = image.base + len(image.flash)
    if image.kind is ImageKind.PACKED and image.base == 0:
        return
    for partition in image.layout.partitions:
        start, stop = max(partition.start, image.base), min(partition.end, end)
        if start < stop:
            yield Range(partition.name, start - image.base, start, stop - start)


# ---- a UF2 file as the image that is written to flash

_APP: Final = "app"


def as_flash_image(image: Image) -> Image:
    """The app of a UF2 image; any other image as it is.

    Raises ImageError for a UF2 file of another family, for one that is damaged, and for one whose blocks do not belong
    into the app partition.
    """
    if image.kind is not ImageKind.UF2:
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
    """Packed code under an unknown key is an app all the same: the UF2 file says where it belongs."""
    if app.kind is not ImageKind.PACKED or app.base or not app.flash:
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
