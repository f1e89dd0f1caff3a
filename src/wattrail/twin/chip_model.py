"""What a metering chip's twin states about itself. Nothing outside its folder of ``twin.chips`` names its registers.

A chip's tables are the modules ``registers`` and ``constants`` of its driver; ``RegisterTable`` and ``Silicon`` say
what a twin needs of them, under the names that the datasheets of this family share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wattrail.chips.belling import Heads
from wattrail.wire.register import Field, Register

if TYPE_CHECKING:
    from wattrail.twin.chip_array import ChipArray
    from wattrail.twin.options import TwinOptions
    from wattrail.twin.uart_engine import UartDialect

__all__ = ["ChipModel", "RegisterTable", "Silicon"]


class Silicon(Protocol):
    """The measurement constants of a chip: its module ``constants``."""

    V_REF: float
    I_RMS_PER_MV: int
    V_RMS_PER_MV: int
    WATT_PER_MV2: int
    FAST_RMS_RATIO: float
    CF_WATT_SECONDS: float
    CREEP_STEP: float
    I_CLIP_MV: float
    V_CLIP_MV: float
    SAMPLE_HZ: float
    REFRESH_S: tuple[float, float]


class RegisterTable(Protocol):
    """The registers that every chip here has: its module ``registers``."""

    BY_ADDRESS: dict[int, Register]
    I_WAVE: Register
    V_WAVE: Register
    I_RMS: Register
    V_RMS: Register
    I_FAST_RMS: Register
    WATT: Register
    CF_CNT: Register
    WA_CREEP: Register
    MODE: Register
    RMS_UPDATE: Field
    SOFT_RESET: Register
    USR_WRPROT: Register
    UNLOCK_KEY: int
    UNLOCKED_READS: int
    RESET_KEY: int


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
