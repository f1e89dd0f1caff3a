"""What an image turned out to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from wattrail.bk7231 import APP_START, Chip
from wattrail.image.bootloader import BootloaderInfo
from wattrail.image.code import BLANK, BLOCK, PACKED, CodeKey, to_physical, without_blank_end
from wattrail.image.layout import LAYOUTS, Layout
from wattrail.image.rbl import PACKED_HEADER, RblHeader
from wattrail.image.rf import RfBlock
from wattrail.image.uf2 import Uf2

__all__ = ["Confidence", "Container", "Image", "ImageKind", "Problem", "Range", "rbl_of"]


class ImageKind(Enum):
    """Kinds of image; the value is what people call it."""

    DUMP = "flash dump"
    ROTATED = "rotated flash dump"
    QIO = "QIO image"
    UA = "UA image"
    BOOTLOADER = "bootloader"
    PACKED = "packed code"
    STORED = "enciphered code without CRCs"
    PLAIN = "plain code"
    RBL = "RBL container"
    UG = "UG container"
    UF2 = "UF2 image"
    RF = "RF block"
    TUYA = "Tuya settings area"
    BLANK = "blank file"
    UNKNOWN = "unknown file"

    @property
    def is_flash_image(self) -> bool:
        """Whether its bytes are bytes of flash."""
        return self in _FLASH_IMAGES


_FLASH_IMAGES: Final = (
    ImageKind.DUMP, ImageKind.ROTATED, ImageKind.QIO, ImageKind.UA, ImageKind.BOOTLOADER, ImageKind.PACKED,
)  # fmt: skip


class Confidence(Enum):
    """How sure recognition is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be. ``offset`` is where in the file, in bytes, or None."""

    what: str
    offset: int | None = None

    def __str__(self) -> str:
        return self.what if self.offset is None else f"at {self.offset:#x}: {self.what}"


@dataclass(frozen=True, slots=True)
class Range:
    """A run of bytes of the file and where they belong in flash."""

    name: str
    offset: int
    flash: int
    length: int


@dataclass(frozen=True, slots=True)
class Container:
    """An RBL header that was found. ``offset`` is where in flash, or in the file for bytes outside flash.

    ``stale`` is one that an earlier image left behind: another header of its partition fits, or was looked at first.
    """

    offset: int
    header: RblHeader
    packed: bool
    faults: tuple[str, ...] = ()
    stale: bool = False

    @property
    def code_length(self) -> int:
        """Bytes of flash that its code takes, to the end of the last block; what follows up to the header is not it."""
        return to_physical(self.header.raw_size + -self.header.raw_size % BLOCK)

    @property
    def was_updated(self) -> bool:
        """Whether a loader put this code there from an update over the air, and left the update's header behind it."""
        return self.packed and self.header.is_of_update


@dataclass(frozen=True, slots=True)
class Image:
    """A file, recognised. ``flash`` are the bytes it puts into flash and ``base`` is where they begin.

    ``rf_at`` is where in flash its RF block stands. ``problems`` is damage; evidence for another chip than ``chip`` is
    none, and stands in ``chip_contradictions``.
    """

    kind: ImageKind
    confidence: Confidence
    data: bytes = field(repr=False)
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    chip: Chip | None = None
    chip_confidence: Confidence = Confidence.NONE
    chip_reasons: tuple[str, ...] = ()
    chip_contradictions: tuple[str, ...] = ()
    key: CodeKey | None = None
    flash: bytes = field(default=b"", repr=False)
    base: int = 0
    ranges: tuple[Range, ...] = ()
    bootloader: BootloaderInfo | None = None
    containers: tuple[Container, ...] = ()
    rf: RfBlock | None = None
    rf_at: int | None = None
    settings: tuple[str, ...] = ()
    uf2: Uf2 | None = None
    rotated_by: int = 0
    """Where in flash the first byte of a rotated dump belongs."""

    @property
    def layout(self) -> Layout:
        """Partitions of its chip; of an N where the chip is not known, which is the commonest."""
        return LAYOUTS[self.chip or Chip.N]

    @property
    def app(self) -> bytes | None:
        """The app as it is stored in flash, up to the end of its header or of what was written; None without one."""
        if not self.kind.is_flash_image or self.base > APP_START or len(self.flash) <= APP_START - self.base:
            return None
        container = self.rbl_of("app")
        end = (
            container.offset + PACKED_HEADER if container else min(self.layout["app"].end, self.base + len(self.flash))
        )
        found = self.flash[APP_START - self.base : end - self.base]
        return found if container else without_blank_end(found)

    @property
    def loader(self) -> bytes | None:
        """The whole bootloader partition; None if it is not here, or not whole."""
        if not self.kind.is_flash_image or self.base or len(self.flash) < APP_START or self.flash[:PACKED] == BLANK:
            return None
        return self.flash[:APP_START]

    def rbl_of(self, name: str) -> Container | None:
        """The header in flash of a partition, by the name it carries."""
        return rbl_of(self.containers, name)


def rbl_of(containers: tuple[Container, ...], name: str) -> Container | None:
    """The header in flash of a partition among those that were found; None for one that an earlier image left."""
    return next((c for c in containers if c.packed and not c.stale and c.header.name == name), None)
