"""What the exit code of the command says."""

from __future__ import annotations

from enum import IntEnum

from wattrail.errors import (
    ConfigError,
    FileError,
    LinkError,
    MissingExtra,
    PortError,
    TargetError,
    UrlError,
    VerifyError,
    WattrailError,
)

__all__ = ["Exit", "UsageError", "exit_for"]


class Exit(IntEnum):
    """Exit codes, the same for every verb."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PORT = 3
    LINK = 4
    TARGET = 5
    VERIFY = 6
    # As shells report it: 128 and the number of SIGINT.
    INTERRUPTED = 130


class UsageError(WattrailError):
    """What was typed cannot be done as it was typed."""


# The first that fits counts: a VerifyError is a TargetError too.
_BY_CLASS: tuple[tuple[type[WattrailError], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (UrlError, Exit.USAGE),
    (ConfigError, Exit.USAGE),
    (FileError, Exit.USAGE),
    (MissingExtra, Exit.USAGE),
    (PortError, Exit.PORT),
    (LinkError, Exit.LINK),
    (VerifyError, Exit.VERIFY),
    (TargetError, Exit.TARGET),
)


def exit_for(error: WattrailError) -> Exit:
    """The exit code for an error, by its class; FAILED for what has no code of its own."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Exit.FAILED)
