"""The flasher: a BK7231's flash read, backed up, written and proven, over a port that may fail at any moment."""

from wattrail.flasher.backup_store import BackupStore, BoardFolder
from wattrail.flasher.backups import Backup, KeptBackup
from wattrail.flasher.device import KnownBytes
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
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.flasher import Flasher, open_flasher
from wattrail.flasher.safety_checks import AS_IT_WAS, Risk, check_dump_file, check_file, is_placed
from wattrail.flasher.write_image import Comparison, Report
from wattrail.flasher.write_plan import Segment

__all__ = [
    "AS_IT_WAS",
    "BackedUp",
    "Backup",
    "BackupStore",
    "BoardFolder",
    "Coaching",
    "Comparison",
    "FlashEvent",
    "FlashTarget",
    "Flasher",
    "Identified",
    "KeptBackup",
    "KnownBytes",
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
    "Segment",
    "check_dump_file",
    "check_file",
    "is_placed",
    "open_flasher",
]
