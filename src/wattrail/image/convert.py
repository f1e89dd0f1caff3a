"""From one kind of image to another, by way of its parts: a bootloader partition, and an app as it is stored in flash.

What is already in the wanted form is copied byte for byte, with its header and whatever stands behind its code; only
code that has no such form yet is enciphered, packed and given a header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.errors import ImageError
from wattrail.image import rbl, ug
from wattrail.image.code import BLOCK, CodeKey, crypt, pack, to_logical, to_physical, unpack
from wattrail.image.layout import APP_CONTAINER, APP_LOGICAL, code_key
from wattrail.image.model import Image, ImageKind
from wattrail.image.recognise import as_flash_image, recognise

__all__ = ["MissingInput", "OutputKind", "Recipe", "convert"]


class OutputKind(Enum):
    """What an image can be made into; the value is what is typed."""

    PLAIN = "plain"
    PACKED = "packed"
    UA = "ua"
    QIO = "qio"
    DUMP = "dump"
    BOOTLOADER = "bootloader"
    RBL = "rbl"
    UG = "ug"

    @property
    def meaning(self) -> str:
        """What it is, for people."""
        return _MEANINGS[self]


_MEANINGS: Final[Mapping[OutputKind, str]] = MappingProxyType(
    {
        OutputKind.PLAIN: "the app's code as the processor sees it",
        OutputKind.PACKED: "the app's code enciphered, with block CRCs, without an RBL header",
        OutputKind.UA: "the app partition as it is written at 0x11000, with its RBL header",
        OutputKind.QIO: "bootloader and app, to be written at 0",
        OutputKind.DUMP: "the whole flash from 0 on; straightens a rotated dump",
        OutputKind.BOOTLOADER: "the bootloader partition as it is stored in flash",
        OutputKind.RBL: "a container for an update over the air, compressed and enciphered",
        OutputKind.UG: "the same in Tuya's wrapping",
    }
)


DEFAULT_VERSION: Final = "1.00"
"""In a header that is made for code that never had one."""


class MissingInput(ImageError):
    """A conversion needs what the recipe leaves out; ``field`` is its name there."""

    def __init__(self, message: str, *, field: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.field = field


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a conversion is to know besides the image. ``timestamp`` is Unix seconds, 0 for equal bytes every time.

    ``version`` is the text of a header that is made; None takes the one of the image's own header, and adds the chip
    that is known: a header is the one place in which an app can name its chip.
    """

    key: CodeKey | None = None
    bootloader: bytes | None = None
    version: str | None = None
    timestamp: int = 0


def convert(image: Image, to: OutputKind, recipe: Recipe | None = None) -> bytes:
    """The bytes of another kind of image.

    A UF2 image counts as the app it carries. Raises ImageError where the image lacks what is needed, is damaged there,
    or is for another chip than the bootloader that is put before it; ValueError never.
    """
    return _MAKERS[to](as_flash_image(image), recipe or Recipe())


def _plain(image: Image, recipe: Recipe) -> bytes:
    match image.kind:
        case ImageKind.PLAIN:
            return image.data
        case ImageKind.STORED:
            return crypt(image.data, _key(image, recipe), to_logical(image.base))
        case ImageKind.RBL:
            return rbl.open_ota(image.data)[1]
        case ImageKind.UG:
            return rbl.open_ota(ug.unwrap(image.data)[1])[1]
    return crypt(_stored(image), _key(image, recipe), APP_LOGICAL)


def _stored(image: Image) -> bytes:
    """The app's enciphered code, every block checked, without its RBL header and the filling before that."""
    container = image.rbl_of("app")
    app = _app(image)
    if container is None:
        return unpack(app)
    code = unpack(
        app[: min(container.code_length, container.offset - APP_START)]
    )  # behind it, earlier apps may have left theirs
    if container.faults:
        raise ImageError(
            f"RBL of {container.header.name}: {container.faults[0]}",
            offset=container.offset - image.base,
            hint="the code is not the one this header was made for; read or download the file again",
        )
    return rbl.stored_code(container.header, code)


def _packed(image: Image, recipe: Recipe) -> bytes:
    if image.kind.is_flash_image:
        return pack(_stored(image))
    return pack(crypt(_filled(_plain(image, recipe)), _key(image, recipe), APP_LOGICAL))


def _ua(image: Image, recipe: Recipe) -> bytes:
    if image.kind.is_flash_image and image.rbl_of("app"):
        _stored(image)  # nothing that is damaged is passed on
        return _app(image)
    stored = crypt(_filled(_plain(image, recipe)), _key(image, recipe), APP_LOGICAL)
    return pack_with_rbl(
        rbl.add_rbl(stored, APP_CONTAINER, version=_version(image, recipe), timestamp=recipe.timestamp)
    )


def pack_with_rbl(container: bytes) -> bytes:
    """A container with its RBL header, as it is stored in flash: erased where nothing was written, without CRCs."""
    used = rbl.decode_header(container[-rbl.HEADER :]).raw_size
    # CRCs for what is in use only: flash behind it stays erased (FFFF), where a written block of FF has 000C.
    # Source: bk7231-image/packing
    body = pack(container[: used + -used % BLOCK])
    header = pack(container[-rbl.HEADER :])
    return body.ljust(to_physical(len(container)) - len(header), b"\xff") + header


def _qio(image: Image, recipe: Recipe) -> bytes:
    return _bootloader(image, recipe) + _ua(image, recipe)


def _bootloader(image: Image, recipe: Recipe) -> bytes:
    found = recipe.bootloader or image.loader
    if found is None:
        raise MissingInput(
            f"there is no whole bootloader in this {image.kind.value}",
            field="bootloader",
            hint="give a file that has one: a dump or a QIO image of the same chip",
        )
    # Refuses one with a bad block: a T whose bootloader is damaged answers no flasher. Source: bk-boot/loader-1
    unpack(found)
    _check_chips(image, recipe)
    return found


def _check_chips(image: Image, recipe: Recipe) -> None:
    """Raise ImageError for a bootloader of another chip: with it in front, the chip of the app could not be seen."""
    other = recognise(recipe.bootloader).chip if recipe.bootloader is not None else None
    if other is not None and image.chip is not None and other is not image.chip:
        raise ImageError(
            f"the bootloader is for a {other.value}, the {image.kind.value} for a {image.chip.value}",
            hint=f"take the bootloader from an image or a dump of a {image.chip.value}",
        )


def _version(image: Image, recipe: Recipe) -> str:
    """The text of a header: as asked for, else as the image's own header has it, with the chip that is known."""
    if recipe.version is not None:
        return recipe.version
    own = next((c.header.version for c in image.containers if not c.stale and c.header.name == "app"), "")
    version = own or DEFAULT_VERSION
    # A chip that is in doubt stays out of the header, where it would be evidence for itself.
    if image.chip is None or image.chip_contradictions or image.chip.value.lower() in version.lower():
        return version
    return f"{version[: rbl.VERSION_BYTES - len(image.chip.value) - 1]} {image.chip.value}"


def _dump(image: Image, recipe: Recipe) -> bytes:
    # Put together from an app and a bootloader, a dump would bring another board's RF block, or none.
    if image.kind not in (ImageKind.DUMP, ImageKind.ROTATED) or image.base:
        raise ImageError(
            f"there is no whole flash in this {image.kind.value}",
            hint="the RF block and the settings exist on one board alone: only a dump of it has them",
        )
    return image.flash


def _rbl(image: Image, recipe: Recipe) -> bytes:
    if image.kind is ImageKind.RBL:
        return image.data
    if image.kind is ImageKind.UG:
        return ug.unwrap(image.data)[1]
    return rbl.build_ota(_plain(image, recipe), version=_version(image, recipe), timestamp=recipe.timestamp)


def _ug(image: Image, recipe: Recipe) -> bytes:
    return image.data if image.kind is ImageKind.UG else ug.wrap(_rbl(image, recipe), _version(image, recipe))


_MAKERS: Final[Mapping[OutputKind, Callable[[Image, Recipe], bytes]]] = MappingProxyType(
    {
        OutputKind.PLAIN: _plain,
        OutputKind.PACKED: _packed,
        OutputKind.UA: _ua,
        OutputKind.QIO: _qio,
        OutputKind.DUMP: _dump,
        OutputKind.BOOTLOADER: _bootloader,
        OutputKind.RBL: _rbl,
        OutputKind.UG: _ug,
    }
)


def _app(image: Image) -> bytes:
    app = image.app if image.kind is not ImageKind.PACKED or image.base else image.data
    if not app:
        raise ImageError(
            f"there is no app in this {image.kind.value}",
            hint="look at what is in the file",
        )
    return app


def _key(image: Image, recipe: Recipe) -> CodeKey:
    """The code key: as asked for, else what the image was found to be under, else what its chip is made with."""
    # Plain code was found under no key at all, which does not say which key its chip has.
    key = recipe.key or (image.key if image.kind is not ImageKind.PLAIN else None)
    if key is None and image.chip is not None:
        key = code_key(image.chip)
    if key is None:
        raise MissingInput(
            f"nothing in this {image.kind.value} says which code key its chip has",
            field="key",
            hint="give the code key: tuya for N and T modules of Tuya, zero for BK7231M and chips without a key",
        )
    return key


def _filled(code: bytes) -> bytes:
    return code + b"\xff" * (-len(code) % BLOCK)
