"""The 19 registers of the BL0942, in datasheet order, and the words for their bits.

Source: bl0942-ds/registers. Where real chips differ from the documents, the line says so.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from wattrail.chips.belling import LineFrequency, RmsUpdate
from wattrail.wire.register import Access, Field, Register

RW = Access.READ_WRITE
KEY = Access.KEY


class FastRms(IntEnum):
    """MODE[4]: what the fast RMS sees; reserved in datasheet V1.04."""

    FULL_WAVE = 0
    AC_ONLY = 1


class Accumulation(IntEnum):
    """MODE[7]: what the energy counter counts."""

    ALGEBRAIC = 0
    ABSOLUTE = 1


class UartRate(IntEnum):
    """MODE[9:8]; 0 and 1 leave the rate to the strap."""

    STRAP = 0
    STRAP_TOO = 1
    BAUD_19200 = 2
    BAUD_38400 = 3


class Output(IntEnum):
    """OT_FUNX: what a logic output shows."""

    ENERGY_PULSE = 0
    OVER_CURRENT = 1
    VOLTAGE_ZERO_CROSSING = 2
    CURRENT_ZERO_CROSSING = 3


class Gain(IntEnum):
    """GAIN_CR: gain of the current channel."""

    X1 = 0
    X4 = 1
    X16 = 2
    X24 = 3

    @property
    def factor(self) -> int:
        """The gain as a number."""
        return (1, 4, 16, 24)[self]


RESERVED: Final = Field("reserved", 0, 2)  # V1.04 and V1.05 print 00; reset value and real dump say 11: keep them at 11
# Off, it stops CF_CNT as well as the pulses at the outputs.
CF_EN: Final = Field("cf_en", 2)
RMS_UPDATE: Final = Field("rms_update", 3, values=RmsUpdate)
FAST_RMS: Final = Field("fast_rms", 4, values=FastRms)
# It sets how long a cycle of the fast RMS is. No version documents any other effect.
AC_FREQ: Final = Field("ac_freq", 5, values=LineFrequency)
# Stays off: with it each read clears the counter, and the energy of a reply that is damaged on the way is lost.
CF_CNT_CLEAR: Final = Field("cf_cnt_clear", 6)
CF_CNT_ADD: Final = Field("cf_cnt_add", 7, values=Accumulation)
UART_RATE: Final = Field("uart_rate", 8, 2, values=UartRate)
MODE_FIELDS: Final = (RESERVED, CF_EN, RMS_UPDATE, FAST_RMS, AC_FREQ, CF_CNT_CLEAR, CF_CNT_ADD, UART_RATE)

CF_REVP: Final = Field("cf_revp", 0)  # direction of the last CF pulse, not of the present power
CREEP: Final = Field("creep", 1)  # may be 1 while small I_RMS and WATT are still there (seen)
UNKNOWN: Final = Field("unknown", 2, 6)  # documented 0; bit 5 toggles on real chips (seen): never compare it
I_ZX_LOW: Final = Field("i_zx_low", 8)  # the normal state of any small load
V_ZX_LOW: Final = Field("v_zx_low", 9)  # FREQ is not measured while set
STATUS_FIELDS: Final = (CF_REVP, CREEP, UNKNOWN, I_ZX_LOW, V_ZX_LOW)

# CF2 and ZX are pins of the TSSOP14L only.
CF1: Final = Field("cf1", 0, 2, Output)
CF2: Final = Field("cf2", 2, 2, Output)
ZX: Final = Field("zx", 4, 2, Output)
GAIN: Final = Field("gain", 0, 2, Gain)

# fmt: off
# The two waves come with zeros above bit 19, so the sign is that of bit 19. Drivers that name TPS_CTRL
# (1B) or I_FAST_RMS_CTRL (10) here have them from the BL0940: the BL0942 has no such registers.
I_WAVE         = Register(0x01, "I_WAVE",         20, 0x000000, "current sample", signed=True)
V_WAVE         = Register(0x02, "V_WAVE",         20, 0x000000, "voltage sample", signed=True)
I_RMS          = Register(0x03, "I_RMS",          24, 0x000000, "current, rms; 0 in creep")
V_RMS          = Register(0x04, "V_RMS",          24, 0x000000, "voltage, rms")
I_FAST_RMS     = Register(0x05, "I_FAST_RMS",     24, 0x000000, "fast current, mean of absolute value")
WATT           = Register(0x06, "WATT",           24, 0x000000, "active power", signed=True)
CF_CNT         = Register(0x07, "CF_CNT",         24, 0x000000, "energy pulse counter")
FREQ           = Register(0x08, "FREQ",           16, 0x004E20, "line period, 1e6 / hertz")
STATUS         = Register(0x09, "STATUS",         10, 0x000000, "flags", fields=STATUS_FIELDS)
I_RMSOS        = Register(0x12, "I_RMSOS",         8, 0x000000, "small-signal correction of I_RMS; scale unknown", access=RW)
WA_CREEP       = Register(0x14, "WA_CREEP",        8, 0x00000B, "no-load threshold, 3125/256 WATT counts a step", access=RW)
I_FAST_RMS_TH  = Register(0x15, "I_FAST_RMS_TH",  16, 0x00FFFF, "over-current threshold, I_FAST_RMS[23:8]", access=RW)
I_FAST_RMS_CYC = Register(0x16, "I_FAST_RMS_CYC",  3, 0x000001, "fast RMS window: 0.5, 1, 2, 4, 8 line cycles", access=RW)
FREQ_CYC       = Register(0x17, "FREQ_CYC",        2, 0x000003, "FREQ refresh: 2, 4, 8, 16 line cycles", access=RW)
OT_FUNX        = Register(0x18, "OT_FUNX",         6, 0x000024, "routing of the logic outputs", access=RW, fields=(CF1, CF2, ZX))
MODE           = Register(0x19, "MODE",           10, 0x000087, "user mode", access=RW, fields=MODE_FIELDS)
GAIN_CR        = Register(0x1A, "GAIN_CR",         2, 0x000002, "gain of the current channel", access=RW, fields=(GAIN,))
SOFT_RESET     = Register(0x1C, "SOFT_RESET",     24, 0x000000, "0x5A5A5A resets", access=KEY)
USR_WRPROT     = Register(0x1D, "USR_WRPROT",      8, 0x000000, "0x55 unlocks the writable registers", access=KEY)
# fmt: on

REGISTERS: Final = (
    I_WAVE, V_WAVE, I_RMS, V_RMS, I_FAST_RMS, WATT, CF_CNT, FREQ, STATUS,
    I_RMSOS, WA_CREEP, I_FAST_RMS_TH, I_FAST_RMS_CYC, FREQ_CYC, OT_FUNX, MODE, GAIN_CR,
    SOFT_RESET, USR_WRPROT,
)  # fmt: skip
"""All of them, in datasheet order."""

BY_ADDRESS: Final = {register.address: register for register in REGISTERS}

UNLOCK_KEY: Final = 0x55
LOCK_KEY: Final = 0x00
# Never sent by the meter. V1.05 says that it resets the writable registers, V1.04 and V1.1 the whole
# chip; ESPHome has an option against it, for it clears the energy counter (esphome/esphome PR #7428).
RESET_KEY: Final = 0x5A5A5A
UNLOCKED_READS: Final = 0x01
"""What USR_WRPROT reads back after a good unlock: not the key (seen by OpenBeken's SPI driver)."""
