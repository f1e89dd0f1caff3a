"""The BL0940 as one record. Source: bl0940-ds/registers, bl0940-ds/uart-frame."""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import RmsUpdate
from wattrail.chips.bl0940.constants import BAUD, FRAME_GAP_S, HEADS, PACKET_LENGTH, REFRESH_S
from wattrail.chips.bl0940.registers import (
    CF_CNT,
    I_FAST_RMS,
    I_FAST_RMS_CTRL,
    I_RMS,
    LOCK_KEY,
    MODE,
    REGISTERS,
    TPS1,
    TPS2,
    TPS_CTRL,
    UNLOCK_KEY,
    UNLOCKED_READS,
    USR_WRPROT,
    V_RMS,
    WA_CREEP,
    WATT,
)
from wattrail.chips.bl0940.sample import SETTINGS, Bl0940Sample
from wattrail.chips.bl0940.scaling import SCALING, celsius, creep_watts
from wattrail.chips.protocol import (
    Capability,
    MeteringChip,
    Obstacle,
    RegisterScale,
    WriteProtection,
    electrical_scales,
)
from wattrail.chips.uart import PacketLayout, UartGrammar
from wattrail.energy_register import Direction

__all__ = ["BL0940"]

_PACKET: Final = PacketLayout(
    length=PACKET_LENGTH,
    places=(
        (I_FAST_RMS, 1, 3),
        (I_RMS, 4, 3),
        (V_RMS, 10, 3),
        (WATT, 16, 3),
        (CF_CNT, 22, 3),
        (TPS1, 28, 2),
        (TPS2, 31, 2),
    ),
    # The bytes between them are not 0: they hold what a BL0939 has as its second channel (captures 1 to 4).
    zeros=(30, 33),
)

BL0940: Final = MeteringChip(
    name="bl0940",
    registers=REGISTERS,
    energy=CF_CNT,
    modulus=1 << CF_CNT.bits,
    direction=Direction.NET,
    scaling=SCALING,
    sample_of=Bl0940Sample.of,
    uart=UartGrammar(
        heads=HEADS,
        is_addressed=False,
        packet=_PACKET,
        baud_rates=(BAUD,),
        rates="4800 baud and nothing else",
        frame_gap_s=FRAME_GAP_S + 0.0015,  # the datasheet lets a host pause for 20 ms in all
    ),
    refresh_s=REFRESH_S[RmsUpdate.MS_800],
    settings=SETTINGS,
    reset_marker=MODE,
    protection=WriteProtection(USR_WRPROT, UNLOCK_KEY, LOCK_KEY, (UNLOCKED_READS,)),
    probed=(MODE, WA_CREEP, I_FAST_RMS_CTRL, TPS_CTRL),
    scales={
        **electrical_scales(SCALING),
        "TPS1": RegisterScale(lambda count, _: celsius(count), "°C", 1),
        "WA_CREEP": RegisterScale(creep_watts, "W", 2),
    },
    obstacles={
        Capability.SPI: Obstacle(
            "the BL0940 is read over UART only",
            "leave its SEL pin open, join RX and TX, and open serial:///dev/ttyUSB0?chip=bl0940",
        ),
        Capability.WAVEFORM: Obstacle(
            "no waveform from a BL0940: over UART at 4800 baud one register takes 12.5 ms, and the chip makes 7812 "
            "samples a second",
            "use a meter with a BL0942 that is wired for SPI",
        ),
        Capability.FREQUENCY: Obstacle(
            "the BL0940 has no register for the line frequency", "measure it at the chip's ZX pin"
        ),
    },
)
