"""Files that appear under their name whole or not at all, whatever ends the program or the power meanwhile.

The bytes go to a file beside, which gets the name once the disk has them. The new name is in the folder, so the folder
is flushed too: otherwise a power cut could bring back what stood there before.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["flush_folder", "give_name", "whole_file"]

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EXDEV}
)
"""Errors of a file system without hard links, for example on a USB stick."""

_NO_FOLDER_FLUSH: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EBADF})
"""What is answered where a folder cannot be opened or flushed: some network drives, and Windows. A full or a broken
disk is not among them."""


@contextmanager
def whole_file(
    path: Path, *, replace: bool, mode: int = 0o666, prepare: Callable[[int], object] | None = None
) -> Iterator[BinaryIO]:
    """A file to write to, which has ``path`` as its name once the block has ended without an error.

    ``replace``: a file of that name gives way; if not, FileExistsError, even if it came a moment ago. ``mode`` is the
    one of ``os.open``; ``prepare`` gets the descriptor before anything is written, to give it an owner. Raises OSError.
    """
    # Its own name each time: of two that write one file at once, each makes a whole one. In the same folder, for only
    # within one file system does a file take the place of another in one step.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    # With its mode from the beginning: before a chmod others could open it.
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(number, "wb") as file:
            if prepare is not None:
                prepare(number)
            yield file
            file.flush()
            os.fsync(number)
        if replace:
            beside.replace(path)
        else:
            give_name(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    flush_folder(path.parent)


def give_name(beside: Path, path: Path) -> None:
    """Give a finished file its name, unless the name is taken. ``beside`` may remain as a second name of it.

    Raises OSError, and FileExistsError even if the other file was created a moment ago.
    """
    try:
        os.link(beside, path)
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno not in _NO_LINKS:
            raise
        with path.open("xb") as file:
            file.write(beside.read_bytes())
            file.flush()
            os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Let a new name survive a power cut, where the system can. Raises OSError where the disk is full or broken."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FLUSH:
            raise
