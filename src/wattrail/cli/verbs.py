"""Every verb, as one table: what is typed, where it lives, what it is for, an example.

The table makes the first help page without loading a single verb, and names each verb's function to the parser,
which imports it when it is used: with all verbs imported, ``wattrail --help`` would wait for pydantic, rich and numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["NOUNS", "OLD_VALUES", "OLD_VERBS", "VERBS", "Verb"]


class Verb(NamedTuple):
    """One verb: the words that call it, the function behind it within this room, the first line of its help.

    ``arguments`` are those of its usage line, in their order; ``example`` is a whole command after ``wattrail``.
    """

    words: str
    function: str
    help: str
    arguments: str
    example: str


NOUNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "config": "Look after the configuration file.",
        "meter": "Talk to one meter.",
        "calibration": "Keep the calibrations of a meter.",
        "image": "Look into firmware images, and convert them.",
        "board": "Know a board: its pins, its metering chip, exports for its firmware.",
        "flash": "Read, write and repair the flash of a board.",
        "device": "Set up, back up and update a running OpenBeken over the network.",
        "ledger": "Account for energy: registers, periods, bills.",
        "store": "Look after the database: check, back up, restore, export, import.",
        "publish": "Look after the programs that meters are published to.",
        "alarm": "See what is wrong, and say that you have.",
        "user": "Say who may use the page from elsewhere.",
        "token": "Say which programs may use the interface from elsewhere.",
        "twin": "Rehearse with a digital twin instead of a board.",
    }
)
"""What each noun is about."""

# fmt: off
VERBS: Final = (
    Verb("init", "init:init", "Make a configuration to start with.",
         "", "init --meter serial:///dev/ttyUSB0?baud=4800 --confirmed isolated"),
    Verb("run", "run:run", "Run the gateway with its dashboard.",
         "", "run --open"),
    Verb("reload", "reload:reload", "Let a running gateway read its configuration again.",
         "", "reload"),
    Verb("doctor", "doctor:doctor", "Look at what a gateway needs from this machine, and say what is wrong.",
         "", "doctor --json"),
    Verb("report", "doctor:report", "Write what a helper needs to know into one file, without anything private.",
         "[FILE]", "report --add gateway.log"),
    Verb("discover", "discover:discover", "Find the meters on the network.",
         "", "discover --broker mqtt://broker.lan --add"),
    Verb("config check", "config_check:check", "Say everything that is wrong with the configuration.",
         "[FILE]", "config check wattrail.toml"),
    Verb("meter read", "meter.watch:read", "Read a meter once.",
         "[METER]", "meter read serial:///dev/ttyUSB0 --mains-off"),
    Verb("meter watch", "meter.watch:watch", "Watch a meter live.",
         "[METER]", "meter watch twin://pziot-e01?scenario=house"),
    Verb("meter registers", "meter.registers:show_registers", "Show every register by bit field.",
         "[METER]", "meter registers spi:///dev/spidev0.0 --isolated"),
    Verb("meter record", "meter.record:record", "Keep what a meter says in a capture file.",
         "METER FILE", "meter record twin://pziot-e01 day.jsonl --seconds 10"),
    Verb("meter wave", "meter.wave:wave", "Show voltage and current as curves.",
         "[METER]", "meter wave twin://pziot-e01?watts=1150"),
    Verb("meter calibrate", "meter.calibrate:calibrate", "Calibrate a meter against a reference.",
         "[METER]", "meter calibrate twin://pziot-e01?watts=1150 --reference twin"),
    Verb("meter accuracy", "meter.accuracy:accuracy", "Test a meter at the loads of IEC 62053-21.",
         "[METER]", "meter accuracy twin://lspa9 --wiring both"),
    Verb("meter key", "meter.key:key", "Take a meter's local key out of a dump, prove it, and store it.",
         "DEVICE DUMP", "meter key tuya://192.168.1.22 stock.bin --login kitchen"),
    Verb("meter compare", "meter.compare:compare", "Compare two meters side by side.",
         "REFERENCE OTHER", "meter compare spi:///dev/spidev0.0 openbeken://192.168.1.20"),
    Verb("calibration list", "calibration.kept:list_calibrations", "List what is kept of a meter's calibrations.",
         "METER", "calibration list house"),
    Verb("calibration show", "calibration.kept:show_calibration", "Show one calibration with what it rests on.",
         "METER [NUMBER]", "calibration show house 2"),
    Verb("calibration export", "calibration.kept:export", "Export every calibration of a meter as JSON.",
         "METER [FILE]", "calibration export house house.json"),
    Verb("calibration restore", "calibration.kept:restore", "Put an earlier calibration back.",
         "METER [NUMBER]", "calibration restore house 1"),
    Verb("image info", "image.view:info", "Say what an image is, and what is wrong with it.",
         "FILE", "image info OpenBK7231N_QIO.bin"),
    Verb("image inspect", "image.inspection:inspect", "Read a stock dump: settings, pins, constants, files.",
         "FILE", "image inspect stock.bin --svg flash.svg"),
    Verb("image convert", "image.convert:convert", "Make an image into one of another kind.",
         "FILE OUT --to KIND", "image convert app.rbl app.bin --to plain"),
    Verb("image add-crc", "image.convert:add_crc", "Add block CRCs to code.",
         "FILE OUT", "image add-crc code.bin packed.bin"),
    Verb("image strip-crc", "image.convert:strip_crc", "Check the block CRCs of code, and remove them.",
         "FILE OUT", "image strip-crc packed.bin code.bin"),
    Verb("image diff", "image.view:diff", "Compare two images by partition and sector.",
         "FIRST SECOND", "image diff stock.bin now.bin"),
    Verb("board list", "board.show:list_boards", "List the boards that are known.",
         "", "board list"),
    Verb("board show", "board.show:show", "Show a board's pins, chip and data points, with their sources.",
         "BOARD", "board show pziot-e01"),
    Verb("board match", "board.match:match", "Find the board that a configuration or a device belongs to.",
         "SOURCES", "board match openbeken://192.168.1.20 configuration.txt"),
    Verb("board export", "board.export:export", "Write what OpenBeken, ESPHome or Tasmota needs to know of it.",
         "BOARD", "board export pziot-e01 --to openbeken --folder pziot"),
    Verb("board search", "board.show:search", "Search boards by vendor, model or chip.",
         "WORDS", "board search lspa9 --devices devices.json"),
    Verb("flash info", "flash.reading:info", "Say which chip and which flash answer.",
         "PORT", "flash info /dev/ttyUSB0 --mains-off"),
    Verb("flash read", "flash.reading:read", "Read flash, or a part of it, into a file.",
         "PORT OUT", "flash read /dev/ttyUSB0 stock.bin --mains-off"),
    Verb("flash write", "flash.writing:write", "Write an image to flash, after a backup, and verify it.",
         "PORT IMAGE", "flash write /dev/ttyUSB0 OpenBK7231N_QIO.bin --mains-off"),
    Verb("flash verify", "flash.reading:verify", "Compare flash with an image, and change nothing.",
         "PORT IMAGE", "flash verify /dev/ttyUSB0 stock.bin --mains-off"),
    Verb("flash erase", "flash.writing:erase", "Erase a partition, or whole sectors, after a backup.",
         "PORT", "flash erase /dev/ttyUSB0 --part app --mains-off"),
    Verb("flash restore", "flash.backups:restore", "Put the whole flash back as a dump has it.",
         "PORT [DUMP]", "flash restore /dev/ttyUSB0 stock.bin --mains-off"),
    Verb("flash backups", "flash.backups:backups", "List the kept backups of all boards, or prune them.",
         "[BOARD]", "flash backups --prune --dry-run"),
    Verb("flash recover", "flash.recover:recover", "Find out why a board does not start, and repair it.",
         "PORT [IMAGE]", "flash recover /dev/ttyUSB0 --mains-off"),
    Verb("flash doctor", "flash.doctor:doctor", "Find out what is wrong on the line to a board.",
         "PORT", "flash doctor /dev/ttyUSB0 --mains-off"),
    Verb("uartprogram", "uartprogram:uartprogram", "Take uartprogram's command line, and do it safely.",
         "FILENAME", "uartprogram OpenBK7231N.bin -d /dev/ttyUSB0 -w -s 0x0 --mains-off"),
    Verb("device info", "device.info:info", "Say what a device runs, how it is set up, and what it measures.",
         "HOST", "device info 192.168.1.20"),
    Verb("device log", "device.info:log", "Show what a device writes in its log.",
         "HOST", "device log 192.168.1.20 --lines 100"),
    Verb("device backup", "device.backup:backup", "Keep the settings and the files of a device.",
         "HOST [FILE]", "device backup 192.168.1.20 meter.zip --whole-flash"),
    Verb("device restore", "device.backup:restore", "Put the settings and the files of a backup back.",
         "HOST FILE", "device restore 192.168.1.20 meter.zip --dry-run"),
    Verb("device setup", "device.setup:setup", "Give a device its network, broker, pins, driver and flags.",
         "[HOST]", "device setup 192.168.1.20 --board pziot-e01.json --driver BL0942SPI"),
    Verb("device ota", "device.ota:ota", "Update the firmware of a device over the network.",
         "HOST IMAGE", "device ota 192.168.1.20 OpenBK7231N_1.18.300.rbl"),
    Verb("device reboot", "device.info:restart", "Restart a device, and wait until it answers again.",
         "HOST", "device reboot 192.168.1.20"),
    Verb("ledger show", "ledger.show:show", "Show registers, energy by period, or bills.",
         "[METER]", "ledger show house --by month"),
    Verb("ledger report", "ledger.report:report", "Report the energy of a day or a month.",
         "[METER]", "ledger report house --day 2026-03-01"),
    Verb("ledger export", "ledger.show:export", "Write energy by period as CSV or JSON.",
         "[METER]", "ledger export house --by day"),
    Verb("ledger verify", "ledger.verify:verify", "Prove the file, replay the ledger and say what differs.",
         "[METER]", "ledger verify"),
    Verb("ledger adjust", "ledger.statements:adjust", "State an opening, an adjustment, a direction.",
         "[METER] --reason TEXT", "ledger adjust house --import-kwh 12.5 --reason swapped"),
    Verb("ledger reverse", "ledger.statements:reverse", "Reverse a manual entry that was wrong.",
         "NUMBER [METER] --reason TEXT", "ledger reverse 2 house --reason typo"),
    Verb("ledger accept-reset", "ledger.statements:accept_reset", "State that a meter was reset or exchanged.",
         "[METER] --reason TEXT", "ledger accept-reset house --reason exchanged"),
    Verb("ledger rename", "ledger.rename:rename", "Give a meter another name.",
         "OLD NEW", "ledger rename house cellar"),
    Verb("publish list", "publish.state:list_publishers", "List the publishers of the configuration, and where each sends to.",
         "", "publish list --json"),
    Verb("publish status", "publish.state:status", "Show what each publisher is doing, how many registers wait, and its last error.",
         "", "publish status"),
    Verb("store check", "store.upkeep:check", "Say whether the database is whole, and what it holds.",
         "", "store check"),
    Verb("store backup", "store.upkeep:backup", "Copy the database into one file, while the gateway runs.",
         "FILE", "store backup /mnt/usb/wattrail-2026-03-01.sqlite"),
    Verb("store restore", "store.upkeep:restore_database", "Put a backup in the place of the database.",
         "FILE", "store restore /mnt/usb/wattrail-2026-03-01.sqlite"),
    Verb("store vacuum", "store.upkeep:vacuum_database", "Give the space of deleted rows back to the disk.",
         "", "store vacuum"),
    Verb("store export", "store.export:export", "Write readings, entries or energy as CSV, JSON or Parquet.",
         "[METER]", "store export house --what readings --format parquet -o house.parquet"),
    Verb("store import", "store.import_history:import_history", "Import energy of the time before the ledger began.",
         "[SOURCE FILE --meter METER]", "store import dsmr-reader hours.csv --meter house"),
    Verb("publish test", "publish.state:send_test", "Send a test message to a webhook or by e-mail.",
         "NAME", "publish test phone"),
    Verb("publish refused", "publish.state:refused", "List the messages that were refused.",
         "", "publish refused"),
    Verb("publish backfill", "publish.backfill:backfill", "Fill Home Assistant's statistics from the ledger.",
         "", "publish backfill --from 2026-03-01 --dry-run"),
    Verb("alarm list", "alarms:list_alarms", "List the alarms that are raised now, or the last events.",
         "", "alarm list --events 20"),
    Verb("alarm acknowledge", "alarms:acknowledge", "Say that you have seen an alarm.",
         "[NUMBER]", "alarm acknowledge 12"),
    Verb("alarm test", "alarms:send_test", "Send a test event to every consumer of alarms.",
         "", "alarm test"),
    Verb("user add", "access:add", "Make a user, who signs in with a password.",
         "NAME", "user add anna --scope admin"),
    Verb("user list", "access:list_users", "List the users and what they may do.",
         "", "user list"),
    Verb("user passwd", "access:change_password", "Give a user another password, and end all sessions.",
         "NAME", "user passwd anna"),
    Verb("user remove", "access:remove", "Remove a user, and end all sessions.",
         "NAME", "user remove anna"),
    Verb("user audit", "access:show_audit", "List who did what, from where and when.",
         "", "user audit --count 20"),
    Verb("token create", "access:create", "Make a token for a program; it is shown once.",
         "NAME", "token create grafana --scope read --days 365"),
    Verb("token list", "access:list_tokens", "List the tokens and what they may do.",
         "", "token list"),
    Verb("token revoke", "access:revoke", "Revoke a token at once.",
         "NAME", "token revoke grafana"),
    Verb("twin list", "twin.serve:list_twins", "List boards, scenarios and options of twins.",
         "", "twin list"),
    Verb("twin serve", "twin.serve:serve", "Serve a twin that any program can open.",
         "[BOARD]", "twin serve pziot-e01"),
    Verb("twin debug", "twin.firmware_tools:debug", "Run firmware on an emulated board, for GDB.",
         "FIRMWARE", "twin debug OpenBK7231N_QIO.bin"),
    Verb("twin trace", "twin.firmware_tools:trace", "Record what firmware does on an emulated board.",
         "FIRMWARE", "twin trace OpenBK7231N_QIO.bin --only spi --vcd board.vcd"),
    Verb("twin press", "twin.firmware_tools:press", "Press the button of a board that is served.",
         "", "twin press button --seconds 6"),
    Verb("twin snapshot", "twin.emulated:snapshot", "Run firmware on an emulated module for a while, and keep its state in a file.",
         "FIRMWARE OUT", "twin snapshot OpenBK7231N_QIO.bin booted.snapshot"),
)
# fmt: on
"""In the order of the journey, which is the order of the help page."""

OLD_VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {"image pack": "image add-crc", "image unpack": "image strip-crc"},
)
OLD_VALUES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("--reset", "person"): "manual", ("--reset", "knock"): "auto"}
)
"""What earlier versions called a verb, and the value of an option. Both still work; no help page shows them."""
