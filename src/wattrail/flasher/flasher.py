"""A board to be read, backed up, written and verified: the door of this room.

    with open_flasher("serial:///dev/ttyUSB0", reset="rts", folder=Path("boards")) as flasher:
        flasher.connect()
        report = flasher.write(recognise(Path("OpenBK7231N_QIO.bin").read_bytes()))

Whatever is written is compared with the chip's own CRCs afterwards, and a report exists only of what was right. A write
that was cut short is gone on with by the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wattrail.bootrom.commands import REBOOT
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.link import BootLink
from wattrail.errors import WriteRefused
from wattrail.flasher import identify
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.backup import Backup, take_backup
from wattrail.flasher.backup_catalog import KeptBackup
from wattrail.flasher.board_home import BoardHome
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.diagnosis import Diagnosis
from wattrail.flasher.dialogue import Dialogue
from wattrail.flasher.events import BackedUp, Identified, Listener
from wattrail.flasher.file_lock import FileLock
from wattrail.flasher.guards import Piece, Risk, check_dump, check_dump_file
from wattrail.flasher.history import History
from wattrail.flasher.job import Job
from wattrail.flasher.journal import Unfinished
from wattrail.flasher.layer import Layer, layer_of
from wattrail.flasher.linkup import LinkUp
from wattrail.flasher.rates import Rates
from wattrail.flasher.reader import Known, read_flash
from wattrail.flasher.report import Comparison, Report
from wattrail.flasher.reset_line import ResetLine
from wattrail.flasher.shelf import Shelf
from wattrail.flasher.target import Target
from wattrail.flasher.trace import ResetBy, Trace
from wattrail.image import Image, recognise
from wattrail.transport import Port

__all__ = ["PATIENCE_S", "PERSON_MOST", "Flasher"]

PATIENCE_S: Final = 60.0
"""How long a person may take for a reset."""

PERSON_MOST: Final = 921600
"""Fastest rate tried by itself where only a person can reset the chip: almost every adapter and wire carries it."""

WIRED_MOST: Final = 2_000_000
"""The same where a modem line resets it: a rate that fails costs a tenth of a second."""


class Flasher:
    """One board on one port. Make one by ``open_flasher``; nothing is asked before ``connect``."""

    def __init__(
        self,
        port: Port,
        *,
        reset: ResetBy = "person",
        most_baud: int | None = None,
        patience_s: float = PATIENCE_S,
        listener: Listener | None = None,
        folder: Path | None = None,
        reopen: Callable[[], Port] | None = None,
        adapter: str | None = None,
        network: bool = False,
        lock: FileLock | None = None,
    ) -> None:
        self._port = port
        self._port_lock = lock
        self._trace = Trace(port.clock, listener, reset=reset, simulated=port.simulated)
        self._trace.adapter = adapter
        self._trace.network = network
        self._dialogue = Dialogue(port, network=network)
        line = None if reset == "person" else ResetLine(reset)
        most = most_baud or (PERSON_MOST if line is None else WIRED_MOST)
        self._conversation = Conversation(
            self._dialogue,
            LinkUp(self._dialogue, line, self._trace),
            Rates(self._dialogue, self._trace, most),
            self._trace,
            reopen=reopen,
            patience_s=patience_s,
        )
        self._home = BoardHome(Shelf(folder, port.clock), self._trace) if folder is not None else None
        self._target: Target | None = None
        self._seen: list[Known] = []

    # ---- who is there

    def connect(self) -> Target:
        """Link up, find the fastest rate, identify. Raises LinkFailed with a diagnosis, TargetError, PortLost."""
        self._conversation.link()
        evidence = identify.first_look(self._conversation)
        self._conversation.climb(identify.responder_of(evidence))
        self._target = identify.ask_who(self._conversation, evidence)
        target = self._target
        self._conversation.on_relink(lambda: identify.confirm_same(self._conversation, target, rf_may_differ=False))
        self._trace.tell(Identified(self._target))
        if self._home is not None:
            self._home.find(target, self._access().crc)
        return self._target

    @property
    def target(self) -> Target:
        """What ``connect`` found. Raises RuntimeError before it."""
        if self._target is None:
            raise RuntimeError("not connected: call connect() first")
        return self._target

    @property
    def baud(self) -> int:
        """The present rate."""
        return self._dialogue.baud

    @property
    def simulated(self) -> bool:
        """Whether a twin is at the other end."""
        return self._port.simulated

    @property
    def diagnosis(self) -> Diagnosis:
        """What this session's facts amount to so far, also when all is well."""
        return self._trace.diagnosis()

    @property
    def history(self) -> History:
        """All facts of this session so far: what was tried, heard, repeated, lost."""
        return self._trace.history()

    @property
    def unfinished(self) -> Unfinished | None:
        """The write on this board that did not end, if its journal knows of one."""
        return self._home.unfinished if self._home else None

    # ---- reading

    def read(self, start: int = 0, length: int | None = None, *, known: Sequence[Known] = ()) -> bytes:
        """Bytes of flash, vouched for by the chip's CRCs; the whole flash if nothing is said.

        ``known`` is what may still stand there: where the CRC agrees it is taken instead of being read. What was
        read here is known to a backup in the same session. Raises ValueError outside the flash, VerifyError,
        LinkFailed.
        """
        length = self.target.size - start if length is None else length
        if start < 0 or length <= 0 or start + length > self.target.size:
            raise ValueError(f"{length:#x} bytes from {start:#x} are not inside {self.target.size:#x} bytes of flash")
        first, last = start // SECTOR * SECTOR, -(-(start + length) // SECTOR) * SECTOR
        data = read_flash(self._reader(first, last - first), first, last - first, known=known)
        self._seen = [Known(first, data)]
        return data[start - first : start - first + length]

    def backup(self, path: Path | None = None) -> Backup:
        """The whole flash in a file; in the board's folder if no path is given. Raises as ``read`` does.

        In the board's folder no second file is made of a content that is kept there already. Raises FileError where
        another process works on the same file or board.
        """
        if path is not None:
            return self._back_up(path)
        earlier = self.unfinished
        return self._back_up(None, half_written=earlier is not None and bool(earlier.pending))

    def _back_up(self, path: Path | None, *, half_written: bool = False, before_write: bool = False) -> Backup:
        target, home = self.target, self._home
        if path is None and home is None:
            raise ValueError("a backup needs a path, or a flasher with a folder")
        folder = home.locked() if home and (path is None or before_write) else home.folder if home else None
        access, known = self._reader(0, target.size), [*self._seen, *(folder.likely() if folder else ())]
        origin = folder.backups.next_origin(half_written=half_written) if folder else "later"
        if path is not None or folder is None or home is None:
            backup = take_backup(access, target.size, path or Path(), known=known)
        else:
            backup = take_backup(
                access,
                target.size,
                lambda data: folder.backups.name(data, origin, simulated=self.simulated),
                partial=folder.part,
                known=known,
                kept=lambda data: kept.path if (kept := home.kept_with(data, half_written=half_written)) else None,
            )
        self._seen = [Known(0, backup.data)]
        if home is not None and backup.is_new and (path is None or before_write):
            home.note(backup, origin)
        self._trace.tell(BackedUp(backup.path, backup.sha256))
        return backup

    def look(self) -> Image:
        """The whole flash, read and recognised: what it is, and what is wrong with it."""
        return recognise(self.read())

    # ---- comparing

    def verify(self, image: Image, *, start: int | None = None, parts: Collection[str] = ()) -> Comparison:
        """Compare flash with an image and change nothing. Raises ImageError, LinkFailed."""
        layer = layer_of(image, self.target, start=start, parts=parts, allow=frozenset(Risk))
        return self._job(frozenset(Risk)).compare(layer)

    def preview(
        self,
        image: Image,
        *,
        start: int | None = None,
        parts: Collection[str] = (),
        allow: Collection[Risk] = (),
    ) -> Comparison:
        """What ``write`` would have to change. Raises WriteRefused as it would, and changes nothing."""
        layer = layer_of(image, self.target, start=start, parts=parts, allow=frozenset(allow))
        return self._job(frozenset(allow)).compare(layer)

    # ---- writing

    def write(
        self,
        image: Image,
        *,
        name: str = "image",
        start: int | None = None,
        parts: Collection[str] = (),
        allow: Collection[Risk] = (),
        backup: Path | None = None,
    ) -> Report:
        """Make the flash hold an image, after a backup of everything, and prove it.

        ``start`` is only for bytes that do not say where they belong; ``parts`` names partitions, all if empty;
        ``backup`` says where the backup goes, else into the board's folder. Raises WriteRefused for what is not
        allowed, ImageError, VerifyError, TargetError, LinkFailed. After any of the last three, or a cut, the same call
        goes on where this one stopped.
        """
        layer = layer_of(image, self.target, start=start, parts=parts, allow=frozenset(allow))
        return self._carry_out(layer, name, frozenset(allow), backup)

    def restore(
        self, dump: Image, *, name: str = "dump", allow: Collection[Risk] = (), backup: Path | None = None
    ) -> Report:
        """Make the whole flash what a dump holds. Raises WriteRefused, also for a dump of another board."""
        layer = self._whole_flash(dump, name, allow)
        return self._carry_out(layer, name, frozenset(allow), backup)

    def preview_restore(self, dump: Image, *, name: str = "dump", allow: Collection[Risk] = ()) -> Comparison:
        """What ``restore`` would have to change. Raises WriteRefused as it would, and changes nothing."""
        return self._job(frozenset(allow)).compare(self._whole_flash(dump, name, allow))

    def erase(self, start: int, length: int, *, allow: Collection[Risk] = (), backup: Path | None = None) -> Report:
        """Erase whole sectors, after a backup. Raises ValueError for parts of sectors, WriteRefused."""
        layer = self._blank(start, length, allow)
        return self._carry_out(layer, "erase", frozenset(allow), backup)

    def backups(self) -> list[KeptBackup]:
        """Kept backups of this very board, oldest first, also those of a half-written flash, which are marked."""
        return self._home.backups() if self._home else []

    def originals(self) -> list[KeptBackup]:
        """What this board may be taken back to: its first backup.

        More than one where this RF block was written to several boards: then nothing tells which of them this one is.
        """
        return self._home.originals() if self._home else []

    def preview_erase(self, start: int, length: int, *, allow: Collection[Risk] = ()) -> Comparison:
        """What ``erase`` would have to change. Raises as it would, and changes nothing."""
        return self._job(frozenset(allow)).compare(self._blank(start, length, allow))

    def kept_backups(self) -> list[Path]:
        """Whole backups of this very board: the original, that of an unfinished write, then the others, newest first.

        None of a half-written flash is among them.
        """
        whole = [kept for kept in self.backups() if kept.is_whole]
        earlier = self.unfinished
        ordered = [
            *(kept.path for kept in whole if kept.origin == "original"),
            *([earlier.backup] if earlier and earlier.backup else []),
            *(kept.path for kept in reversed(whole)),
        ]
        return list(dict.fromkeys(ordered))

    def reboot(self) -> None:
        """Start the application. There is no answer to this; the link ends here."""
        self._dialogue.port.write(BootLink().request(REBOOT))

    # ---- the end

    def close(self) -> None:
        """Give the port back. The chip stays as it is."""
        if self._home is not None:
            self._home.release()
        self._dialogue.port.close()
        if self._port_lock is not None:
            self._port_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- parts

    def _whole_flash(self, dump: Image, name: str, allow: Collection[Risk]) -> Layer:
        """A dump that may be put back. Raises WriteRefused for any other."""
        check_dump_file(dump, allow)
        rf = self.target.layout["rf"]
        start = rf.start if dump.rf_at is None else dump.rf_at - dump.rf_at % SECTOR
        theirs, ours = dump.data[start : start + rf.length], self.read(start, rf.length)
        same_rf = theirs == ours and bool(theirs.strip(b"\xff") and theirs.strip(b"\0"))
        check_dump(dump, self.target, allow, same_rf=same_rf)
        if Risk.RF not in allow and theirs != ours:
            raise WriteRefused(
                f"{name} has another RF block than this board: it is another board's dump, or this one's was lost",
                risk=Risk.RF.value,
                hint="take a dump of this very board: radio calibration and MAC address belong to one board",
            )
        return Layer((Piece(0, dump.data),))

    def _blank(self, start: int, length: int, allow: Collection[Risk]) -> Layer:
        """Sectors to be erased. Raises ValueError for parts of sectors, WriteRefused."""
        if start % SECTOR or length % SECTOR or length <= 0 or start < 0 or start + length > self.target.size:
            raise ValueError(f"{length:#x} bytes from {start:#x} are no whole sectors of {SECTOR:#x} inside the flash")
        return Layer.blank(start, length, self.target, frozenset(allow))

    def _access(self) -> FlashAccess:
        return FlashAccess(self._conversation, self.target)

    def _job(self, allow: frozenset[Risk], backup: Path | None = None) -> Job:
        return Job(
            self._conversation,
            self.target,
            self._home.locked if self._home else None,
            lambda: self.unfinished,
            take_backup=lambda half: self._back_up(backup, half_written=half, before_write=True),
            can_back_up=backup is not None or self._home is not None,
            allow=allow,
            simulated=self.simulated,
        )

    def _carry_out(self, layer: Layer, name: str, allow: frozenset[Risk], backup: Path | None) -> Report:
        """Write it; a board whose RF block was written has another identity from then on."""
        report = self._job(allow, backup).carry_out(layer, name)
        rf = self.target.layout["rf"]
        if report.touched and any(piece.start < rf.end and rf.start < sum(piece.span) for piece in layer.pieces):
            self._identify_again()
        return report

    def _identify_again(self) -> None:
        target = identify.with_new_rf(self._conversation, self.target)
        if target == self._target:
            return
        self._target = target
        self._conversation.on_relink(lambda: identify.confirm_same(self._conversation, target, rf_may_differ=False))
        if self._home is not None:
            self._home.move(target)

    def _reader(self, first: int, length: int) -> FlashAccess:
        """Access that tells how far reading has come."""
        access = self._access()
        self._trace.begin("reading", length)
        access.watch(lambda at: self._trace.reached(at - first))
        return access
