"""Looks into a zip archive for the one image that it was made to carry.

Dumps are passed round as zips with a photo and a note beside them. An archive comes from a stranger: everything it can
make large (its directory, its members, their number) is bounded before it is read.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.errors import ImageError
from wattrail.image.foreign import recognise_foreign
from wattrail.image.limits import MAX_FILE_BYTES
from wattrail.image.model import ImageKind
from wattrail.image.recognise import recognise

__all__ = ["Member", "Zipped", "look_into_zip"]

MAX_DIRECTORY_BYTES: Final = 1 << 18
"""Bytes of the archive's own directory: room for more than 2,000 members, and dumps come with fewer than ten."""

MAX_MEMBERS: Final = 256
"""Members that are looked into."""

MAX_UNPACKED: Final = 2 * MAX_FILE_BYTES
"""Bytes that all members together may unpack to: a member alone may have MAX_FILE_BYTES."""

_END: Final = struct.Struct("<4s4H2IH")
_END_MAGIC: Final = b"PK\x05\x06"
_END_REACH: Final = _END.size + 0xFFFF
"""The end record is followed by a comment of at most that many bytes."""

_ZIP64_LOCATOR: Final = 20
_ZIP64_MAGIC: Final = b"PK\x06\x07"
"""Stands before the end record of an archive with sizes of 64 bits, which no image needs."""

_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""LZMA is left out: its dictionary, and with it the memory it takes, is the archive's choice."""


@dataclass(frozen=True, slots=True)
class Member:
    """One image in an archive, and the name it has there."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Zipped:
    """The images in an archive, and the names of all files in it."""

    images: tuple[Member, ...]
    names: tuple[str, ...]


def look_into_zip(data: bytes) -> Zipped:
    """All images among the members. Raises ImageError for an archive that is damaged, enciphered or too large."""
    _check_directory(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not _is_clutter(info)]
            if len(files) > MAX_MEMBERS:
                raise ImageError(f"the zip archive holds {len(files)} files, at most {MAX_MEMBERS} are looked into")
            images = tuple(_images(archive, files))
    # zipfile passes on what its decompressors raise, so damage comes as many errors.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error) as error:
        raise ImageError(f"the zip archive is damaged: {error}", hint="download it again") from error
    except NotImplementedError as error:
        raise ImageError(
            f"the zip archive cannot be read: {error}", hint="unpack it with the program that made it"
        ) from error
    return Zipped(images, tuple(info.filename for info in files))


def _check_directory(data: bytes) -> None:
    """Raise ImageError for a directory larger than any that carries an image; its size comes before it is read."""
    at = len(data) - _END.size  # where zipfile looks first; else the last one before a comment
    if at < 0 or data[at : at + 4] != _END_MAGIC:
        at = data.rfind(_END_MAGIC, max(0, len(data) - _END_REACH))
    if at < 0 or at + _END.size > len(data):
        raise ImageError("the zip archive is damaged: its directory is missing", hint="download it again")
    size = _END.unpack_from(data, at)[5]
    if size > MAX_DIRECTORY_BYTES or data[max(0, at - _ZIP64_LOCATOR) : at].startswith(_ZIP64_MAGIC):
        raise ImageError(f"the zip archive's directory is too large: at most {MAX_DIRECTORY_BYTES} bytes are read")


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Folders, and what macOS puts beside every file."""
    return info.is_dir() or info.filename.startswith("__MACOSX/") or info.filename.rpartition("/")[2].startswith("._")


def _images(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> Iterator[Member]:
    left = MAX_UNPACKED
    for info in files:
        if info.flag_bits & _ENCRYPTED:
            raise ImageError(
                f"the zip archive is enciphered: {info.filename!r} needs a password", hint="unpack it yourself"
            )
        if info.compress_type not in _METHODS:
            raise NotImplementedError(f"{info.filename!r} is compressed by method {info.compress_type}")
        # Asked for one byte more than allowed: what an archive says of its sizes is not believed.
        limit = min(left, MAX_FILE_BYTES)
        with archive.open(info) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ImageError(
                f"{info.filename!r} in the zip archive unpacks to more than {limit} bytes, and no image does"
            )
        left -= len(content)
        if recognise_foreign(content) is None and recognise(content).kind not in (ImageKind.UNKNOWN, ImageKind.BLANK):
            yield Member(info.filename, content)
