"""The journal of one board: what was begun, what was touched, what was proven. JSON lines, only ever added to.

A board is unfinished from the first sector that a session touches until every sector that any session has touched since
was proven to hold something that was wanted there. A smaller write, or an erase, takes away only what it has proven. A
session that was begun and has not said "done" leaves the board unfinished too, and so does a torn line.

The backup that a session rests on is the one from before the first of the sessions that did not end. A backup taken
between them is one of a half-written flash, and is never the original.

    begin      chip, flash, RF block before and after, protection, image, backup with its SHA-256
    touching   sectors that may be torn from here on, with the CRC each will have
    done       the ranges that were proven, and the CRCs of the sectors in them that earlier sessions had touched
    unchanged  the flash took nothing of it: every sector that was touched is proven to hold what it did before

Lines of version 1 (no CRCs, whole blocks, no ranges in "done") are read: what they do not tell counts as not proven.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.bootrom.crc_compare import Span, sector_crcs
from wattrail.bootrom.geometry import SECTOR
from wattrail.clock import Clock
from wattrail.errors import FileError
from wattrail.files import read_bytes
from wattrail.flasher.flash_target import FlashTarget

__all__ = ["JOURNAL", "Journal", "SectorHistory", "Unfinished", "append_line"]

JOURNAL: Final = "journal.jsonl"
_VERSION: Final = 2
_MAX_BYTES: Final = 16 << 20
"""Bytes of it that are read, the last ones: a thousand sessions that wrote everything."""


@dataclass(slots=True)
class SectorHistory:
    """One sector that was touched and is not proven yet, or was proven since the backup.

    ``wanted`` are the CRCs that sessions meant it to have. ``torn``: it may hold anything, for a session was cut in it.
    """

    wanted: set[int] = field(default_factory=set)
    torn: bool = False
    proven: bool = False


@dataclass(slots=True)
class Unfinished:
    """Writes that were begun and not finished. ``sr`` is the flash's protection from before the first of them.

    ``backup`` is the file with the flash as it was then, None if there is none, or it is not what it was.
    ``sectors`` are all that were touched since that backup, by address. ``rf_before`` is the CRC the
    RF block had before the first session, ``rf_after`` are those it should have after each of them.
    """

    journal: Journal
    since: str
    image: str
    sha256: str
    sr: int | None
    backup: Path | None
    sectors: Mapping[int, SectorHistory] = field(default_factory=dict, repr=False)
    rf_before: int | None = None
    rf_after: frozenset[int] = frozenset()

    @property
    def pending(self) -> tuple[int, ...]:
        """Addresses of the sectors that were touched and are not proven, ascending."""
        return tuple(sorted(at for at, sector in self.sectors.items() if not sector.proven))


class Journal:
    """One board's journal, in a folder of its own."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock

    # ---- what a session notes

    def begin(
        self,
        target: FlashTarget,
        *,
        image: str,
        sha256: str,
        rf_after: int,
        backup: Path | None,
        simulated: bool,
        backup_sha256: str | None = None,
        half_written: bool = False,
    ) -> None:
        """From here on the flash may be half-written. ``rf_after`` is the CRC its RF block will have.

        ``half_written``: the backup is one of a flash that an earlier session has left unfinished.
        """
        self._add(
            "begin",
            version=_VERSION,
            board=target.board,
            chip=target.chip.value if target.chip else None,
            flash_id=target.flash_id,
            flash_bytes=target.size,
            rf=[target.rf_crc, rf_after],
            sr=target.sr,
            image=image,
            sha256=sha256,
            backup=str(backup.resolve()) if backup else None,
            backup_sha256=backup_sha256,
            half_written=half_written,
            simulated=simulated,
        )

    def touching(self, sectors: Mapping[int, int]) -> None:
        """These sectors may be torn from here on; the CRC is the one each will have."""
        self._add("touching", sectors=[[at, crc] for at, crc in sorted(sectors.items())])

    def done(self, runs: Sequence[tuple[int, bytes]]) -> None:
        """Everything in these runs of whole sectors was verified."""
        before = self._replayed(MAX_FLASH_BYTES)
        proven = [[at, crc] for at, crc in sector_crcs(runs).items() if before is not None and at in before.sectors]
        self._add("done", spans=[[start, len(data)] for start, data in runs], proven=proven)

    def unchanged(self) -> None:
        """The session ends, and flash is proven to be as it was before: it counts for nothing."""
        self._add("unchanged")

    # ---- what is read from it

    def lines(self) -> Iterator[dict[str, object]]:
        """Every whole line of the sessions that may have changed something, oldest first."""
        session: list[dict[str, object]] = []
        for entry in self._all_lines():
            if entry.get("event") == "begin":
                yield from session
                session = []
            if entry.get("event") == "unchanged":
                session = []
            else:
                session.append(entry)
        yield from session

    def _all_lines(self) -> Iterator[dict[str, object]]:
        for line in _end_of(self.folder / JOURNAL, _MAX_BYTES).split(b"\n")[:-1]:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue  # torn by a cut, or ended by its successor's first line break
            if isinstance(entry, dict):
                yield entry

    def unfinished(self, size: int = MAX_FLASH_BYTES) -> Unfinished | None:
        """What did not end, in a flash of ``size`` bytes; None if everything did."""
        replayed = self._replayed(size)
        return replayed.result(self) if replayed is not None else None

    def is_of_kind(self, target: FlashTarget) -> bool:
        """Whether its last session was on such a chip with such a flash."""
        last = next((entry for entry in reversed([*self.lines()]) if entry.get("event") == "begin"), {})
        chip = target.chip.value if target.chip else None
        return last.get("chip") == chip and last.get("flash_id") == target.flash_id

    def half_written_backups(self) -> frozenset[str]:
        """Names of backups that were taken while the flash was unfinished."""
        found, replay = set[str](), _Replay(MAX_FLASH_BYTES)
        for entry in self.lines():
            if entry.get("event") == "begin" and isinstance(entry.get("backup"), str):
                name = Path(str(entry["backup"])).name
                if entry.get("half_written") is True or (any(not s.proven for s in replay.sectors.values())):
                    found |= {name} - {Path(replay.backup).name if replay.backup else ""}
            replay.take(entry)
        return frozenset(found)

    def named_backups(self) -> Iterator[tuple[str, bool]]:
        """The backup of each session, and whether it had one, oldest first."""
        for entry in self.lines():
            if entry.get("event") == "begin":
                yield str(entry.get("backup") or ""), isinstance(entry.get("backup"), str)

    def became(self) -> frozenset[int]:
        """CRCs of RF blocks that finished sessions have put in place of another one."""
        found, rf = set[int](), None
        for entry in self.lines():
            if entry.get("event") == "begin":
                rf = _pair(entry.get("rf"))
            elif entry.get("event") == "done" and rf is not None and rf[0] != rf[1]:
                found.add(rf[1])
        return frozenset(found)

    # ---- parts

    def _replayed(self, size: int) -> _Replay | None:
        replay = _Replay(size)
        for entry in self.lines():
            replay.take(entry)
        return replay if replay.is_unfinished else None

    def _add(self, event: str, **fields: object) -> None:
        at = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        append_line(self.folder / JOURNAL, {"event": event, "at": at, **fields})


def append_line(path: Path, entry: Mapping[str, object]) -> None:
    """One line of JSON at the end of a file, on the disk before anything else happens. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A cut may have ended the last line in its midst: this one would be lost with it.
    torn = _end_of(path, 1) not in (b"", b"\n")
    with path.open("ab") as file:
        file.write((b"\n" if torn else b"") + json.dumps(entry).encode() + b"\n")
        file.flush()
        # What comes next erases flash. A line that is only in a buffer is gone with the power.
        os.fsync(file.fileno())


def _end_of(path: Path, max_bytes: int) -> bytes:
    """The last bytes of a file, none if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - max_bytes))
            return file.read(max_bytes)
    except OSError:
        return b""


class _Replay:
    """The lines of a journal, taken in one by one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._clear()

    def _clear(self) -> None:
        self.sectors: dict[int, SectorHistory] = {}
        self.backup: str | None = None
        self._backup_sha256: str | None = None
        self._first: Mapping[str, object] | None = None
        self._last: Mapping[str, object] = {}
        self._open = False
        self._rf_before: int | None = None
        self._rf_after: set[int] = set()
        self._mine: set[int] = set()
        self._by_image: dict[object, set[int]] = {}

    @property
    def is_unfinished(self) -> bool:
        """Whether a session is open, or something that was touched is not proven."""
        return self._open or any(not sector.proven for sector in self.sectors.values())

    def take(self, entry: Mapping[str, object]) -> None:
        """One line."""
        event = entry.get("event")
        if event == "begin":
            self._begin(entry)
        elif event == "touching":
            self._touching(entry)
        elif event == "done":
            self._done(entry)

    def result(self, journal: Journal) -> Unfinished:
        """All of it, as a value."""
        sr = (self._first or {}).get("sr")
        return Unfinished(
            journal,
            since=str(self._last.get("at", "")),
            image=str(self._last.get("image", "")),
            sha256=str(self._last.get("sha256", "")),
            sr=sr if isinstance(sr, int) else None,
            backup=_intact(self.backup, self._backup_sha256, self._size),
            sectors=self.sectors,
            rf_before=self._rf_before,
            rf_after=frozenset(self._rf_after),
        )

    def _begin(self, entry: Mapping[str, object]) -> None:
        """A second attempt on a half-written flash: the first one's protection and backup are the original."""
        if not self.is_unfinished:
            self._clear()
        self._first = self._first or entry
        if self.backup is None and isinstance(entry.get("backup"), str) and entry.get("half_written") is not True:
            # A backup of a half-written flash is what the cut session left, not what the board was.
            touched = any(not sector.proven for sector in self.sectors.values())
            if not touched:
                self.backup, sha256 = str(entry["backup"]), entry.get("backup_sha256")
                self._backup_sha256 = sha256 if isinstance(sha256, str) else None
        self._last, self._open, self._mine = entry, True, set()
        if (rf := _pair(entry.get("rf"))) is not None:
            if self._rf_before is None:
                self._rf_before = rf[0]
            self._rf_after.add(rf[1])

    def _touching(self, entry: Mapping[str, object]) -> None:
        for at in self._mine:
            if self.sectors[at].wanted:
                self.sectors[at].torn = False  # the session has gone on, for what it touched before was right
        for at, crc in self._touched(entry):
            sector = self.sectors.setdefault(at, SectorHistory())
            sector.torn, sector.proven = True, False
            if crc is not None:
                sector.wanted.add(crc)
            self._mine.add(at)
            self._by_image.setdefault(_image(self._last), set()).add(at)

    def _touched(self, entry: Mapping[str, object]) -> Iterator[tuple[int, int | None]]:
        sectors = entry.get("sectors")
        if isinstance(sectors, list):
            yield from self._sectors(sectors)
            return
        start, length = entry.get("start"), entry.get("length")
        if (span := _pair([start, length])) is not None:
            yield from ((at, None) for at in self._span(*span))

    def _sectors(self, pairs: Iterable[object]) -> Iterator[tuple[int, int]]:
        for pair in pairs:
            found = _pair(pair)
            if found is not None and 0 <= found[0] < self._size and found[0] % SECTOR == 0:
                yield found

    def _span(self, start: int, length: int) -> range:
        end = min(start + length, self._size)
        return range(max(0, start // SECTOR * SECTOR), end, SECTOR)

    def _done(self, entry: Mapping[str, object]) -> None:
        self._open = False
        spans, proven = entry.get("spans"), entry.get("proven")
        if isinstance(spans, list):
            crcs = dict(self._sectors(proven if isinstance(proven, list) else ()))
            covered = {at for span in spans if (pair := _pair(span)) for at in self._span(*pair)}
        else:  # version 1: what it touched, and what the same image's earlier attempts had touched
            crcs, covered = {}, self._mine | self._by_image.get(_image(self._last), set())
        for at in covered & self.sectors.keys():
            sector = self.sectors[at]
            sector.proven, sector.torn = True, at not in crcs
            sector.wanted = {crcs[at]} if at in crcs else set()
        if not self.is_unfinished:
            self._clear()


def _image(begin: Mapping[str, object]) -> object:
    return str(begin.get("image")), str(begin.get("sha256"))


def _pair(value: object) -> Span | None:
    if isinstance(value, list) and len(value) == 2 and all(_is_count(one) for one in value):
        return value[0], value[1]
    return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


def _intact(name: str | None, sha256: str | None, size: int) -> Path | None:
    """A backup by the name a line gives it, if it is what it was: a regular file, a whole flash, the same bytes."""
    if name is None or "\0" in name:
        return None
    try:
        content = read_bytes(Path(name), limit=MAX_FLASH_BYTES)
    except (FileError, ValueError):
        return None
    if size != MAX_FLASH_BYTES and len(content) != size:
        return None
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        return None
    return Path(name) if content else None
