"""Every verb, as one table: what is typed, where it lives, what it is for.

The table makes the first help page without loading a single verb, and names each verb's function to the parser,
which imports it when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["NOUNS", "OLD_VALUES", "OLD_VERBS", "VERBS", "Verb"]


class Verb(NamedTuple):
    """One verb: the words that call it, the function behind it within this room, the first line of its help."""

    words: str
    function: str
    help: str


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
    Verb("init",                "init:init",                          "Make a configuration to start with."),
    Verb("run",                 "run:run",                            "Run the gateway with its dashboard."),
    Verb("reload",              "reload:reload",                      "Let a running gateway read its configuration again."),
    Verb("doctor",              "doctor:doctor",                      "Look at what a gateway needs from this machine, and say what is wrong."),
    Verb("report",              "support_report:report",              "Write what a helper needs to know into one file, without anything private."),
    Verb("discover",            "discover:discover",                  "Find the meters on the network."),
    Verb("config check",        "config_check:check",                 "Say everything that is wrong with the configuration."),
    Verb("meter read",          "meter.read:read",                    "Read a meter once."),
    Verb("meter watch",         "meter.watch:watch",                  "Watch a meter live."),
    Verb("meter registers",     "meter.registers:show_registers",     "Show every register by bit field."),
    Verb("meter record",        "meter.record:record",                "Keep what a meter says in a capture file."),
    Verb("meter wave",          "meter.wave:wave",                    "Show voltage and current as curves."),
    Verb("meter calibrate",     "meter.calibrate:calibrate",          "Calibrate a meter against a reference."),
    Verb("meter accuracy",      "meter.accuracy:accuracy",            "Test a meter at the loads of IEC 62053-21."),
    Verb("meter key",           "meter.key:key",                      "Take a meter's local key out of a dump, prove it, and store it."),
    Verb("meter compare",       "meter.compare:compare",              "Compare two meters side by side."),
    Verb("calibration list",    "calibration.show:list_calibrations", "List what is kept of a meter's calibrations."),
    Verb("calibration show",    "calibration.show:show_calibration",  "Show one calibration with what it rests on."),
    Verb("calibration export",  "calibration.show:export",            "Export every calibration of a meter as JSON."),
    Verb("calibration restore", "calibration.restore:restore",        "Put an earlier calibration back."),
    Verb("image info",          "image.view:info",                    "Say what an image is, and what is wrong with it."),
    Verb("image inspect",       "image.inspection:inspect",           "Read a stock dump: settings, pins, constants, files."),
    Verb("image convert",       "image.convert:convert",              "Make an image into one of another kind."),
    Verb("image add-crc",       "image.block_crc:add_crc",            "Add block CRCs to code."),
    Verb("image strip-crc",     "image.block_crc:strip_crc",          "Check the block CRCs of code, and remove them."),
    Verb("image diff",          "image.view:diff",                    "Compare two images by partition and sector."),
    Verb("board list",          "board.show:list_boards",             "List the boards that are known."),
    Verb("board show",          "board.show:show",                    "Show a board's pins, chip and data points, with their sources."),
    Verb("board match",         "board.match:match",                  "Find the board that a configuration or a device belongs to."),
    Verb("board export",        "board.export:export",                "Write what OpenBeken, ESPHome or Tasmota needs to know of it."),
    Verb("board search",        "board.search:search",                "Search boards by vendor, model or chip."),
    Verb("flash info",          "flash.reading:info",                 "Say which chip and which flash answer."),
    Verb("flash read",          "flash.reading:read",                 "Read flash, or a part of it, into a file."),
    Verb("flash write",         "flash.writing:write",                "Write an image to flash, after a backup, and verify it."),
    Verb("flash verify",        "flash.reading:verify",               "Compare flash with an image, and change nothing."),
    Verb("flash erase",         "flash.writing:erase",                "Erase a partition, or whole sectors, after a backup."),
    Verb("flash restore",       "flash.restore:restore",              "Put the whole flash back as a dump has it."),
    Verb("flash backups",       "flash.backups:backups",              "List the kept backups of all boards, or prune them."),
    Verb("flash recover",       "flash.recover:recover",              "Find out why a board does not start, and repair it."),
    Verb("flash doctor",        "flash.doctor:doctor",                "Find out what is wrong on the line to a board."),
    Verb("uartprogram",         "uartprogram:uartprogram",            "Take uartprogram's command line, and do it safely."),
    Verb("device info",         "device.info:info",                   "Say what a device runs, how it is set up, and what it measures."),
    Verb("device log",          "device.log:log",                     "Show what a device writes in its log."),
    Verb("device backup",       "device.backup:backup",               "Keep the settings and the files of a device."),
    Verb("device restore",      "device.backup:restore",              "Put the settings and the files of a backup back."),
    Verb("device setup",        "device.setup:setup",                 "Give a device its network, broker, pins, driver and flags."),
    Verb("device ota",          "device.ota:ota",                     "Update the firmware of a device over the network."),
    Verb("device reboot",       "device.info:restart",                "Restart a device, and wait until it answers again."),
    Verb("ledger show",         "ledger.show:show",                   "Show registers, energy by period, or bills."),
    Verb("ledger report",       "ledger.report:report",               "Report the energy of a day or a month."),
    Verb("ledger export",       "ledger.export:export",               "Write energy by period as CSV or JSON."),
    Verb("ledger verify",       "ledger.verify:verify",               "Prove the file, replay the ledger and say what differs."),
    Verb("ledger adjust",       "ledger.adjust:adjust",               "State an opening, an adjustment, a direction."),
    Verb("ledger reverse",       "ledger.reverse:reverse",             "Reverse a manual entry that was wrong."),
    Verb("ledger accept-reset", "ledger.accept_reset:accept_reset",   "State that a meter was reset or exchanged."),
    Verb("ledger rename",       "ledger.rename:rename",               "Give a meter another name."),
    Verb("publish list",        "publish.state:list_publishers",      "List the publishers of the configuration, and where each sends to."),
    Verb("publish status",      "publish.state:status",               "Show what each publisher is doing, how many registers wait, and its last error."),
    Verb("store check",         "store.check:check",                  "Say whether the database is whole, and what it holds."),
    Verb("store backup",        "store.backup:backup",                "Copy the database into one file, while the gateway runs."),
    Verb("store restore",       "store.restore:restore_database",     "Put a backup in the place of the database."),
    Verb("store vacuum",        "store.vacuum:vacuum_database",       "Give the space of deleted rows back to the disk."),
    Verb("store export",        "store.export:export",                "Write readings, entries or energy as CSV, JSON or Parquet."),
    Verb("store import",        "store.import_history:import_history", "Import energy of the time before the ledger began."),
    Verb("publish test",        "publish.messages:send_test",         "Send a test message to a webhook or by e-mail."),
    Verb("publish refused",     "publish.messages:refused",           "List the messages that were refused."),
    Verb("publish backfill",    "publish.backfill:backfill",          "Fill Home Assistant's statistics from the ledger."),
    Verb("alarm list",          "alarms:list_alarms",                 "List the alarms that are raised now, or the last events."),
    Verb("alarm acknowledge",   "alarms:acknowledge",                 "Say that you have seen an alarm."),
    Verb("alarm test",          "alarms:send_test",                   "Send a test event to every consumer of alarms."),
    Verb("user add",            "users:add",                          "Make a user, who signs in with a password."),
    Verb("user list",           "users:list_users",                   "List the users and what they may do."),
    Verb("user passwd",         "users:change_password",              "Give a user another password, and end all sessions."),
    Verb("user remove",         "users:remove",                       "Remove a user, and end all sessions."),
    Verb("user audit",          "users:show_audit",                   "List who did what, from where and when."),
    Verb("token create",        "tokens:create",                      "Make a token for a program; it is shown once."),
    Verb("token list",          "tokens:list_tokens",                 "List the tokens and what they may do."),
    Verb("token revoke",        "tokens:revoke",                      "Revoke a token at once."),
    Verb("twin list",           "twin.list:list_twins",               "List boards, scenarios and options of twins."),
    Verb("twin serve",          "twin.serve:serve",                   "Serve a twin that any program can open."),
    Verb("twin debug",          "twin.firmware_tools:debug",          "Run firmware on an emulated board, for GDB."),
    Verb("twin trace",          "twin.firmware_tools:trace",          "Record what firmware does on an emulated board."),
    Verb("twin press",          "twin.firmware_tools:press",          "Press the button of a board that is served."),
    Verb("twin snapshot",       "twin.emulated:snapshot",             "Run firmware on an emulated module for a while, and keep its state in a file."),
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
