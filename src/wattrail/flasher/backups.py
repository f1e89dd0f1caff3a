"""The backups of one board: which there are, what is in them, and which is the original.

Each backup is noted in ``backups.jsonl`` beside the journal, also one that was put elsewhere. Its name says when, which
one it is, what firmware is in it, and the first eight digits of its SHA-256:

    backup-20260621T120007Z-original-tuya-1f0e8a3c.bin

    original      the flash as it was before this program first changed it; kept for ever
    later         any backup after it
    half-written  of a flash that a session had left unfinished; never put back as a whole

A folder of an earlier version has only names with a time in them: the oldest is then the original, and those that its
journal shows to be half-written are marked so. Nothing in such a folder is moved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.clock import Clock
from wattrail.errors import FileError, ImageError
from wattrail.exclusive_file import sha256_of
from wattrail.files import parse_json, read_bytes
from wattrail.flasher.journal import Journal, append_line
from wattrail.image import Image, crypt, recognise, unpack

__all__ = ["Backup", "BackupCatalog", "KeptBackup", "Origin", "firmware_of", "origin_in"]

Origin = Literal["original", "later", "half-written"]

SHARED: Final = "-without-rf"
_FILE: Final = "backups.jsonl"
_MAX_BYTES: Final = 4 << 20
_NAME: Final = re.compile(
    r"backup-(?P<at>\d{8}T\d{6}Z)(-simulated)?(-\d+)?(-(?P<origin>original|later|half-written)-.*)?\.bin"
)
_ORIGINS: Final[tuple[Origin, ...]] = ("original", "later", "half-written")


class Backup:
    """A whole flash, read and confirmed by CRCs. ``data`` is what stood there at that moment.

    ``is_new``: the file was made for it; else one was kept that has the same content.
    """

    def __init__(self, path: Path, data: bytes, *, is_new: bool = True) -> None:
        self.path = path
        self.data = data
        self.is_new = is_new
        self.sha256 = hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptBackup:
    """One file with a whole flash. ``at`` is when it was taken, as it was noted; ``firmware`` what is in it, a word.

    ``sha256`` and ``firmware`` are empty where an earlier version noted none.
    """

    path: Path
    at: str
    bytes: int
    origin: Origin
    firmware: str = ""
    sha256: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is one of a flash that was not half-written."""
        return self.origin != "half-written"

    def looked_into(self) -> KeptBackup:
        """The same, with what an earlier version did not note. Reads the file."""
        if self.sha256 and self.firmware:
            return self
        try:
            data = read_bytes(self.path, limit=MAX_FLASH_BYTES)
        except FileError:
            return self
        return replace(self, firmware=firmware_of(data), sha256=hashlib.sha256(data).hexdigest())


class BackupCatalog:
    """The backups of one board, in a folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def all(self) -> list[KeptBackup]:
        """Those that exist, oldest first; at most one is the original."""
        noted = {kept.path: kept for kept in self._noted()}
        unnoted = [kept for kept in self._unnoted() if kept.path not in noted]
        first = self._first_of(unnoted, noted.values())
        there = [*unnoted, *(kept for kept in noted.values() if kept.path.is_file())]
        return [
            replace(kept, origin="original" if kept is first else "later") if kept.is_whole else kept for kept in there
        ]

    def original(self) -> KeptBackup | None:
        """The first one: what the board is taken back to."""
        return next((kept for kept in self.all() if kept.origin == "original"), None)

    def prunable(self, keep: int) -> list[KeptBackup]:
        """Those that nothing rests on: not the original, nor the oldest, nor the ``keep`` newest whole ones.

        None where a write did not end, none outside this folder, and none in the folder that an earlier version shared
        between all boards without RF block: there each may be some board's first.
        """
        there = [kept for kept in self.all() if kept.path.parent == self.folder]
        if self.folder.name.endswith(SHARED) or Journal(self.folder, self._clock).unfinished() is not None:
            return []
        whole = [kept for kept in there if kept.is_whole]
        stay = [*whole[:1], *whole[max(0, len(whole) - keep) :], *(kept for kept in whole if kept.origin == "original")]
        return [kept for kept in there if kept not in stay]

    def next_origin(self, *, half_written: bool) -> Origin:
        """What the next backup is. A board that was written before without one has no original any more."""
        if half_written:
            return "half-written"
        has_begun = any(True for _ in Journal(self.folder, self._clock).named_backups())
        has_whole = any(kept.is_whole for kept in self._noted()) or any(kept.is_whole for kept in self._unnoted())
        return "later" if has_begun or has_whole else "original"

    def same_as(self, sha256: str, size: int) -> KeptBackup | None:
        """A kept one with this very content, looked at now."""
        for kept in self.all():
            if kept.bytes == size and kept.sha256 in ("", sha256) and sha256_of(kept.path) == sha256:
                return kept
        return None

    def name(self, data: bytes, origin: Origin, *, simulated: bool) -> Path:
        """A name for a new one, which no file has yet."""
        stamp = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        words = f"{origin}-{firmware_of(data)}-{hashlib.sha256(data).hexdigest()[:8]}"
        mark = "-simulated" if simulated else ""
        turns = ("", *(f"-{turn}" for turn in range(2, 100)))
        names = (self.folder / f"backup-{stamp}-{words}{turn}{mark}.bin" for turn in turns)
        return next(name for name in names if not name.exists())

    def note(self, path: Path, data: bytes, origin: Origin) -> None:
        """Note one that was written. Raises OSError."""
        entry = {
            "file": path.name if path.parent == self.folder else str(path.resolve()),
            "at": self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "origin": origin,
            "firmware": firmware_of(data),
        }
        append_line(self.folder / _FILE, entry)

    def _first_of(self, unnoted: list[KeptBackup], noted: Iterable[KeptBackup]) -> KeptBackup | None:
        """The first that was noted as the original; in a folder of an earlier version, the oldest.

        None where the board had been written before anything was kept: then no backup is what it once was.
        """
        marked = (kept for kept in (*noted, *unnoted) if kept.origin == "original")
        if (first := next(marked, None)) is not None:
            return first
        sessions = [*Journal(self.folder, self._clock).named_backups()]
        # An earlier version could write without a backup. What was kept later is then no original. ADR 22.
        if sessions and not sessions[0][1]:
            return None
        return next((kept for kept in unnoted if kept.is_whole), None)

    def _noted(self) -> Iterator[KeptBackup]:
        try:
            lines = read_bytes(self.folder / _FILE, limit=_MAX_BYTES).split(b"\n")
        except FileError:
            return
        for line in lines:
            if (kept := self._entry(line)) is not None:
                yield kept

    def _entry(self, line: bytes) -> KeptBackup | None:
        try:
            entry = parse_json(line.decode("utf-8", "replace"), _FILE)
        except ValueError:
            return None
        if not isinstance(entry, dict) or "\0" in str(entry.get("file")):
            return None
        origin = next((one for one in _ORIGINS if one == entry.get("origin")), None)
        size = entry.get("bytes")
        if origin is None or not isinstance(size, int) or not entry.get("file"):
            return None
        return KeptBackup(
            self.folder / str(entry["file"]),
            str(entry.get("at", "")),
            size,
            origin,
            str(entry.get("firmware", "")),
            str(entry.get("sha256", "")),
        )

    def _unnoted(self) -> Iterator[KeptBackup]:
        """Files of an earlier version, or whose note was lost."""
        half = Journal(self.folder, self._clock).half_written_backups()
        for path in sorted(self.folder.glob("backup-*.bin")):
            said = _NAME.fullmatch(path.name)
            if path.is_symlink() or not path.is_file():
                continue
            named = said["origin"] if said else None
            origin: Origin = "half-written" if path.name in half or named == "half-written" else "later"
            at = (
                f"{said['at'][:4]}-{said['at'][4:6]}-{said['at'][6:11]}:{said['at'][11:13]}:{said['at'][13:]}"
                if said
                else ""
            )
            yield KeptBackup(path, at, path.stat().st_size, "original" if named == "original" else origin)


def origin_in(path: Path) -> Origin | None:
    """What a backup's own name says it is."""
    said = _NAME.fullmatch(path.name)
    return next((one for one in _ORIGINS if said is not None and one == said["origin"]), None)


def firmware_of(data: bytes) -> str:
    """What runs in a flash, in a word that fits a file's name."""
    image = recognise(data)
    if not data.strip(b"\xff"):
        return "blank"
    code = image.app or b""
    for found in (code, _deciphered(code, image)):
        if b"OpenBK7231" in found or b"OpenBeken" in found:
            return "openbeken"
        if b"esphome" in found or b"LibreTiny" in found:
            return "libretiny"
    if any(mark.startswith("Tuya") for mark in image.settings):
        return "tuya"
    return "unknown"


def _deciphered(code: bytes, image: Image) -> bytes:
    """The app as it runs; nothing where it is damaged, or cannot be worked out here."""
    if image.key is None:
        return b""
    try:
        return crypt(unpack(code), image.key, 0x10000)
    except (ImageError, ImportError, ValueError):
        return b""
