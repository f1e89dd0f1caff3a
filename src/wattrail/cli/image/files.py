"""Images as files: read whole, written whole or not at all, never over another one unless told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import say
from wattrail.cli.exits import UsageError
from wattrail.files import give_name
from wattrail.image import FILE_MOST, Image, recognise

__all__ = ["Source", "WriteOptions", "load", "read", "write"]

Source = Annotated[Path, Parameter(help="The image: a file.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a file is written."""

    overwrite: Annotated[bool, Parameter(help="Replace OUT if it exists.")] = False
    dry_run: Annotated[bool, Parameter(help="Do everything but write the file.")] = False


def read(path: Path) -> bytes:
    """A file's bytes. Raises UsageError where it cannot be read or is larger than any image."""
    try:
        size = path.stat().st_size
        if size > FILE_MOST:
            raise UsageError(f"{path} has {size} bytes, more than any image of this family ({FILE_MOST})")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def load(path: Path) -> Image:
    """A file, recognised."""
    return recognise(read(path))


def write(path: Path, data: bytes, options: WriteOptions, *, sources: tuple[Path, ...]) -> None:
    """Write a file beside its place, then put it there, and say so. Raises UsageError where that cannot be."""
    if path.exists() and not options.overwrite:
        raise UsageError(f"{path} exists already", hint="name another file, or say --overwrite")
    if any(path.exists() and path.samefile(source) for source in sources):
        raise UsageError(f"{path} is what is read from", hint="name another file: an image is not replaced by itself")
    if options.dry_run:
        say.note(f"{path}: {len(data)} bytes would be written")
        return
    try:
        _write_whole(path, data, replace=options.overwrite)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    say.note(f"{path}: {len(data)} bytes written")


def _write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """A file that came there since it was looked at is not replaced unless told."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            give_name(beside, path)
    finally:
        beside.unlink(missing_ok=True)
