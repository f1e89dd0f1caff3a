"""Files in a LittleFS that lies somewhere in flash: found by its superblock, read by the reference implementation.

OpenBeken keeps one for scripts and pages, inside the area of waiting updates. The library checks with assertions, which
end the process, so it runs with the settings it was fuzzed with, its reads are counted, and nothing is ever written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, cast

from wattrail.errors import needs_library
from wattrail.image.layout import SECTOR
from wattrail.image.model import Problem

__all__ = ["FileSystem", "StoredFile", "find_file_systems"]

MAX_FILES: Final = 512
MAX_FILE: Final = 1 << 20
"""Bytes that are read of one file; a flash has room for two such."""

MAX_BYTES: Final = 4 << 20
"""Bytes of all files together."""

MAX_READS: Final = 50_000
"""Reads of the medium for one file system: a full one of 512 KiB takes about 3,000."""

MAX_DEPTH: Final = 16
"""Folders inside each other."""

MAX_SYSTEMS: Final = 8
MAX_BLOCKS: Final = 4096

_MAGIC: Final = b"littlefs"
_MAGIC_AT: Final = 8
"""Where the superblock has its name: behind its revision and the tag of the name."""

_SUPERBLOCK: Final = struct.Struct("<6I")
"""Version, block size, blocks, longest name, longest file, longest attribute; behind the name and one more tag."""

_SUPERBLOCK_AT: Final = 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file or a folder; ``data`` is None where it could not be read, and for a folder."""

    path: str
    is_folder: bool
    size: int
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One file system. ``start`` is where in flash, ``length`` by its superblock, in bytes."""

    start: int
    length: int
    version: str
    files: tuple[StoredFile, ...]
    problems: tuple[Problem, ...] = ()


def find_file_systems(flash: bytes, base: int = 0) -> tuple[FileSystem, ...]:
    """Every LittleFS that begins on a sector. Raises MissingExtra where one is there and the library is not."""
    found: list[FileSystem] = []
    covered = -1
    for at in range(-base % SECTOR, len(flash) - SECTOR + 1, SECTOR):
        if at < covered or flash[at + _MAGIC_AT : at + _MAGIC_AT + len(_MAGIC)] != _MAGIC:
            continue
        size = _dimensions(flash, at)
        if size is None:
            continue
        block_size, blocks, version = size
        found.append(_read(flash[at : at + block_size * blocks], block_size, blocks, base + at, version))
        covered = at + block_size * blocks
        if len(found) == MAX_SYSTEMS:
            break
    return tuple(found)


def _dimensions(flash: bytes, at: int) -> tuple[int, int, str] | None:
    """Block size, blocks and version of the superblock; None for one that no firmware of the family writes."""
    version, block_size, blocks, *_ = _SUPERBLOCK.unpack_from(flash, at + _SUPERBLOCK_AT)
    if block_size not in (SECTOR, 2 * SECTOR) or not 2 <= blocks <= MAX_BLOCKS or version >> 16 != 2:
        return None
    return block_size, blocks, f"{version >> 16}.{version & 0xFFFF}"


class _Medium:
    """Bytes that the library reads by block; refuses to write, and to read without end."""

    def __init__(self, data: bytes, length: int) -> None:
        self.data = data.ljust(length, b"\xff")
        self.reads = 0

    def read(self, cfg: Any, block: int, off: int, size: int) -> bytearray:  # noqa: ANN401 the library's own record
        # The library ignores an exception here and takes what is in its memory; erased blocks end its search.
        self.reads += 1
        start = block * cfg.block_size + off
        return bytearray(self.data[start : start + size] if self.reads <= MAX_READS else b"").ljust(size, b"\xff")

    def prog(self, *_: object) -> int:
        return _READ_ONLY

    def erase(self, *_: object) -> int:
        return _READ_ONLY

    def sync(self, *_: object) -> int:
        return 0


_READ_ONLY: Final = -30


def _read(data: bytes, block_size: int, blocks: int, start: int, version: str) -> FileSystem:
    with needs_library("the files in a LittleFS", "littlefs-python", extra="image"):
        from littlefs import LittleFS, LittleFSError
    length = block_size * blocks
    medium = _Medium(data, length)
    system = LittleFS(
        cast("Any", medium), mount=False, block_size=block_size, block_count=blocks, read_size=_READ_SIZE,
        # latin-1: every byte is a character of it, so that a damaged name is still a name.
        prog_size=_READ_SIZE, cache_size=block_size, filename_encoding="latin-1",
    )  # fmt: skip
    problems = (
        [Problem(f"{length - len(data)} of its {length} bytes are not here", start)] if len(data) < length else []
    )
    files: list[StoredFile] = []
    try:
        system.mount()
        files.extend(_files(system, LittleFSError))
    except (LittleFSError, ValueError) as error:
        problems.append(Problem(f"the file system is damaged: {error}", start))
    problems += [
        Problem(f"{file.path} cannot be read", start) for file in files if not file.is_folder and file.data is None
    ]
    if medium.reads > MAX_READS:
        problems.append(Problem(f"the file system was given up after {MAX_READS} reads: it leads in a circle", start))
    return FileSystem(start, length, version, tuple(files), tuple(problems))


_READ_SIZE: Final = 16


def _files(system: Any, error: type[Exception]) -> Iterator[StoredFile]:  # noqa: ANN401 the library has no types for it
    """Files and folders, those of a folder behind it; at most MAX_FILES, and folders MAX_DEPTH deep."""
    waiting, left, count = ["/"], MAX_BYTES, 0
    while waiting:
        folder = waiting.pop()
        try:
            entries = [(entry.name, entry.type, entry.size) for entry in islice(system.scandir(folder), MAX_FILES)]
        except error:
            # A damaged folder costs what is in it, and no more.
            continue
        for name, kind, size in sorted(entries):
            count += 1
            if count > MAX_FILES:
                return
            path = f"{folder.rstrip('/')}/{name}"
            if kind == _FOLDER:
                yield StoredFile(path, is_folder=True, size=0)
                if path.count("/") < MAX_DEPTH:
                    waiting.append(path)
            else:
                data = _content(system, path, min(size, MAX_FILE, left), error)
                left -= len(data or b"")
                yield StoredFile(path, is_folder=False, size=size, data=data)


_FOLDER: Final = 2


def _content(system: Any, path: str, limit: int, error: type[Exception]) -> bytes | None:  # noqa: ANN401
    try:
        with system.open(path, "rb", buffering=0) as file:
            parts: list[bytes] = []
            while limit > 0 and (part := file.read(min(limit, SECTOR))):
                parts.append(part)
                limit -= len(part)
            return b"".join(parts)
    except (error, OSError, ValueError):
        return None
