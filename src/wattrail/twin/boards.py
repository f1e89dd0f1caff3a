"""Whole boards: how the chip is wired on each, and where we know it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from wattrail.front_end import FRONT_ENDS, FrontEnd

__all__ = ["BOARDS", "Board"]


@dataclass(frozen=True, slots=True)
class Board:
    """One product. ``baud`` is what the strap gives and means something on UART only; ``outputs`` are wired out."""

    name: str
    title: str
    interface: Literal["spi", "uart"]
    front_end: FrontEnd
    outputs: tuple[str, ...]
    evidence: tuple[str, ...]
    chip_select: bool = False
    baud: int = 4800


_TABLE: Final = (
    Board(
        name="pziot-e01",
        title="Peacefair PZIOT-E01, DIN rail, current transformer inside",
        interface="spi",
        front_end=FRONT_ENDS["pziot-e01"],
        outputs=("cf1",),
        evidence=(
            "wiring P14 SCLK, P16 SDI, P17 SDO, P9 CF1, no chip select: read on the board (elektroda topic 3945667)",
            "burden and divider: inferred from 0.34 Wh a count (OpenBK7231T_App PR #827), not measured",
        ),
    ),
    Board(
        name="lspa9",
        title="LSPA9 smart plug, shunt",
        interface="uart",
        front_end=FRONT_ENDS["lspa9"],
        outputs=(),
        evidence=(
            "UART at 4800 baud, address 0: as public plug configurations use it",
            "1 milliohm shunt and 5x390k/510 divider: as captures of such plugs show",
        ),
    ),
)

BOARDS: Final[Mapping[str, Board]] = MappingProxyType({board.name: board for board in _TABLE})
"""Known boards by name."""
