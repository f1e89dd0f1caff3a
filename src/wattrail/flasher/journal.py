"""The journal of one board: what was begun, what it rests on, whether it was finished. JSON lines, only ever added to.

A write is finished when its last line says so, and that line is written after the flash was verified. Everything else,
a torn line included, means that the next session goes on. The backup from before the first erase is found by it: a
session that resumes never takes a half-written flash for the original.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattrail.clock import Clock
from wattrail.flasher.target import Target

__all__ = ["Journal", "Shelf", "Unfinished"]

_FILE: Final = "journal.jsonl"
_LAST: Final = "last-written.bin"
_VERSION: Final = 1
_MOST: Final = 1 << 20
"""Bytes of it that are looked at: hundreds of sessions, of which the last ones count."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A write that was begun and not finished. ``sr`` is the flash's protection from before it."""

    journal: Journal
    since: str
    image: str
    sha256: str
    sr: int | None
    backup: Path | None


class Journal:
    """One board's journal, in a folder of its own."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def begin(
        self, target: Target, *, image: str, sha256: str, rf_after: int, backup: Path | None, simulated: bool
    ) -> None:
        """From here on the flash may be half-written. ``rf_after`` is the CRC its RF block will have."""
        self._add(
            "begin",
            version=_VERSION,
            board=target.board,
            chip=target.chip.value if target.chip else None,
            flash_id=target.flash_id,
            rf=[target.rf_crc, rf_after],
            sr=target.sr,
            image=image,
            sha256=sha256,
            backup=str(backup.resolve()) if backup else None,
            simulated=simulated,
        )

    def touching(self, start: int, length: int) -> None:
        """These bytes may be torn from here on."""
        self._add("touching", start=start, length=length)

    def done(self) -> None:
        """Everything was verified."""
        self._add("done")

    def lines(self) -> Iterator[dict[str, object]]:
        """Every whole line, oldest first."""
        for line in self._end(_MOST).split(b"\n")[:-1]:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue  # torn by a cut, or mended by its successor's first line break
            if isinstance(entry, dict):
                yield entry

    def unfinished(self) -> Unfinished | None:
        """The write that did not end, None if the last one did."""
        begun: dict[str, object] | None = None
        for entry in self.lines():
            if entry.get("event") == "done":
                begun = None
            elif entry.get("event") == "begin":
                # A second attempt on a half-written flash: the first one's protection and backup are the original.
                first = begun or entry
                begun = {**entry, "sr": first.get("sr"), "backup": first.get("backup") or entry.get("backup")}
        if begun is None:
            return None
        sr, backup = begun["sr"], begun["backup"]
        return Unfinished(
            self,
            since=str(begun.get("at", "")),
            image=str(begun.get("image", "")),
            sha256=str(begun.get("sha256", "")),
            sr=sr if isinstance(sr, int) else None,
            backup=_existing(backup),
        )

    def is_of(self, target: Target) -> bool:
        """Whether its unfinished write, if there is one, was on this board.

        The sector that tells boards apart may be torn itself, if the write reached it.
        """
        begun: Mapping[str, object] = {}
        touched: list[Mapping[str, object]] = []
        for entry in self.lines():
            if entry.get("event") == "begin":
                begun, touched = entry, []
            elif entry.get("event") == "touching":
                touched.append(entry)
        chip = target.chip.value if target.chip else None
        if begun.get("chip") != chip or begun.get("flash_id") != target.flash_id:
            return False
        rf = begun.get("rf")
        if isinstance(rf, list) and target.rf_crc in rf:
            return True
        place = target.layout["rf"].start
        return any(_covers(entry, place) for entry in touched)

    def _end(self, most: int) -> bytes:
        """The last bytes of the file, none if there is no file."""
        try:
            with (self.folder / _FILE).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - most))
                return file.read(most)
        except FileNotFoundError:
            return b""

    def _add(self, event: str, **fields: object) -> None:
        """One line, on the disk before anything else happens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / _FILE
        torn = self._end(1) not in (b"", b"\n")
        at = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        line = json.dumps({"event": event, "at": at, **fields})
        with path.open("ab") as file:
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class Shelf:
    """Where the journals and backups of all boards are kept."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    def journal(self, target: Target) -> Journal:
        """The one to write to: that of an unfinished write on this board, else the board's own."""
        found = self.unfinished(target)
        return found.journal if found else Journal(self.folder / target.board, self._clock)

    def unfinished(self, target: Target) -> Unfinished | None:
        """The write on this board that did not end, if there is one."""
        for path in sorted(self.folder.glob(f"*/{_FILE}")):
            journal = Journal(path.parent, self._clock)
            found = journal.unfinished()
            if found is not None and journal.is_of(target):
                return found
        return None

    def backups(self, target: Target) -> list[Path]:
        """Whole backups of this board, newest first. A board without RF block cannot be told from others: none."""
        if target.rf_blank:
            return []
        return sorted((self.folder / target.board).glob("backup-*.bin"), reverse=True)

    def likely(self, target: Target) -> list[Path]:
        """Files with what may still stand in this board's flash: what was last written, then the newest backup."""
        if target.rf_blank:
            return []
        written = self.folder / target.board / _LAST
        return [path for path in (written, *self.backups(target)[:1]) if path.exists()]

    def remember(self, target: Target, flash: bytes) -> None:
        """Keep what the whole flash holds after a write: the next backup then reads only what has changed since."""
        folder = self.folder / target.board
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{_LAST}.part"
        beside.write_bytes(flash)
        beside.replace(folder / _LAST)

    def new_backup(self, target: Target, *, simulated: bool) -> Path:
        """A name for a backup that does not exist yet."""
        stamp = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        mark = "-simulated" if simulated else ""
        folder = self.folder / target.board
        names = (folder / f"backup-{stamp}{mark}{turn}.bin" for turn in ("", *(f"-{n}" for n in range(2, 100))))
        return next(name for name in names if not name.exists())


def _existing(name: object) -> Path | None:
    """A file by the name a line gives it; None if there is none, or the name is no name."""
    if not isinstance(name, str):
        return None
    try:
        return Path(name) if Path(name).is_file() else None
    except OSError:  # a name too long for any file
        return None


def _covers(entry: Mapping[str, object], place: int) -> bool:
    start, length = entry.get("start"), entry.get("length")
    return isinstance(start, int) and isinstance(length, int) and start <= place < start + length
