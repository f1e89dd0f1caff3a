"""What is known of the chip, the flash and the board behind a link: a value that each layer of the flasher may hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from wattrail.bootrom import TRAITS, Identity, Responder, Traits
from wattrail.bootrom.geometry import FlashPart
from wattrail.image import LAYOUTS, Chip, Layout

__all__ = ["FlashTarget"]


@dataclass(frozen=True, slots=True)
class FlashTarget:
    """A chip that was asked who it is.

    ``flash_id`` is capacity, kind, manufacturer, None where it cannot be asked for; ``size`` in bytes, and
    ``size_is_measured`` says that it was measured or given by the id, not assumed. ``rf_crc`` is the CRC of the sector
    with the radio calibration: it tells one board from another where ``has_identity``, that is, where an RF block with
    a MAC address of the board's own stands there. ``key`` are the 16 bytes of the code key, None if not read.
    """

    identity: Identity
    responder: Responder
    size: int
    size_is_measured: bool
    flash_id: int | None = None
    part: FlashPart | None = None
    sr: int | None = None
    rf_crc: int = 0
    rf_blank: bool = False
    has_identity: bool = True
    key: bytes | None = field(default=None, repr=False)
    boot_version: str | None = None

    def __post_init__(self) -> None:
        """A blank RF sector is nobody's."""
        if self.rf_blank:
            object.__setattr__(self, "has_identity", False)

    @property
    def chip(self) -> Chip | None:
        """The chip; None if it was not recognised."""
        return self.identity.chip

    @property
    def traits(self) -> Traits:
        """The responder's ways."""
        return TRAITS[self.responder]

    @property
    def layout(self) -> Layout:
        """Partitions; those of the commonest chip behind the same responder if the chip was not recognised."""
        return LAYOUTS[self.chip or (Chip.N if self.responder is Responder.BOOT_ROM else Chip.T)]

    @property
    def board(self) -> str:
        """A name for this one board, without telling its MAC address; many may share it where it has no identity."""
        chip = self.chip.value.lower() if self.chip else "unknown"
        flash = f"{self.flash_id:06x}" if self.flash_id else "flash"
        if self.rf_blank:
            return f"{chip}-{flash}-without-rf"
        return f"{chip}-{flash}-" + (f"{self.rf_crc:08x}" if self.has_identity else "without-identity")
