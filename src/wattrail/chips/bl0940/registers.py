"""The 20 registers of the BL0940, in datasheet order, and the words for their bits.

Source: bl0940-ds/registers. Where real chips differ from the document, the line says so.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from wattrail.chips.belling import LineFrequency, RmsUpdate
from wattrail.wire.register import Access, Field, Register

RW = Access.READ_WRITE
KEY = Access.KEY


class CfOutput(IntEnum):
    """MODE[12]: what the CF pin shows. The counter counts on in either case (captures 3 and 4)."""

    ENERGY_PULSE = 0
    ALARM = 1


class FastRmsWindow(IntEnum):
    """I_FAST_RMS_CTRL[15]: over how much of a line cycle the fast RMS is averaged."""

    HALF_CYCLE = 0
    CYCLE = 1


class TemperatureSwitch(IntEnum):
    """TPS_CTRL[15]."""

    ON = 0
    OFF = 1


class AlarmSource(IntEnum):
    """TPS_CTRL[14]: what raises the alarm of the CF pin."""

    TEMPERATURE = 0
    OVER_CURRENT = 1


class TemperatureInputs(IntEnum):
    """TPS_CTRL[13:12]: which of the two are measured; TPS2 reads 0 where only the internal one is (seen)."""

    AUTO = 0
    AUTO_TOO = 1
    INTERNAL = 2
    EXTERNAL = 3


class TemperatureInterval(IntEnum):
    """TPS_CTRL[11:10]."""

    MS_50 = 0
    MS_100 = 1
    MS_200 = 2
    MS_400 = 3


# MODE[7:0], [11:10] and [15:13] are reserved. The text speaks of an enable in [11]; one driver writes [5:4] and [1:0].
RMS_UPDATE: Final = Field("rms_update", 8, values=RmsUpdate)
AC_FREQ: Final = Field("ac_freq", 9, values=LineFrequency)
CF_UNABLE: Final = Field("cf_unable", 12, values=CfOutput)

FAST_RMS_THRESHOLD: Final = Field("threshold", 0, 15)  # trips when I_FAST_RMS[23:9] reaches it
FAST_RMS_WINDOW: Final = Field("window", 15, values=FastRmsWindow)

TPS_THRESHOLD: Final = Field("threshold", 0, 10)  # of TPS2; 0x3FF in effect switches the alarm off
TPS_INTERVAL: Final = Field("interval", 10, 2, TemperatureInterval)
TPS_INPUTS: Final = Field("inputs", 12, 2, TemperatureInputs)
TPS_ALARM: Final = Field("alarm", 14, values=AlarmSource)
TPS_SWITCH: Final = Field("switch", 15, values=TemperatureSwitch)
TPS_FIELDS: Final = (TPS_THRESHOLD, TPS_INTERVAL, TPS_INPUTS, TPS_ALARM, TPS_SWITCH)

# fmt: off
I_FAST_RMS      = Register(0x00, "I_FAST_RMS",      24, 0x000000, "fast current, mean of absolute value")
I_WAVE          = Register(0x01, "I_WAVE",          20, 0x000000, "current sample", signed=True)  # bits 23:20 read 0: no sign extension
V_WAVE          = Register(0x03, "V_WAVE",          20, 0x000000, "voltage sample", signed=True)
I_RMS           = Register(0x04, "I_RMS",           24, 0x000000, "current, rms; 0 in creep")  # 51 and 73 in creep were captured
V_RMS           = Register(0x06, "V_RMS",           24, 0x000000, "voltage, rms")
WATT            = Register(0x08, "WATT",            24, 0x000000, "active power", signed=True)
CF_CNT          = Register(0x0A, "CF_CNT",          24, 0x000000, "energy pulses, import less export; below 0 it goes to 0xFFFFFF")
CORNER          = Register(0x0C, "CORNER",          16, 0x000000, "angle of voltage to current, 2 pi line hertz / 1e6 a count")
TPS1            = Register(0x0E, "TPS1",            10, 0x000000, "internal temperature")
TPS2            = Register(0x0F, "TPS2",            10, 0x000000, "external temperature input, raw; 0x3FE with the pin open")
I_FAST_RMS_CTRL = Register(0x10, "I_FAST_RMS_CTRL", 16, 0x00FFFF, "over-current threshold and window", access=RW, fields=(FAST_RMS_THRESHOLD, FAST_RMS_WINDOW))
I_RMSOS         = Register(0x13, "I_RMSOS",          8, 0x000000, "small-signal correction of I_RMS", signed=True, access=RW)  # a library has it at 0x12
WATTOS          = Register(0x15, "WATTOS",           8, 0x000000, "small-signal correction of WATT", signed=True, access=RW)
WA_CREEP        = Register(0x17, "WA_CREEP",         8, 0x00000B, "no-load threshold, 3125/128 WATT counts a step", access=RW)
MODE            = Register(0x18, "MODE",            16, 0x000000, "user mode", access=RW, fields=(RMS_UPDATE, AC_FREQ, CF_UNABLE))
SOFT_RESET      = Register(0x19, "SOFT_RESET",      24, 0x000000, "0x5A5A5A resets", access=KEY)
USR_WRPROT      = Register(0x1A, "USR_WRPROT",       8, 0x000000, "0x55 unlocks the writable registers", access=KEY)
TPS_CTRL        = Register(0x1B, "TPS_CTRL",        16, 0x0007FF, "temperature: inputs, interval, alarm", access=RW, fields=TPS_FIELDS)
TPS2_A          = Register(0x1C, "TPS2_A",           8, 0x000000, "gain correction of TPS2; scale unknown", access=RW)
TPS2_B          = Register(0x1D, "TPS2_B",           8, 0x000000, "offset correction of TPS2; scale unknown", access=RW)
# fmt: on

REGISTERS: Final = (
    I_FAST_RMS, I_WAVE, V_WAVE, I_RMS, V_RMS, WATT, CF_CNT, CORNER, TPS1, TPS2,
    I_FAST_RMS_CTRL, I_RMSOS, WATTOS, WA_CREEP, MODE, SOFT_RESET, USR_WRPROT, TPS_CTRL, TPS2_A, TPS2_B,
)  # fmt: skip
"""All of them, in datasheet order."""

BY_ADDRESS: Final = {register.address: register for register in REGISTERS}

UNLOCK_KEY: Final = 0x55
LOCK_KEY: Final = 0x00
RESET_KEY: Final = 0x5A5A5A
UNLOCKED_READS: Final = 0x55
"""What USR_WRPROT reads back after a good unlock: the key itself (one public driver refuses anything else)."""
