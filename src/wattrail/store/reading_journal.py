"""A small file beside a database: readings between two ledger entries, a line each, written over and over.

A line is a checksum, the id of the meter, and JSON: the number of the line, by how much it is above that of the line
before of the same meter, and the columns of the reading. Numbers only grow, over all starts. Once everything is in the
database, the next line stands at the beginning of the file again; what stands behind the last line is of an earlier
round.

A checksum covers the one of the line before and the moment at which the meter was registered, which is not in the file.
So a line that was half written, one of an earlier round, and one of a meter of another database end the content.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.errors import StoreError

__all__ = ["JournalLine", "ReadingJournal", "journal_content", "journal_lines", "journal_path"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAX_BYTES: Final = 64 << 20
"""Far above what a gateway lets it grow to: what is longer is none of ours, and is not read into memory."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One reading: its number, that of the one before of its meter, and the values of its row."""

    meter_id: int
    number: int
    before: int
    values: tuple[object, ...]


def journal_path(database: Path) -> Path:
    """Where the readings of a database are that it does not hold yet. Two names of one file have one."""
    target = database.resolve()
    return target.with_name(f"{target.name}.readings")


def journal_content(database: Path) -> bytes:
    """What the file beside a database holds; nothing where there is none. Raises StoreError."""
    try:
        with journal_path(database).open("rb") as file:
            return file.read(_MAX_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(
            f"{journal_path(database)} cannot be read: {error.strerror}", hint="ask as the user of the gateway"
        ) from error


def journal_lines(content: bytes, registered: Mapping[int, int]) -> Iterator[JournalLine]:
    """The lines of a content, up to the first that does not belong to it.

    ``registered`` has the moment at which each meter was registered, in microseconds, by its id.
    """
    checksum, last = 0, -1
    for line in content.split(b"\n")[:-1]:
        given, _, rest = line.partition(b" ")
        meter, _, text = rest.partition(b" ")
        try:
            meter_id = int(meter)
            checksum = _checksum(checksum, registered[meter_id], rest)
            if checksum != int(given, 16):
                return
            number, step, *values = json.loads(text)
        except (ValueError, KeyError, TypeError):
            return
        if number <= last:
            return
        last = number
        yield JournalLine(meter_id, number, number - step, tuple(values))


def _encoded(line: JournalLine, registered: int, checksum: int) -> tuple[bytes, int]:
    """A line of the file, and its checksum."""
    text = json.dumps((line.number, line.number - line.before, *map(_plain, line.values)), separators=(",", ":"))
    rest = f"{line.meter_id} {text}".encode()
    checksum = _checksum(checksum, registered, rest)
    return b"%08x %s\n" % (checksum, rest), checksum


def _checksum(before: int, registered: int, rest: bytes) -> int:
    return zlib.crc32(rest, zlib.crc32(b"%d" % registered, before))


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


class ReadingJournal:
    """The file, open to write. Its methods raise OSError, and leave its content as it was."""

    def __init__(self, database: Path) -> None:
        path = journal_path(database)
        self._descriptor: int | None = os.open(path, _FLAGS, database.stat().st_mode & 0o777)
        self._end = self._checksum = 0

    def take_up(self, registered: Mapping[int, int]) -> list[JournalLine]:
        """What an earlier process left; the next line follows it."""
        lines = []
        for line in journal_lines(os.pread(self._open, _MAX_BYTES, 0), registered):
            encoded, self._checksum = _encoded(line, registered[line.meter_id], self._checksum)
            self._end += len(encoded)
            lines.append(line)
        return lines

    def append(self, lines: Iterable[JournalLine], registered: Mapping[int, int]) -> None:
        """Add lines: once this returns, they survive the death of the process."""
        encoded, checksum = [], self._checksum
        for line in lines:
            text, checksum = _encoded(line, registered[line.meter_id], checksum)
            encoded.append(text)
        # Not flushed: what the system has survives the process, and a power cut may take readings since the last entry
        # (ADR 47).
        content = b"".join(encoded)
        try:
            place = self._end
            while content:
                written = os.pwrite(self._open, content, place)
                content, place = content[written:], place + written
        except OSError:
            self.cut_back(self.mark())
            raise
        self._end, self._checksum = place, checksum

    def mark(self) -> tuple[int, int]:
        """The place of the next line, for ``cut_back``."""
        return self._end, self._checksum

    def cut_back(self, mark: tuple[int, int]) -> None:
        """Take back every line after a mark."""
        self._end, self._checksum = mark
        os.ftruncate(self._open, self._end)

    def begin_again(self) -> None:
        """Everything is in the database: the next line stands at the beginning.

        The file keeps its length, so that the file system has nothing to note each minute.
        """
        self._end = self._checksum = 0

    def close(self, *, is_empty: bool) -> None:
        """Close the file; it is emptied where everything is in the database. A second time does nothing."""
        if self._descriptor is not None:
            if is_empty:
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError("the readings' file is closed")
        return self._descriptor
