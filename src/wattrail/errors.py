"""One exception tree. Every error says what, where, and got against wanted; the hint is the remedy.

WattrailError
├── UrlError (also ValueError)      a port URL that cannot be understood
├── ConfigError (also ValueError)   a configuration or scenario file that cannot be used
├── FileError                       a given file cannot be read
├── MissingExtra                    an optional library is not installed
├── PortError                       a port or bus: opening, loss, timeout
│   ├── PortOpenError
│   │   └── AccessDenied            a device or a broker refuses the user or the password
│   ├── PortLost
│   └── PortTimeout
├── LinkError                       the protocol: bytes came, but not the expected ones
│   ├── NoAnswer
│   ├── ChecksumError
│   ├── UnexpectedReply
│   ├── LinkFailed                  no link, or a lost one; carries a diagnosis
│   └── ImplausibleReading
├── TargetError                     the chip refused a command, or did not carry it out
│   ├── VerifyError                 the flash does not hold what it should
│   ├── WriteProtected              the flash accepts erases and writes without changing
│   └── WriteRefused                a harmful write, refused before the chip was touched
├── ImageError                      a firmware image is damaged, or is not what it is taken for
├── LedgerError                     an entry that would make the account wrong
└── StoreError                      the database
    └── StoreUnavailable            it cannot be written now: full, locked, read-only; nothing of it is wrong
        └── StoreUncertain          nobody can say whether the last transaction is stored: do not repeat it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from wattrail.extras import install_command
from wattrail.sanitize import hide_credentials, printable_lines

__all__ = [
    "AccessDenied",
    "ChecksumError",
    "ConfigError",
    "FileError",
    "ImageError",
    "ImplausibleReading",
    "LedgerError",
    "LinkError",
    "LinkFailed",
    "MissingExtra",
    "NoAnswer",
    "OtherDevice",
    "PortError",
    "PortLost",
    "PortOpenError",
    "PortTimeout",
    "StoreError",
    "StoreUnavailable",
    "StoreUncertain",
    "TargetError",
    "UnexpectedReply",
    "UrlError",
    "VerifyError",
    "WattrailError",
    "WriteProtected",
    "WriteRefused",
    "needs_library",
]


class WattrailError(Exception):
    """Base of everything wattrail raises on purpose; any other exception is a bug.

    ``hint`` is the next thing to try, or None; it states no guess as a fact. Credentials of URLs and terminal escapes
    are removed from both, also from quoted text.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(hide_credentials(printable_lines(message)))
        self.hint = None if hint is None else hide_credentials(printable_lines(hint))

    def hide(self, secrets: Iterable[str]) -> None:
        """Take these out of the message and the hint: a peer may have given back what it was sent."""
        secrets = tuple(secrets)
        self.args = (hide_credentials(str(self), *secrets), *self.args[1:])
        self.hint = self.hint and hide_credentials(self.hint, *secrets)


class UrlError(WattrailError, ValueError):
    """A port URL names an unknown scheme or option, or a value that does not fit."""


class ConfigError(WattrailError, ValueError):
    """A configuration or scenario file cannot be used; the message names file, line and field."""


class FileError(WattrailError):
    """A given file is missing, not a regular file, too large, or not text where text is needed."""


class MissingExtra(WattrailError):
    """An optional library is missing; the hint is the command that installs it."""

    def __init__(self, what: str, *, library: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the library {library!r}, which is not installed", hint=install_command(library, extra)
        )
        self.library = library
        self.extra = extra


@contextmanager
def needs_library(what: str, library: str, *, extra: str, module: str | None = None) -> Iterator[None]:
    """Around an import of a library of an extra. Raises MissingExtra where it fails, which ``what`` cannot do without.

    ``module`` is for an import of our own that comes upon the library: only where that module is missing is it the
    extra, anything else is a defect and passes.
    """
    try:
        yield
    except ImportError as error:
        if module is not None and (not isinstance(error, ModuleNotFoundError) or error.name != module):
            raise
        raise MissingExtra(what, library=library, extra=extra) from error


class PortError(WattrailError):
    """The carrier of bytes failed."""


class PortOpenError(PortError):
    """A port cannot be opened: it is missing, busy, or not permitted."""


class AccessDenied(PortOpenError):
    """A device or a broker refuses the user or the password."""


class PortLost(PortError):
    """An open port went away: cable pulled, peer closed, device gone."""


class PortTimeout(PortError):
    """Nothing arrived before the deadline."""


class LinkError(WattrailError):
    """The peer did not answer, or not as its protocol requires."""


class NoAnswer(LinkError):
    """The chip sent nothing or only part of a reply; ``got`` holds the bytes received."""

    def __init__(self, message: str, *, got: bytes = b"", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.got = got


class ChecksumError(LinkError):
    """A frame is complete, and its checksum does not match."""


class UnexpectedReply(LinkError):
    """A frame is well formed but is not the answer to what was asked."""


class OtherDevice(UnexpectedReply):
    """Another device than the one that was meant answers at the address."""


class LinkFailed(LinkError):
    """The link to a flash chip was not established, or was lost; ``diagnosis`` says why, as JSON data."""

    def __init__(self, message: str, *, diagnosis: Mapping[str, object] | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.diagnosis = diagnosis or {}


class ImplausibleReading(LinkError):
    """Frames passed their checksum, yet contradict physics or each other."""


class TargetError(WattrailError):
    """The chip did not carry out a command, for example kept an old register value.

    ``offset`` and ``length`` locate it in the flash, in bytes; None if it concerns no place.
    """

    def __init__(
        self, message: str, *, offset: int | None = None, length: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.length = length


class VerifyError(TargetError):
    """The flash does not hold what it should."""


class WriteProtected(TargetError):
    """The flash accepts erases and writes, and no bit changes; ``elsewhere``: other sectors did change before."""

    def __init__(
        self, message: str, *, offset: int, length: int, elsewhere: bool = False, hint: str | None = None
    ) -> None:
        super().__init__(message, offset=offset, length=length, hint=hint)
        self.elsewhere = elsewhere


class WriteRefused(TargetError):
    """A harmful write, refused before the chip was touched; ``risk`` is the word that allows it, or empty."""

    def __init__(self, message: str, *, risk: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.risk = risk


class ImageError(WattrailError):
    """A firmware image is damaged, or is not what it is taken for; ``offset`` is where in it, in bytes, or None."""

    def __init__(self, message: str, *, offset: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


class LedgerError(WattrailError):
    """An entry that would make the account wrong."""


class StoreError(WattrailError):
    """The database cannot be opened, is newer than this program, or is damaged."""


class StoreUnavailable(StoreError):
    """The database cannot be read or written at this moment: the disk is full, or it is locked or read-only."""


class StoreUncertain(StoreUnavailable):
    """The answer to a COMMIT is lost: what was to be written may be stored, and is read again, not written again."""
