"""Metering chips, a folder each, behind one protocol. Pure: bytes in, events out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattrail.chips.bl0940 import BL0940
from wattrail.chips.bl0942 import BL0942
from wattrail.chips.protocol import Capability, ChipSample, MeteringChip
from wattrail.errors import UrlError

__all__ = ["BL0940", "BL0942", "CHIPS", "DEFAULT_CHIP", "Capability", "ChipSample", "MeteringChip", "chip_named"]

CHIPS: Final[Mapping[str, MeteringChip]] = MappingProxyType({chip.name: chip for chip in (BL0942, BL0940)})
"""Every chip that can be read, by name."""

DEFAULT_CHIP: Final = BL0942.name


def chip_named(name: str) -> MeteringChip:
    """A chip by name. Raises UrlError, which lists the known ones."""
    try:
        return CHIPS[name]
    except KeyError:
        raise UrlError(
            f"unknown chip {name!r}; known: {', '.join(CHIPS)}", hint=f"for example chip={DEFAULT_CHIP}"
        ) from None
