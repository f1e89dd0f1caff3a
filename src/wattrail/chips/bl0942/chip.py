"""The BL0942 as one record. Source: bl0942-ds/registers, bl0942-ds/uart-frame."""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import RmsUpdate
from wattrail.chips.bl0942.constants import BAUD_RATES, FRAME_GAP_S, HEADS, REFRESH_S, SAMPLE_HZ
from wattrail.chips.bl0942.registers import (
    CF_CNT,
    FREQ,
    FREQ_CYC,
    GAIN_CR,
    I_FAST_RMS,
    I_RMS,
    I_WAVE,
    LOCK_KEY,
    MODE,
    OT_FUNX,
    REGISTERS,
    STATUS,
    UNLOCK_KEY,
    UNLOCKED_READS,
    USR_WRPROT,
    V_RMS,
    V_WAVE,
    WA_CREEP,
    WATT,
)
from wattrail.chips.bl0942.sample import SETTINGS, Bl0942Sample
from wattrail.chips.bl0942.scaling import SCALING, creep_watts, fast_amps, hertz
from wattrail.chips.protocol import (
    Capability,
    MeteringChip,
    Obstacle,
    RegisterScale,
    WaveformRegisters,
    WriteProtection,
    electrical_scales,
)
from wattrail.chips.uart import PacketLayout, UartGrammar
from wattrail.energy_register import Direction

__all__ = ["BL0942"]

_PACKET: Final = PacketLayout(
    length=23,
    places=(
        (I_RMS, 1, 3),
        (V_RMS, 4, 3),
        (I_FAST_RMS, 7, 3),
        (WATT, 10, 3),
        (CF_CNT, 13, 3),
        (FREQ, 16, 2),
        (STATUS, 19, 2),  # byte 20 carries STATUS[15:8] on every captured chip, where the datasheets print 0
    ),
    zeros=(18, 21),
)

BL0942: Final = MeteringChip(
    name="bl0942",
    registers=REGISTERS,
    energy=CF_CNT,
    modulus=1 << CF_CNT.bits,
    direction=Direction.SUM,  # MODE.cf_cnt_add is absolute in the settings
    scaling=SCALING,
    sample_of=Bl0942Sample.of,
    uart=UartGrammar(
        heads=HEADS,
        is_addressed=True,
        packet=_PACKET,
        baud_rates=BAUD_RATES,
        rates="4800 baud, or 9600 if its SCLK_BPS pin is high",
        frame_gap_s=FRAME_GAP_S,
    ),
    refresh_s=REFRESH_S[RmsUpdate.MS_800],
    spi_sample=(I_RMS, V_RMS, WATT, CF_CNT, FREQ, STATUS),
    settings=SETTINGS,
    reset_marker=MODE,
    # OpenBeken verifies by a 1 over SPI. That UART reads the same is not proven, so the key itself passes too.
    protection=WriteProtection(USR_WRPROT, UNLOCK_KEY, LOCK_KEY, (UNLOCKED_READS, UNLOCK_KEY)),
    probed=(MODE, GAIN_CR, FREQ_CYC, OT_FUNX, WA_CREEP),
    scales={
        **electrical_scales(SCALING),
        "FREQ": RegisterScale(lambda count, _: hertz(count) if count else None, "Hz", 3),
        "WA_CREEP": RegisterScale(creep_watts, "W", 2),
        "I_FAST_RMS_TH": RegisterScale(lambda count, calibration: fast_amps(count << 8, calibration), "A", 1),
    },
    wave=WaveformRegisters(volts=V_WAVE, amps=I_WAVE, sample_hz=SAMPLE_HZ),
    obstacles={
        Capability.TEMPERATURE: Obstacle("the BL0942 measures no temperature", "a BL0940 does"),
    },
)
