"""Images as files: read whole, written whole or not at all, never over another one unless asked to.

People hand over what they downloaded: a zip with one image in it is that image; a web page, a pointer, a text that
encodes bytes is refused by its name, with the way to the image.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.errors import ImageError
from wattrail.files import read_bytes
from wattrail.image import MAX_FILE_BYTES, Foreign, Image, Zipped, look_into_zip, recognise, recognise_foreign
from wattrail.sanitize import printable
from wattrail.whole_file import whole_file

__all__ = ["ForeignFile", "Source", "WriteOptions", "load", "read", "write"]

MAX_NAMES_SHOWN = 8


Source = Annotated[Path, Parameter(help="The image: a file.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a file is written."""

    overwrite: Annotated[bool, Parameter(help="Replace OUT if it exists.")] = False
    dry_run: Annotated[bool, Parameter(help="Do everything but write the file.")] = False


class ForeignFile(ImageError):
    """A file of a format that is not a firmware image; the hint is the way to one."""


def read(path: Path) -> bytes:
    """A file's bytes. Raises FileError where it cannot be read or is larger than any image."""
    return read_bytes(path, limit=MAX_FILE_BYTES)


def load(path: Path) -> Image:
    """A file, recognised; a zip archive that holds one image is taken for that image.

    Raises FileError, ImageError for an archive that cannot be read, ForeignFile for what is not a firmware image.
    """
    data = read(path)
    foreign = recognise_foreign(data)
    if foreign is None:
        return recognise(data)
    if foreign.is_zip:
        return _from_zip(path, look_into_zip(data))
    raise ForeignFile(f"{_shown(path)} is {foreign.what}, not a firmware image", hint=_hint(path, foreign))


def _from_zip(path: Path, found: Zipped) -> Image:
    """The only image in an archive. Raises ForeignFile where there is none, or a choice."""
    file = _quoted(path)
    match found.images:
        case [member]:
            output.note(f"{_shown(path)} is a zip archive with one image in it: {printable(member.name)} is taken")
            return recognise(member.data)
        case []:
            raise ForeignFile(
                f"{_shown(path)} is a zip archive without a firmware image: it holds {_names(found.names)}",
                hint=f"look at what is in it: unzip -l {file}",
            )
    names = [member.name for member in found.images]
    plain = next((name for name in names if name.isprintable() and not name.startswith("-")), None)
    raise ForeignFile(
        f"{_shown(path)} is a zip archive with {len(names)} images in it: {_names(names)}",
        hint=f"take one of them: unzip -p {file} {_pattern(plain)} > image.bin"
        if plain
        else f"unpack it: unzip {file}",
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name, limit=80) for name in names[:MAX_NAMES_SHOWN])
    more = len(names) - MAX_NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "nothing"


def _pattern(name: str) -> str:
    """A member's name as unzip takes it: it reads names as patterns."""
    return shlex.quote("".join(f"[{char}]" if char in "*?[" else char for char in name))


def _hint(path: Path, foreign: Foreign) -> str:
    beside = path.with_name(path.name.removeprefix("._") or path.name)
    if beside != path and beside.is_file():
        return f"take the file beside it: {_quoted(beside)}"
    return foreign.hint(_quoted(path))


def _quoted(path: Path) -> str:
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def _shown(path: Path) -> str:
    return printable(str(path))


def write(path: Path, data: bytes, options: WriteOptions, *, sources: tuple[Path, ...]) -> None:
    """Write a file beside its place, then put it there, and say so. Raises UsageError where that cannot be."""
    if path.exists() and not options.overwrite:
        raise UsageError(f"{path} exists already", hint="name another file, or say --overwrite")
    if any(path.exists() and path.samefile(source) for source in sources):
        raise UsageError(f"{path} is what is read from", hint="name another file: an image is not replaced by itself")
    if not data:
        raise UsageError(f"nothing is left to write to {path}", hint="look at the source with 'wattrail image info'")
    if options.dry_run:
        output.note(f"{path}: {len(data)} bytes would be written")
        return
    try:
        with whole_file(path, replace=options.overwrite) as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    output.note(f"{path}: {len(data)} bytes written")
