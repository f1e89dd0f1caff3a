"""The boot protocol of the BK7231: commands, frames, a link, flash geometry. Pure: no port, no clock."""

from wattrail.bk7231 import Chip
from wattrail.bootrom.commands import COMMANDS, TRAITS, Command, Responder, Traits
from wattrail.bootrom.events import NEED_DATA, Answered, Event, problem
from wattrail.bootrom.geometry import PARTS, FlashPart, part_of
from wattrail.bootrom.identify import ChipEvidence, EfuseBytes, Identity, identify, read_efuse
from wattrail.bootrom.link import BootLink
from wattrail.bootrom.requests import crc_range, wire_crc

__all__ = [
    "COMMANDS",
    "NEED_DATA",
    "PARTS",
    "TRAITS",
    "Answered",
    "BootLink",
    "Chip",
    "ChipEvidence",
    "Command",
    "EfuseBytes",
    "Event",
    "FlashPart",
    "Identity",
    "Responder",
    "Traits",
    "crc_range",
    "identify",
    "part_of",
    "problem",
    "read_efuse",
    "wire_crc",
]
