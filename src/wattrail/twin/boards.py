"""Whole boards: how the chip is wired on each, and where we know it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from wattrail.front_end import FRONT_ENDS, FrontEnd

__all__ = ["BOARDS", "BoardWiring"]


@dataclass(frozen=True, slots=True)
class BoardWiring:
    """One product. On UART ``baud`` is what the strap gives, ``heads`` the variant of the chip by its read head.

    ``outputs`` are wired out.
    """

    name: str
    title: str
    chip: str
    interface: Literal["spi", "uart"]
    front_end: FrontEnd
    outputs: tuple[str, ...]
    evidence: tuple[str, ...]
    chip_select: bool = False
    baud: int = 4800
    heads: Literal["58", "50"] = "58"


# Evidence for each fact that the label does not give; what is inferred says so.
_TABLE: Final = (
    BoardWiring(
        name="pziot-e01",
        title="Peacefair PZIOT-E01, DIN rail, current transformer inside",
        chip="bl0942",
        interface="spi",
        front_end=FRONT_ENDS["pziot-e01"],
        outputs=("cf1",),
        evidence=(
            "wiring P14 SCLK, P16 SDI, P17 SDO, P9 CF1, no chip select: read on the board (elektroda topic 3945667)",
            "burden and divider: inferred from 0.34 Wh a count (OpenBK7231T_App PR #827), not measured",
        ),
    ),
    BoardWiring(
        name="lspa9",
        title="LSPA9 smart plug, shunt",
        chip="bl0942",
        interface="uart",
        front_end=FRONT_ENDS["lspa9"],
        outputs=(),
        evidence=(
            "UART at 4800 baud, address 0: as public plug configurations use it",
            "1 milliohm shunt and 5x390k/510 divider: as captures of such plugs show",
        ),
    ),
    BoardWiring(
        name="bw-shp10",
        title="Blitzwolf BW-SHP10 smart plug, shunt",
        chip="bl0940",
        interface="uart",
        front_end=FRONT_ENDS["bw-shp10"],
        heads="50",
        outputs=(),
        evidence=(
            "UART at 4800 baud, heads 0x50 and 0xA0: as its stock firmware sends (Tasmota #8175)",
            "shunt and divider: from the 275000 counts an ampere and 33000 a volt of Tasmota and ESPHome, not measured",
        ),
    ),
)

BOARDS: Final[Mapping[str, BoardWiring]] = MappingProxyType({board.name: board for board in _TABLE})
"""Known boards by name."""
