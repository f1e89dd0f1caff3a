"""Numbers of the silicon, each in one place. Pin voltages are millivolts rms.

Source: bl0942-ds/formulas unless said otherwise; docs/references.md says what each key means.
"""

from __future__ import annotations

from typing import Final

from wattrail.chips.belling import Heads

# Typical: no version of the datasheet gives a tolerance or a drift.
V_REF: Final = 1.218
"""Reference voltage, volts."""

I_RMS_PER_MV: Final = 305978
# The application note prints 73978 for the voltage transformer alone: a misprint, for the datasheets have one number.
V_RMS_PER_MV: Final = 73989
WATT_PER_MV2: Final = 3537
"""Register counts per millivolt (squared) at the pins, times V_REF (squared), at gain 16."""

# Not for small currents: without load four captured meters show 15 000 to 76
# 000 counts, for the full wave has the DC offset of chip and board in it.
FAST_RMS_RATIO: Final = 0.363
"""I_FAST_RMS over I_RMS for a large sine."""

CF_WATT_SECONDS: Final = 1638.4 * 256
"""WATT counts times seconds in one count of CF_CNT: 419430.4."""

CREEP_STEP: Final = 3125 / 256
"""WATT counts in one step of WA_CREEP."""

FREQ_NUMERATOR: Final = 1_000_000
"""Line frequency in hertz is this over FREQ. The "2 us per LSB" beside it in the datasheets contradicts it."""

I_FULL_SCALE_MV: Final = 30.0
V_FULL_SCALE_MV: Final = 70.0
"""Largest rms signal at the pins at gain 16."""

I_CLIP_MV: Final = 42.0
V_CLIP_MV: Final = 100.0
"""Peak at which the pins clip at gain 16."""

SAMPLE_HZ: Final = 7812.5
"""Waveform samples per second: 4 MHz / 512 (inferred from V1.05's 375 kbit/s for gapless reading)."""

# V1.04 has full scale by 64 and by 32 in their place, V1.1
# 3FFFF and 7FFFF. On the reference circuit: 1.04 A and 33 V.
I_ZX_BELOW: Final = 0x040000
V_ZX_BELOW: Final = 0x080000
"""RMS counts under which the zero-crossing flags say "too small" (V1.05's form)."""

REFRESH_S: Final = (0.4, 0.8)
"""Refresh period of the RMS and power averages by MODE.rms_update."""

# The others do not last: MODE.uart_rate is 0 again after each
# power-up (V1.05), and the host must come back at the strap.
BAUD_RATES: Final = (4800, 9600, 19200, 38400)
"""The first two by strap, the others by MODE.uart_rate."""

FRAME_GAP_S: Final = 0.020
"""A gap longer than this inside a frame resets the chip's receiver (16 ms in V1.1, 20 ms before)."""

HEADS: Final = tuple(Heads(read=0x58 | address, write=0xA8 | address) for address in range(4))
"""By address, which stands in the two low bits."""
