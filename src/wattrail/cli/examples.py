"""What is typed after each verb: its arguments in their order, and one line that works, as its help page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["EXAMPLES", "Example"]


class Example(NamedTuple):
    """Arguments, as the usage line names them, and the words of a whole command after ``wattrail``."""

    arguments: str
    typed: str


# fmt: off
EXAMPLES: Final[Mapping[str, Example]] = MappingProxyType({
    "init":                Example("", "init --meter serial:///dev/ttyUSB0?baud=4800 --confirmed isolated"),
    "run":                 Example("", "run --open"),
    "reload":              Example("", "reload"),
    "doctor":              Example("", "doctor --json"),
    "report":              Example("[FILE]", "report --add gateway.log"),
    "config check":        Example("[FILE]", "config check wattrail.toml"),
    "discover":            Example("", "discover --broker mqtt://broker.lan --add"),
    "meter read":          Example("[METER]", "meter read serial:///dev/ttyUSB0 --mains-off"),
    "meter watch":         Example("[METER]", "meter watch twin://pziot-e01?scenario=house"),
    "meter registers":     Example("[METER]", "meter registers spi:///dev/spidev0.0 --isolated"),
    "meter record":        Example("METER FILE", "meter record twin://pziot-e01 day.jsonl --seconds 10"),
    "meter wave":          Example("[METER]", "meter wave twin://pziot-e01?watts=1150"),
    "meter calibrate":     Example("[METER]", "meter calibrate twin://pziot-e01?watts=1150 --reference twin"),
    "meter accuracy":      Example("[METER]", "meter accuracy twin://lspa9 --wiring both"),
    "meter key":           Example("DEVICE DUMP", "meter key tuya://192.168.1.22 stock.bin --login kitchen"),
    "meter compare":       Example("REFERENCE OTHER", "meter compare spi:///dev/spidev0.0 openbeken://192.168.1.20"),
    "calibration list":    Example("METER", "calibration list house"),
    "calibration show":    Example("METER [NUMBER]", "calibration show house 2"),
    "calibration export":  Example("METER [FILE]", "calibration export house house.json"),
    "calibration restore": Example("METER [NUMBER]", "calibration restore house 1"),
    "image info":          Example("FILE", "image info OpenBK7231N_QIO.bin"),
    "image inspect":       Example("FILE", "image inspect stock.bin --svg flash.svg"),
    "image convert":       Example("FILE OUT --to KIND", "image convert app.rbl app.bin --to plain"),
    "image add-crc":       Example("FILE OUT", "image add-crc code.bin packed.bin"),
    "image strip-crc":     Example("FILE OUT", "image strip-crc packed.bin code.bin"),
    "image diff":          Example("FIRST SECOND", "image diff stock.bin now.bin"),
    "board list":          Example("", "board list"),
    "board show":          Example("BOARD", "board show pziot-e01"),
    "board match":         Example("SOURCES", "board match openbeken://192.168.1.20 configuration.txt"),
    "board export":        Example("BOARD", "board export pziot-e01 --to openbeken --folder pziot"),
    "board search":        Example("WORDS", "board search lspa9 --devices devices.json"),
    "flash info":          Example("PORT", "flash info /dev/ttyUSB0 --mains-off"),
    "flash read":          Example("PORT OUT", "flash read /dev/ttyUSB0 stock.bin --mains-off"),
    "flash write":         Example("PORT IMAGE", "flash write /dev/ttyUSB0 OpenBK7231N_QIO.bin --mains-off"),
    "flash verify":        Example("PORT IMAGE", "flash verify /dev/ttyUSB0 stock.bin --mains-off"),
    "flash erase":         Example("PORT", "flash erase /dev/ttyUSB0 --part app --mains-off"),
    "flash restore":       Example("PORT [DUMP]", "flash restore /dev/ttyUSB0 stock.bin --mains-off"),
    "flash recover":       Example("PORT [IMAGE]", "flash recover /dev/ttyUSB0 --mains-off"),
    "flash backups":       Example("[BOARD]", "flash backups --prune --dry-run"),
    "flash doctor":        Example("PORT", "flash doctor /dev/ttyUSB0 --mains-off"),
    "uartprogram":         Example("FILENAME", "uartprogram OpenBK7231N.bin -d /dev/ttyUSB0 -w -s 0x0 --mains-off"),
    "device info":         Example("HOST", "device info 192.168.1.20"),
    "device log":          Example("HOST", "device log 192.168.1.20 --lines 100"),
    "device backup":       Example("HOST [FILE]", "device backup 192.168.1.20 meter.zip --whole-flash"),
    "device restore":      Example("HOST FILE", "device restore 192.168.1.20 meter.zip --dry-run"),
    "device setup":        Example("[HOST]", "device setup 192.168.1.20 --board pziot-e01.json --driver BL0942SPI"),
    "device ota":          Example("HOST IMAGE", "device ota 192.168.1.20 OpenBK7231N_1.18.300.rbl"),
    "device reboot":       Example("HOST", "device reboot 192.168.1.20"),
    "ledger show":         Example("[METER]", "ledger show house --by month"),
    "ledger report":       Example("[METER]", "ledger report house --day 2026-03-01"),
    "ledger export":       Example("[METER]", "ledger export house --by day"),
    "ledger verify":       Example("[METER]", "ledger verify"),
    "ledger adjust":       Example("[METER] --reason TEXT", "ledger adjust house --import-kwh 12.5 --reason swapped"),
    "ledger reverse":      Example("NUMBER [METER] --reason TEXT", "ledger reverse 2 house --reason typo"),
    "ledger accept-reset": Example("[METER] --reason TEXT", "ledger accept-reset house --reason exchanged"),
    "ledger rename":       Example("OLD NEW", "ledger rename house cellar"),
    "store check":         Example("", "store check"),
    "store backup":        Example("FILE", "store backup /mnt/usb/wattrail-2026-03-01.sqlite"),
    "store restore":       Example("FILE", "store restore /mnt/usb/wattrail-2026-03-01.sqlite"),
    "store vacuum":        Example("", "store vacuum"),
    "store export":        Example("[METER]", "store export house --what readings --format parquet -o house.parquet"),
    "store import":        Example("[SOURCE FILE --meter METER]", "store import dsmr-reader hours.csv --meter house"),
    "publish list":        Example("", "publish list --json"),
    "publish status":      Example("", "publish status"),
    "publish test":        Example("NAME", "publish test phone"),
    "publish refused":     Example("", "publish refused"),
    "publish backfill":    Example("", "publish backfill --from 2026-03-01 --dry-run"),
    "alarm list":          Example("", "alarm list --events 20"),
    "alarm acknowledge":   Example("[NUMBER]", "alarm acknowledge 12"),
    "alarm test":          Example("", "alarm test"),
    "user add":            Example("NAME", "user add anna --scope admin"),
    "user list":           Example("", "user list"),
    "user passwd":         Example("NAME", "user passwd anna"),
    "user remove":         Example("NAME", "user remove anna"),
    "user audit":          Example("", "user audit --count 20"),
    "token create":        Example("NAME", "token create grafana --scope read --days 365"),
    "token list":          Example("", "token list"),
    "token revoke":        Example("NAME", "token revoke grafana"),
    "twin list":           Example("", "twin list"),
    "twin debug":          Example("FIRMWARE", "twin debug OpenBK7231N_QIO.bin"),
    "twin trace":          Example("FIRMWARE", "twin trace OpenBK7231N_QIO.bin --only spi --vcd board.vcd"),
    "twin press":          Example("", "twin press button --seconds 6"),
    "twin serve":          Example("[BOARD]", "twin serve pziot-e01"),
    "twin snapshot":       Example("FIRMWARE OUT", "twin snapshot OpenBK7231N_QIO.bin booted.snapshot"),
})
# fmt: on
"""By the words of the verb."""
