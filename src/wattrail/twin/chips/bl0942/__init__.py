"""The BL0942: 19 registers, an address of two bits, energy by amount or by sign, line frequency."""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import Heads
from wattrail.chips.bl0942.constants import BAUD_RATES, HEADS
from wattrail.chips.bl0942.registers import CF_CNT, FREQ, I_FAST_RMS, I_RMS, STATUS, V_RMS, WATT
from wattrail.twin.chip import ChipModel
from wattrail.twin.chip_tables import UartDialect, UartTiming
from wattrail.twin.chips.bl0942.array import Bl0942Array
from wattrail.twin.options import TwinOptions

__all__ = ["BL0942"]

_UART: Final = UartDialect(
    # The high byte of STATUS stands in byte 20, as in every capture, where the datasheets print 0.
    packet=(I_RMS, V_RMS, I_FAST_RMS, WATT, CF_CNT, FREQ, STATUS),
    straps=BAUD_RATES[:2],
    # V1.1. V1.04 and V1.05 say 20 ms from the head, and 150 microseconds instead of half a bit.
    timing=UartTiming(frame_s=0.016, reply_bits=0.5),
)


def _heads(options: TwinOptions) -> Heads:
    return HEADS[options.get("address", 0)]


BL0942: Final = ChipModel(
    name="bl0942",
    array=Bl0942Array,
    uart=_UART,
    heads=_heads,
    options=("strap", "address", "toggling"),
    dc_mv=(0.15, 0.75),  # four captured devices
)
