"""Numbers of the BK7231's boot protocol that hosts and twins share: registers, rates, guards, keys."""

from __future__ import annotations

from typing import Final

from wattrail.bk7231 import TUYA_KEY_WORDS

BAUD_AT_RESET: Final = 115200
"""Every responder starts here. Source: bk-boot/link."""

CLOCK_HZ: Final = 26_000_000
"""The UART's clock; a rate is this divided by a whole number. Source: bk-boot/loader-1."""

MIN_DIVIDER: Final = 4
MAX_DIVIDER: Final = 0x1FFF
"""Bounds of the divider register; the rate is the clock over divider + 1. Source: bk-boot/loader-1."""

TICK_S: Final = 0.002
"""The bootloader's timer tick in seconds, inferred. Source: bk-boot/loader-1."""

CHIP_ID: Final = 0x0080_0000
DEVICE_ID: Final = 0x0080_0004
EFUSE_CONTROL: Final = 0x0080_0074
EFUSE_RESULT: Final = 0x0080_0078
"""Registers worth reading through the boot ROM. Source: bk-boot/rom."""

EFUSE_BYTES: Final = 32
EFUSE_KEY_BYTES: Final = 16
EFUSE_GO: Final = 0x0000_0001
EFUSE_VALID: Final = 0x0000_0100
EFUSE_CLEARED: Final = 0x0000_1F02
"""Bits of EFUSE_CONTROL that a read clears: the old address, and the direction bit. Source: bk-boot/efuse."""

TUYA_KEY: Final = b"".join(word.to_bytes(4, "little") for word in TUYA_KEY_WORDS)
"""The code key of Tuya's N and T as the eFuse holds it."""

CHIP_ID_N: Final = 0x7231C
"""BK7231N and BK7231M alike: the number does not tell them apart. Source: bk-boot/rom."""

DEVICE_ID_N: Final = 0x2052_1024

OTHER_CHIPS: Final = {
    0x7231A: "BK7231T",
    0x7231: "BK7231Q",
    0x7236: "BK7236",
    0x7238: "BK7238",
    0x7252: "BK7252",
    0x7256: "BK7256",
    0x7259: "BK7259",
}
"""Chip numbers of relatives. Source: bk-boot/hosts."""

REFUSED: Final = 0x06
"""The only status besides 0 ever seen: an address the bootloader guards. Source: bk-boot/loader-1."""

CRC_BLOCK: Final = 256
"""The bootloader counts in blocks of this many bytes. Source: bk-boot/loader-1."""

CRC_MAX_BLOCKS: Final = 0xFFFF
"""Its block counter has 16 bits."""
