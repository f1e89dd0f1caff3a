"""Numbers of the silicon, each in one place. Pin voltages are millivolts rms.

Source: bl0940-ds/formulas unless said otherwise; docs/references.md says what each key means.
"""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import Heads

V_REF: Final = 1.218
"""Reference voltage, volts."""

I_RMS_PER_MV: Final = 324004
V_RMS_PER_MV: Final = 79931
WATT_PER_MV2: Final = 4046
"""Register counts per millivolt (squared) at the pins, times V_REF (squared)."""

FAST_RMS_RATIO: Final = 0.72
"""I_FAST_RMS over I_RMS for a sine, as one author of a driver measured it; idle it shows 650 to 1010 (captured)."""

CF_WATT_SECONDS: Final = 1638.4 * 256
"""WATT counts times seconds in one count of CF_CNT: 419430.4."""

CREEP_STEP: Final = 3125 / 128
"""WATT counts in one step of WA_CREEP: 8 * 3.0517578125."""

I_FULL_SCALE_MV: Final = 35.0
I_CLIP_MV: Final = 50.0
"""Largest rms signal at the current pins, and the peak at which they clip."""

V_FULL_SCALE_MV: Final = 255.0
V_CLIP_MV: Final = 361.0
"""Where the 24 bits of V_RMS end. The datasheet says 70 mV rms and 100 mV peak, yet BW-SHP10 plugs measure mains of
232 V as 7652864 counts, 117 mV by the formula above, and the power beside it agrees within 0.1 % (capture 4)."""

SAMPLE_HZ: Final = 7812.5
"""Waveform samples per second: 4 MHz / 512; the datasheet says 7.8 kSPS."""

REFRESH_S: Final = (0.4, 0.8)
"""Refresh period of the RMS and power averages by MODE.rms_update."""

BAUD: Final = 4800
"""The only rate. The datasheet asks for 1.5 stop bits; every public driver runs 8N1."""


DATASHEET_HEADS: Final = Heads(read=0x58, write=0xA8)
PLUG_HEADS: Final = Heads(read=0x50, write=0xA0)
HEADS: Final = (DATASHEET_HEADS, PLUG_HEADS)
"""Both are met on real chips: the first on the Rowi2 plug, the second on the BW-SHP10, whose stock firmware sends it.

Which package has which is not known, so a driver tries both.
"""

PACKET_COMMAND: Final = 0xAA
PACKET_HEADER: Final = 0x55
"""The datasheet's table prints 0x58 for the header, its checksum formula 0x55; all nine captures have 0x55."""

PACKET_LENGTH: Final = 35

TPS_OPEN: Final = 0x3FE
"""TPS2 with nothing at its pin (captured)."""

FRAME_GAP_S: Final = 0.0185
"""Silence inside a frame that resets the chip's receiver. RX low for more than 6.65 ms resets it as well."""
