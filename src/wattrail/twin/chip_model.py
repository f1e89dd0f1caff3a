"""One kind of metering chip that can be twinned: its registers over time, its UART, its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattrail.chips.belling import Heads
from wattrail.twin.chip_array import ChipArray
from wattrail.twin.chip_tables import UartDialect
from wattrail.twin.options import TwinOptions

__all__ = ["ChipModel"]


@dataclass(frozen=True, slots=True)
class ChipModel:
    """One chip that can be twinned.

    ``heads`` gives the first bytes of its UART frames; ``options`` are those of ``TwinOptions`` that mean something to
    this chip and not to every other. ``dc_mv`` is the range of offsets at the current pins that explains the
    I_FAST_RMS of captured devices at no load. ``spi`` is False where the chip's SPI is not modelled.
    """

    name: str
    array: type[ChipArray]
    uart: UartDialect
    heads: Callable[[TwinOptions], Heads]
    options: tuple[str, ...]
    dc_mv: tuple[float, float]
    spi: bool = True

    @property
    def title(self) -> str:
        """The name as it is printed on the chip."""
        return self.name.upper()
