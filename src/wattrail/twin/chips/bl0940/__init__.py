"""The BL0940: 20 registers, two variants of its frame heads, energy by sign, temperatures, and no line frequency."""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import Heads
from wattrail.chips.bl0940.constants import BAUD, FRAME_GAP_S, HEADS
from wattrail.chips.bl0940.registers import CF_CNT, I_FAST_RMS, I_RMS, TPS1, TPS2, V_RMS, WATT
from wattrail.twin.chip import ChipModel
from wattrail.twin.chip_tables import UartDialect, UartTiming
from wattrail.twin.chips.bl0940.array import CF_B, I_B, I_FAST_B, WATT_B, Bl0940Array
from wattrail.twin.options import TwinOptions

__all__ = ["BL0940"]

_UART: Final = UartDialect(
    packet=(I_FAST_RMS, I_RMS, I_B, V_RMS, I_FAST_B, WATT, WATT_B, CF_CNT, CF_B, TPS1, TPS2),
    straps=(BAUD,),
    # One stop bit and 116 microseconds after it: the documented half of a stop bit, and 77 ms for a packet.
    timing=UartTiming(gap_s=FRAME_GAP_S, reply_s=72e-6, byte_gap_s=116e-6, break_bits=6.65e-3 * BAUD),
)


def _heads(options: TwinOptions) -> Heads:
    wanted = int(options.get("heads", "58"), 16)
    return next(heads for heads in HEADS if heads.read == wanted)


BL0940: Final = ChipModel(
    name="bl0940",
    array=Bl0940Array,
    uart=_UART,
    heads=_heads,
    options=("heads", "celsius"),
    dc_mv=(0.0031, 0.0047),  # idle I_FAST_RMS of 650 to 1010 counts in captures
    spi=False,
)
