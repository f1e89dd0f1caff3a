"""How long hosts that are known to work wait for the chip, as their sources say. Source: bk-boot/timing.

All of them write and read boards every day: a twin whose defaults time one of them out is wrong, whatever its numbers
were taken from. A host's time runs from the moment the system has taken its bytes. That may be when they are on the
wire, or, with a large buffer in between, as in a pseudo-terminal, before the first of them is; the latter counts here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wattrail.bootrom import Command
from wattrail.bootrom import commands as c

FLASH: Final = 1 << 21
AT: Final = 0x20000
PAGES: Final = bytes(range(256)) * 16


@dataclass(frozen=True, slots=True)
class Wait:
    """One command of one host, and the seconds it allows. ``where``: the place in the host's source."""

    host: str
    command: Command
    seconds: float
    where: str
    fields: dict[str, int] = field(default_factory=dict)
    data: bytes = b""
    baud: int = 921600


_U: Final = "uartprogram"  # github.com/OpenBekenIOT/hid_download_py at 1661378
_G: Final = "BK7231GUIFlashTool"  # github.com/openshwprojects/BK7231GUIFlashTool at 8d81f51
_B: Final = "bk7231tools"  # github.com/tuya-cloudcutter/bk7231tools at e333259
_L: Final = "ltchiptool"  # github.com/libretiny-eu/ltchiptool at 1beafe0, on bk7231tools

_WHOLE: Final = {"start": 0, "end": FLASH - 1}
_PLACE: Final = {"address": AT}
_B_ALL: Final = "serial/main.py: cmnd_timeout = 1.0, the timeout of each read"
_B_CRC: Final = "serial/cmd_ll_chip.py: read_flash_range_crc; serial/base/data.py: crc_speed_bps = 400_000"
_G_ALL: Final = "Flashers/BK7231Flasher.cs: Start_Cmd, timeout = 0.05f"

WAITS: Final = (
    Wait(_U, c.WRITE_4K, 0.05, "bkutils/boot_intf.py: WriteSector, by Start_Cmd's timeout=0.05", _PLACE, PAGES),
    Wait(_U, c.READ_4K, 5.0, "bkutils/boot_intf.py: ReadSector", _PLACE),
    Wait(_U, c.ERASE, 1.0, "bkutils/boot_intf.py: EraseBlock", {"size": 0x20} | _PLACE),
    Wait(_U, c.ERASE, 1.0, "bkutils/boot_intf.py: EraseBlock", {"size": 0xD8} | _PLACE),
    Wait(_U, c.CHECK_CRC, 5.0, "bkutils/boot_intf.py: ReadCRC", _WHOLE),
    Wait(_U, c.FLASH_ID, 0.05, "bkutils/boot_intf.py: GetFlashMID, by Start_Cmd's timeout=0.05"),
    Wait(_U, c.READ_SR, 0.05, "bkutils/boot_intf.py: ReadFlashSR, by Start_Cmd's timeout=0.05", {"register": 5}),
    Wait(
        _U,
        c.WRITE_SR_16,
        0.05,
        "bkutils/boot_intf.py: WriteFlashSR, by Start_Cmd's timeout=0.05",
        {"register": 1, "sr": 0},
    ),
    Wait(_G, c.WRITE_4K, 0.05, f"{_G_ALL}, by writeSector4K", _PLACE, PAGES),
    Wait(_G, c.READ_4K, 15.0, "Flashers/BK7231Flasher.cs: readSector, timeout = 15", _PLACE),
    Wait(_G, c.ERASE, 1.0, "Flashers/BK7231Flasher.cs: eraseSector, 1.0f", {"size": 0x20} | _PLACE),
    Wait(_G, c.ERASE, 1.0, "Flashers/BK7231Flasher.cs: eraseSector, 1.0f", {"size": 0xD8} | _PLACE),
    Wait(_G, c.CHECK_CRC, 5.0, "Flashers/BK7231Flasher.cs: calcCRC, 5.0f", _WHOLE),
    Wait(_G, c.FLASH_WRITE, 5.0, "Flashers/BK7231Flasher.cs: writeSector, 5", _PLACE, PAGES[:256]),
    Wait(_G, c.FLASH_ID, 0.05, f"{_G_ALL}, by GetFlashMID"),
    Wait(_G, c.READ_REG, 0.05, f"{_G_ALL}, by ReadFlashReg", {"address": 0x800000}),
    Wait(_G, c.READ_SR, 0.05, f"{_G_ALL}, by ReadFlashSR", {"register": 5}),
    Wait(_G, c.WRITE_SR_16, 0.05, f"{_G_ALL}, by WriteFlashSR", {"register": 1, "sr": 0}),
    *(
        Wait(host, command, 1.0, _B_ALL, fields, data, 115200)
        for host in (_B, _L)
        for command, fields, data in (
            (c.WRITE_4K, _PLACE, PAGES),
            (c.READ_4K, _PLACE, b""),
            (c.ERASE, {"size": 0x20} | _PLACE, b""),
            (c.FLASH_ID, {}, b""),
            (c.READ_SR, {"register": 5}, b""),
        )
    ),
    Wait(_B, c.CHECK_CRC, 1.0, _B_CRC, {"start": 0, "end": 0xFFF}, baud=115200),
    Wait(_B, c.CHECK_CRC, 6.0, f"{_B_CRC}, rounded up to whole seconds", _WHOLE, baud=115200),
    Wait(_L, c.CHECK_CRC, 1.0, "soc/bk72xx/flash.py: flash_read_raw, 32 KiB at once", {"start": 0, "end": 0x7FFF}),
)
