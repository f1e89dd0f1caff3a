"""Every write, truncation and flush of a database, recorded below the database engine; and what a power cut leaves.

SQLite writes through a table of functions (a VFS). Here its own one is copied, with ``xWrite``, ``xTruncate``,
``xSync``, ``xOpen`` and ``xDelete`` replaced by functions that note what is done and pass it on. What a disk has after
a power cut follows from the record: all that was flushed, and of what was written since any part, in any order, some
sectors torn. Works where Python's sqlite3 and ctypes share one libsqlite3.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from wattrail.store.reading_journal import journal_path

__all__ = ["Recorder", "is_possible"]

SECTOR: Final = 512
"""What a disk writes whole or not at all; pages of the database are two of them."""

_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
# The engine keeps the pointer to a file's name: it is passed on as it is, not as a copy that Python makes.
_OPEN = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)
_DELETE = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _I)
_WRITE = ctypes.CFUNCTYPE(_I, _P, _P, _I, _L)
_TRUNCATE = ctypes.CFUNCTYPE(_I, _P, _L)
_SYNC = ctypes.CFUNCTYPE(_I, _P, _I)
_CLOSE = ctypes.CFUNCTYPE(_I, _P)


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", _I), ("xClose", _CLOSE), ("xRead", _P), ("xWrite", _WRITE), ("xTruncate", _TRUNCATE),
        ("xSync", _SYNC), ("rest", _P * 14),
    )  # fmt: skip


class _File(ctypes.Structure):
    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", _I), ("szOsFile", _I), ("mxPathname", _I), ("pNext", _P), ("zName", ctypes.c_char_p),
        ("pAppData", _P), ("xOpen", _OPEN), ("xDelete", _DELETE), ("rest", _P * 16),
    )  # fmt: skip


def _library() -> Any:
    """The libsqlite3 of Python's own module; None where it has one of its own inside."""
    name = ctypes.util.find_library("sqlite3")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.sqlite3_libversion.restype = ctypes.c_char_p
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    return library


def is_possible() -> bool:
    """Whether a recorder sees what Python's sqlite3 writes."""
    try:
        import _sqlite3

        mapped = Path("/proc/self/maps").read_text(encoding="utf-8")
    except (ImportError, OSError):
        return False
    name = ctypes.util.find_library("sqlite3")
    return name is not None and name in mapped and hasattr(_sqlite3, "__file__")


@dataclass
class _DiskFile:
    """A file as the disk is sure to have it, and what was written to it since it was flushed."""

    flushed: bytearray = field(default_factory=bytearray)
    unflushed: list[tuple[int, bytes] | int] = field(default_factory=list)
    """Writes as place and content, truncations as a size."""

    def flush(self) -> None:
        for each in self.unflushed:
            _apply(self.flushed, each)
        self.unflushed.clear()

    def after_a_cut(self, chance: random.Random) -> bytes:
        """Of what was not flushed, some sectors; in one of them, perhaps, half of its bytes."""
        content = bytearray(self.flushed)
        share = chance.choice([0.0, 0.3, 0.7, 0.95, 1.0])
        for each in self.unflushed:
            if isinstance(each, int):
                if chance.random() < share:
                    _apply(content, each)
                continue
            place, written = each
            for start in range(0, len(written), SECTOR):
                if chance.random() < share:
                    sector = written[start : start + SECTOR]
                    if chance.random() < 0.02:
                        sector = sector[: chance.randrange(len(sector) + 1)]
                    _apply(content, (place + start, sector))
        return bytes(content)


def _apply(content: bytearray, each: tuple[int, bytes] | int) -> None:
    if isinstance(each, int):
        del content[each:]
        return
    place, written = each
    if len(content) < place:
        content.extend(bytes(place - len(content)))
    content[place : place + len(written)] = written


class Recorder:
    """Between ``start`` and ``stop`` new connections are recorded. Its files are named as the database names them."""

    def __init__(self) -> None:
        self._library = _library()
        self.files: dict[str, _DiskFile] = {}
        self.flushes = 0
        self.writes = 0
        self._names: dict[int, str] = {}
        self._kept: list[object] = []
        self._own: dict[int, Any] = {}
        self._base = self._library.sqlite3_vfs_find(None)
        self._vfs = self._wrapped()

    def start(self) -> None:
        """Record from the next connection on."""
        assert self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == 0

    def stop(self) -> None:
        """New connections are not recorded; close the recorded ones before."""
        assert self._library.sqlite3_vfs_register(self._base, 1) == 0
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    @contextmanager
    def beside(self, database: Path) -> Iterator[None]:
        """Record what is written to the journal of a database too, which is not a file of the engine."""
        write, truncate, path = os.pwrite, os.ftruncate, str(journal_path(database))

        def is_recorded(descriptor: int) -> bool:
            return str(Path(f"/proc/self/fd/{descriptor}").readlink()) == path

        def on_write(descriptor: int, content: bytes, place: int) -> int:
            if is_recorded(descriptor):
                self.files.setdefault(path, _DiskFile()).unflushed.append((place, content))
            return write(descriptor, content, place)

        def on_truncate(descriptor: int, size: int) -> None:
            if is_recorded(descriptor):
                self.files.setdefault(path, _DiskFile()).unflushed.append(size)
            truncate(descriptor, size)

        with patch.object(os, "pwrite", on_write), patch.object(os, "ftruncate", on_truncate):
            yield

    def write_back(self, path: Path) -> None:
        """The system itself writes a file to the disk, as it does some tens of seconds after it was changed."""
        if (file := self.files.get(str(path))) is not None:
            file.flush()

    def cut(self, folder: Path, chance: random.Random) -> None:
        """Write the files as the disk may have them if the power went now."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in self.files.items():
            (folder / Path(name).name).write_bytes(file.after_a_cut(chance))

    def _wrapped(self) -> _Vfs:
        vfs = _Vfs()
        ctypes.memmove(ctypes.byref(vfs), self._base, ctypes.sizeof(_Vfs))
        base_open, base_delete = self._base.contents.xOpen, self._base.contents.xDelete

        def on_open(_vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
            code = int(base_open(ctypes.addressof(self._base.contents), name, file, flags, out))
            handle = ctypes.cast(file, ctypes.POINTER(_File))
            if code == 0 and name and handle.contents.pMethods:
                path = ctypes.string_at(name).decode()
                self._names[file] = path
                self.files.setdefault(path, _DiskFile())
                handle.contents.pMethods = self._methods(handle.contents.pMethods)
            return code

        def on_delete(_vfs: int, name: bytes, is_flushed: int) -> int:
            self.files.pop(name.decode(), None)
            return int(base_delete(ctypes.addressof(self._base.contents), name, is_flushed))

        vfs.zName = b"recorded"
        vfs.xOpen, vfs.xDelete = _OPEN(on_open), _DELETE(on_delete)
        self._kept += [vfs.xOpen, vfs.xDelete, base_open, base_delete]
        return vfs

    def _methods(self, base: Any) -> Any:
        """The functions of a file with ours in place of three; one table for each table of the engine."""
        key = ctypes.addressof(base.contents)
        if key in self._own:
            return self._own[key]
        methods = _Methods()
        ctypes.memmove(ctypes.byref(methods), base, ctypes.sizeof(_Methods))
        write, truncate, flush = base.contents.xWrite, base.contents.xTruncate, base.contents.xSync

        def on_write(file: int, content: int, length: int, place: int) -> int:
            self.writes += 1
            self.files[self._names[file]].unflushed.append((place, ctypes.string_at(content, length)))
            return int(write(file, content, length, place))

        def on_truncate(file: int, size: int) -> int:
            self.files[self._names[file]].unflushed.append(size)
            return int(truncate(file, size))

        def on_flush(file: int, flags: int) -> int:
            self.flushes += 1
            code = int(flush(file, flags))
            self.files[self._names[file]].flush()
            return code

        methods.xWrite, methods.xTruncate, methods.xSync = _WRITE(on_write), _TRUNCATE(on_truncate), _SYNC(on_flush)
        pointer = ctypes.pointer(methods)
        self._own[key] = pointer
        self._kept += [methods, methods.xWrite, methods.xTruncate, methods.xSync, write, truncate, flush]
        return pointer
