"""The flasher: a BK7231's flash read, backed up, written and proven, over a port that may fail at any moment."""

from wattrail.flasher.backup import Backup
from wattrail.flasher.backup_catalog import KeptBackup
from wattrail.flasher.events import (
    BackedUp,
    Coaching,
    FlashEvent,
    Identified,
    Linked,
    Listener,
    Lost,
    Note,
    Progress,
    RateChanged,
    Repeated,
    Resumed,
)
from wattrail.flasher.flasher import Flasher
from wattrail.flasher.guards import AS_IT_WAS, Risk, check_dump_file, check_file, is_placed
from wattrail.flasher.opening import open_flasher
from wattrail.flasher.reader import Known
from wattrail.flasher.report import Comparison, Report
from wattrail.flasher.shelf import BoardFolder, Shelf
from wattrail.flasher.target import Target

__all__ = [
    "AS_IT_WAS",
    "BackedUp",
    "Backup",
    "BoardFolder",
    "Coaching",
    "Comparison",
    "FlashEvent",
    "Flasher",
    "Identified",
    "KeptBackup",
    "Known",
    "Linked",
    "Listener",
    "Lost",
    "Note",
    "Progress",
    "RateChanged",
    "Repeated",
    "Report",
    "Resumed",
    "Risk",
    "Shelf",
    "Target",
    "check_dump_file",
    "check_file",
    "is_placed",
    "open_flasher",
]
