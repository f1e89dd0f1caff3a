"""What a check finds, and what all checks look at."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from wattrail.credentials import default_secrets_file
from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.sanitize import printable
from wattrail.store import lock_holder

if TYPE_CHECKING:
    from wattrail.app.plan import ServicePlan
    from wattrail.app.schema import Config
    from wattrail.errors import WattrailError
    from wattrail.store import LockHolder

__all__ = [
    "DoctorFinding",
    "FindingSeverity",
    "Surroundings",
    "described",
    "fine",
    "group_name",
    "user_name",
    "warn",
    "wrong",
]


class FindingSeverity(StrEnum):
    """Whether something is in order, should be looked at, or keeps the gateway from its work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFinding:
    """One thing that was looked at; ``remedy`` is the next thing to do, None where there is nothing to do."""

    severity: FindingSeverity
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The configuration and its plan, None without any; the ``problem`` is why; the database; folders of the system.

    A story gives other folders than those of the system.
    """

    file: Path | None
    config: Config | None
    plan: ServicePlan | None
    problem: WattrailError | None = None
    database: DatabaseAddress
    secrets: Path = field(default_factory=default_secrets_file)
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    etc: Path = Path("/etc")
    run: Path = Path("/run")

    def gateway(self) -> LockHolder | None:
        """The gateway that holds the database, as far as that can be seen."""
        with suppress(StoreError):
            return lock_holder(self.database)
        return None


def fine(text: str) -> DoctorFinding:
    """In order."""
    return DoctorFinding(severity=FindingSeverity.OK, text=text)


def warn(text: str, remedy: str) -> DoctorFinding:
    """It works, and should be changed."""
    return DoctorFinding(severity=FindingSeverity.WARNING, text=text, remedy=remedy)


def wrong(text: str, remedy: str | None) -> DoctorFinding:
    """It keeps the gateway from its work."""
    return DoctorFinding(severity=FindingSeverity.ERROR, text=text, remedy=remedy)


def user_name(number: int | None = None) -> str:
    """The name of a user, else of the one who runs this; a number where it has none."""
    number = os.geteuid() if number is None else number
    try:
        # Imported when asked for: Windows has no such module.
        return str(import_module("pwd").getpwuid(number).pw_name)
    except (KeyError, ImportError):
        return str(number)


def group_name(number: int) -> str:
    """The name of a group; its number where it has none."""
    try:
        return str(import_module("grp").getgrgid(number).gr_name)
    except (KeyError, ImportError):
        return str(number)


def described(path: Path) -> str:
    """A file with its owner and its mode. Raises OSError."""
    found = path.stat()
    who = f"{user_name(found.st_uid)}:{group_name(found.st_gid)}"
    return f"{printable(str(path))} ({who}, mode {stat.S_IMODE(found.st_mode):04o})"
