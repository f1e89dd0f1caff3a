"""Frames as they were seen on wires or derived by hand: command, fields, data, request, reply, what the reply says."""

from __future__ import annotations

from typing import Any, Final

from wattrail.bootrom import commands as c

SECTOR: Final = bytes(range(256)) * 16
TEXT: Final = b"BK7231S_1.0.5\0\0\0"

READ_HEAD: Final = "04 0E FF 01 E0 FC F4 06 10 09 00 00 10 01 00"
WRITE_HEAD: Final = "01 E0 FC FF F4 05 10 07 00 10 01 00"

# fmt: off
GOLDEN: Final[list[tuple[c.Command, dict[str, int], bytes, str, str | None, dict[str, Any]]]] = [
    (c.LINK_CHECK, {}, b"", "01 E0 FC 01 00", "04 0E 05 01 E0 FC 01 00", {}),
    (c.SET_BAUD, {"baud": 921600, "delay_ms": 20}, b"",
     "01 E0 FC 06 0F 00 10 0E 00 14", "04 0E 09 01 E0 FC 0F 00 10 0E 00 14", {"baud": 921600, "delay_ms": 20}),
    (c.CHECK_CRC, {"start": 0x11000, "end": 0x11FFF}, b"",
     "01 E0 FC 09 10 00 10 01 00 FF 1F 01 00", "04 0E 08 01 E0 FC 10 F5 98 AB 0E", {"crc": 0x0EAB98F5}),
    (c.READ_REG, {"address": 0x800000}, b"",
     "01 E0 FC 05 03 00 00 80 00", "04 0E 0C 01 E0 FC 03 00 00 80 00 1C 23 07 00", {"value": 0x7231C}),
    (c.WRITE_REG, {"address": 0x800074, "value": 1}, b"",
     "01 E0 FC 09 01 74 00 80 00 01 00 00 00", "04 0E 0C 01 E0 FC 01 74 00 80 00 01 00 00 00", {"value": 1}),
    (c.READ_4K, {"address": 0x11000}, b"",
     "01 E0 FC FF F4 05 00 09 00 10 01 00", READ_HEAD + SECTOR.hex(), {"address": 0x11000, "data": SECTOR}),
    (c.ERASE, {"size": 0x20, "address": 0x11000}, b"",
     "01 E0 FC FF F4 06 00 0F 20 00 10 01 00", "04 0E FF 01 E0 FC F4 07 00 0F 00 20 00 10 01 00", {"size": 0x20}),
    (c.WRITE_4K, {"address": 0x11000}, SECTOR,
     WRITE_HEAD + SECTOR.hex(), "04 0E FF 01 E0 FC F4 06 00 07 00 00 10 01 00", {"address": 0x11000}),
    (c.FLASH_WRITE, {"address": 0x12000}, b"\x01\x02\x03",
     "01 E0 FC FF F4 08 00 06 00 20 01 00 01 02 03", "04 0E FF 01 E0 FC F4 07 00 06 00 00 20 01 00 03", {"written": 3}),
    (c.READ_SR, {"register": 5}, b"",
     "01 E0 FC FF F4 02 00 0C 05", "04 0E FF 01 E0 FC F4 04 00 0C 00 05 5C", {"sr": 0x5C}),
    (c.WRITE_SR, {"register": 1, "sr": 0x40}, b"",
     "01 E0 FC FF F4 03 00 0D 01 40", "04 0E FF 01 E0 FC F4 04 00 0D 00 01 40", {"sr": 0x40}),
    (c.WRITE_SR_16, {"register": 1, "sr": 0}, b"",
     "01 E0 FC FF F4 04 00 0D 01 00 00", "04 0E FF 01 E0 FC F4 05 00 0D 00 01 00 00", {"sr": 0}),
    (c.FLASH_ID, {}, b"",
     "01 E0 FC FF F4 05 00 0E 9F 00 00 00", "04 0E FF 01 E0 FC F4 06 00 0E 00 00 EB 60 15",
     {"manufacturer": 0xEB, "kind": 0x60, "capacity": 0x15}),
    (c.ERASE_ALL, {}, b"",
     "01 E0 FC FF F4 02 00 0A 04", "04 0E FF 01 E0 FC F4 03 00 0A 00 07", {"timeout_s": 7}),
    (c.ERASE_4K, {"address": 0x11000}, b"",
     "01 E0 FC FF F4 05 00 0B 00 10 01 00", "04 0E FF 01 E0 FC F4 06 00 0B 00 00 10 01 00", {"address": 0x11000}),
    (c.BOOT_VERSION, {}, b"",
     "01 E0 FC 01 11", "04 0E 14 01 E0 FC 11 42 4B 37 32 33 31 53 5F 31 2E 30 2E 35 00 00 00", {"data": TEXT}),
    (c.STAY_ROM, {}, b"", "01 E0 FC 02 AA 55", "04 0E 05 01 E0 FC AA 55", {}),
    (c.REBOOT, {}, b"", "01 E0 FC 02 0E A5", None, {}),
    (c.APP_RESET, {}, b"", "01 E0 FC 05 FE 95 27 95 27", None, {}),
    (c.RESET, {}, b"", "01 E0 FC 05 70 53 45 41 4E", None, {}),
]
# fmt: on

REFUSALS: Final[list[tuple[c.Command, dict[str, int], bytes, str]]] = [
    (c.READ_4K, {"address": 0}, b"", "04 0E FF 01 E0 FC F4 07 00 09 06 00 00 00 00 00"),
    (c.ERASE, {"size": 0x20, "address": 0x1000}, b"", "04 0E FF 01 E0 FC F4 07 00 0F 06 20 00 10 00 00"),
    (c.WRITE_4K, {"address": 0x1000}, SECTOR, "04 0E FF 01 E0 FC F4 06 00 07 06 E0 20 00 00"),
    (c.FLASH_WRITE, {"address": 0x1000}, b"\x01\x02", "04 0E FF 01 E0 FC F4 07 00 06 06 00 10 00 00 02"),
]
"""The bootloader's word for an address it guards."""

ANSWERED: Final = [row for row in GOLDEN if row[4] is not None]
