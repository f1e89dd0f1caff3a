"""The boot protocol of the BK7231: commands, frames, a link, flash geometry. Pure: no port, no clock."""

from wattrail.bk7231 import Chip
from wattrail.bootrom.commands import COMMANDS, Command, Responder
from wattrail.bootrom.geometry import PARTS, FlashPart, part_of
from wattrail.bootrom.identify import Evidence, Identity, identify
from wattrail.bootrom.link import BootLink
from wattrail.bootrom.problems import problem
from wattrail.bootrom.responders import TRAITS, Traits

__all__ = [
    "COMMANDS",
    "PARTS",
    "TRAITS",
    "BootLink",
    "Chip",
    "Command",
    "Evidence",
    "FlashPart",
    "Identity",
    "Responder",
    "Traits",
    "identify",
    "part_of",
    "problem",
]
