"""A board to be read, backed up, written and verified: the public class of this room.

    with open_flasher("serial:///dev/ttyUSB0", reset="rts", folder=Path("boards")) as flasher:
        flasher.connect()
        report = flasher.write(recognise(Path("OpenBK7231N_QIO.bin").read_bytes()))

Whatever is written is compared with the chip's own CRCs afterwards, and a report exists only of what was right. The
same call resumes a write that was cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from wattrail.bootrom.geometry import SECTOR
from wattrail.clock import Clock
from wattrail.diagnosis import Diagnosis, ResetBy, SessionStatistics
from wattrail.errors import UrlError
from wattrail.exclusive_file import FileLock, port_lock
from wattrail.flasher.backup_store import BackupStore, BoardHome
from wattrail.flasher.backups import Backup, KeptBackup
from wattrail.flasher.boot_client import BootClient
from wattrail.flasher.device import FlashDevice, FlashReader, KnownBytes
from wattrail.flasher.events import Identified, Listener, SessionState
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.identify import ExpectedBoard, identify_target, query_chip, responder_of, with_new_rf
from wattrail.flasher.journal import Unfinished
from wattrail.flasher.safety_checks import Risk, check_dump_file
from wattrail.flasher.session import PATIENCE_S, FlashSession
from wattrail.flasher.write_image import Comparison, Report, compare_plan, take_backup, write_image
from wattrail.flasher.write_plan import Segment, WritePlan, plan_dump, plan_erase, plan_image, rf_span
from wattrail.image import Image, recognise
from wattrail.sanitize import hide_credentials
from wattrail.transport import Port, crosses_network, open_port
from wattrail.transport.discovery import adapter_chip
from wattrail.urls import device_url, split

__all__ = ["Flasher", "open_flasher"]


def open_flasher(
    url: str,
    *,
    reset: ResetBy = "manual",
    max_baud: int | None = None,
    patience_s: float = PATIENCE_S,
    listener: Listener | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
) -> Flasher:
    """A flasher on the port of a URL, or of a device such as ``/dev/ttyUSB0`` or ``COM5``; close it by ``with``.

    ``reset``: the modem line wired to CEN, or a person who resets when asked. ``max_baud``: the fastest rate to try;
    by itself 2000000 with a wired line, 921600 without. ``patience_s``: how long to wait for a reset, or for a cable to
    come back. ``listener`` is called with every event. ``folder`` keeps each board's journal and backups: without it a
    write needs a path for its backup, and cannot know of an earlier one that was cut. Raises UrlError, PortOpenError,
    MissingExtra.
    """
    url = device_url(url)

    def opened() -> Port:
        carrier = open_port(url, clock=clock)
        if not isinstance(carrier, Port):
            carrier.close()
            raise UrlError(f"{url!r} is an SPI bus", hint="a chip is flashed over its UART1: serial:///dev/ttyUSB0")
        return carrier

    lock = port_lock(hide_credentials(url.partition("?")[0]))
    with suppress(OSError):  # where a lock file cannot be made, the system's own lock on the device has to do
        lock.acquire()
    try:
        port = opened()
    except BaseException:
        lock.release()
        raise
    return Flasher(
        port,
        reset=reset,
        max_baud=max_baud,
        patience_s=patience_s,
        listener=listener,
        folder=folder,
        reopen=opened,
        adapter=adapter_chip(split(url)),
        network=crosses_network(url),
        lock=lock,
    )


class Flasher:
    """One board on one port. Make one by ``open_flasher``; nothing is asked before ``connect``."""

    def __init__(
        self,
        port: Port,
        *,
        reset: ResetBy = "manual",
        max_baud: int | None = None,
        patience_s: float = PATIENCE_S,
        listener: Listener | None = None,
        folder: Path | None = None,
        reopen: Callable[[], Port] | None = None,
        adapter: str | None = None,
        network: bool = False,
        lock: FileLock | None = None,
    ) -> None:
        about = SessionStatistics(reset=reset, adapter=adapter, network=network, simulated=port.simulated)
        self._state = SessionState(port.clock, listener, about)
        self._session = FlashSession(
            BootClient(port, network=network),
            self._state,
            reset=reset,
            max_baud=max_baud,
            patience_s=patience_s,
            reopen=reopen,
        )
        self._port_lock = lock
        self._home = BoardHome(BackupStore(folder, port.clock), self._state.record) if folder is not None else None
        self._target: FlashTarget | None = None
        self._seen: list[KnownBytes] = []

    # ---- who is there

    def connect(self) -> FlashTarget:
        """Link up, find the fastest rate, identify. Raises LinkFailed with a diagnosis, TargetError, PortLost."""
        self._session.link()
        evidence = query_chip(self._session)
        self._session.climb(responder_of(evidence))
        target = identify_target(self._session, evidence)
        self._is_now(target)
        self._state.record(Identified(target))
        if self._home is not None:
            self._home.find(target, self._device().crc)
        return target

    @property
    def target(self) -> FlashTarget:
        """What ``connect`` found. Raises RuntimeError before it."""
        if self._target is None:
            raise RuntimeError("not connected: call connect() first")
        return self._target

    @property
    def baud(self) -> int:
        """The present rate."""
        return self._session.baud

    @property
    def simulated(self) -> bool:
        """Whether a twin is at the other end."""
        return self._session.simulated

    @property
    def diagnosis(self) -> Diagnosis:
        """What this session's statistics amount to so far, also when all is well."""
        return self._state.diagnosis()

    @property
    def statistics(self) -> SessionStatistics:
        """What was tried, heard, repeated and lost in this session so far."""
        return self._state.statistics()

    @property
    def unfinished(self) -> Unfinished | None:
        """The write on this board that did not end, if its journal knows of one."""
        return self._home.unfinished if self._home else None

    # ---- reading

    def read(self, start: int = 0, length: int | None = None, *, known: Sequence[KnownBytes] = ()) -> bytes:
        """Bytes of flash, confirmed by the chip's CRCs; the whole flash if nothing is said.

        ``known`` is what may still stand there: where the CRC agrees it is taken instead of being read. What was
        read here is known to a backup in the same session. Raises ValueError outside the flash, VerifyError,
        LinkFailed.
        """
        length = self.target.size - start if length is None else length
        if start < 0 or length <= 0 or start + length > self.target.size:
            raise ValueError(f"{length:#x} bytes from {start:#x} are not inside {self.target.size:#x} bytes of flash")
        first, last = start // SECTOR * SECTOR, -(-(start + length) // SECTOR) * SECTOR
        data = FlashReader(self._device(), known).read(first, last - first)
        self._seen = [KnownBytes(first, data)]
        return data[start - first : start - first + length]

    def backup(self, path: Path | None = None) -> Backup:
        """The whole flash in a file; in the board's folder if no path is given. Raises as ``read`` does.

        In the board's folder no second file is made of a content that is kept there already. Raises FileError where
        another process works on the same file or board.
        """
        earlier = self.unfinished if path is None else None
        half_written = earlier is not None and bool(earlier.pending)
        backup = take_backup(self._device(), self._home, path, known=self._seen, half_written=half_written)
        self._seen = [KnownBytes(0, backup.data)]
        return backup

    def read_image(self) -> Image:
        """The whole flash, read and recognised: what it is, and what is wrong with it."""
        return recognise(self.read())

    # ---- comparing

    def verify(self, image: Image, *, start: int | None = None, parts: Collection[str] = ()) -> Comparison:
        """Compare flash with an image and change nothing. Raises ImageError, LinkFailed."""
        return self.preview(image, start=start, parts=parts, allow=frozenset(Risk))

    def preview(
        self,
        image: Image,
        *,
        start: int | None = None,
        parts: Collection[str] = (),
        allow: Collection[Risk] = (),
        extra: Segment | None = None,
    ) -> Comparison:
        """What ``write`` would have to change. Raises WriteRefused as it would, and changes nothing."""
        plan = plan_image(image, self.target, start=start, parts=parts, allow=allow)
        return self._compare(plan if extra is None else plan.with_segment(extra), allow)

    def preview_restore(self, dump: Image, *, name: str = "dump", allow: Collection[Risk] = ()) -> Comparison:
        """What ``restore`` would have to change. Raises WriteRefused as it would, and changes nothing."""
        return self._compare(self._plan_restore(dump, name, allow), allow)

    def preview_erase(self, start: int, length: int, *, allow: Collection[Risk] = ()) -> Comparison:
        """What ``erase`` would have to change. Raises as it would, and changes nothing."""
        return self._compare(plan_erase(start, length, self.target, allow), allow)

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
        extra: Segment | None = None,
    ) -> Report:
        """Make the flash hold an image, after a backup of everything, and prove it.

        ``start`` is only for bytes that do not say where they belong; ``parts`` names partitions, all if empty;
        ``backup`` says where the backup goes, else into the board's folder; ``extra`` is written with the image, in the
        place of what that has there. Raises WriteRefused for what is not
        allowed, ImageError, VerifyError, TargetError, LinkFailed. After any of the last three, or a cut, the same call
        resumes where this one stopped.
        """
        plan = plan_image(image, self.target, start=start, parts=parts, allow=allow)
        return self._write(plan if extra is None else plan.with_segment(extra), name, allow, backup)

    def restore(
        self, dump: Image, *, name: str = "dump", allow: Collection[Risk] = (), backup: Path | None = None
    ) -> Report:
        """Make the whole flash what a dump holds. Raises WriteRefused, also for a dump of another board."""
        return self._write(self._plan_restore(dump, name, allow), name, allow, backup)

    def erase(self, start: int, length: int, *, allow: Collection[Risk] = (), backup: Path | None = None) -> Report:
        """Erase whole sectors, after a backup. Raises ValueError for parts of sectors, WriteRefused."""
        return self._write(plan_erase(start, length, self.target, allow), "erase", allow, backup)

    def reboot(self) -> None:
        """Start the application. There is no reply to this; the link ends here."""
        self._session.reboot()

    # ---- what is kept of this board

    def backups(self) -> list[KeptBackup]:
        """Kept backups of this very board, oldest first, also those of a half-written flash, which are marked."""
        return self._home.backups() if self._home else []

    def originals(self) -> list[KeptBackup]:
        """What this board may be taken back to: its first backup.

        More than one where this RF block was written to several boards: then nothing tells which of them this one is.
        """
        return self._home.originals() if self._home else []

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

    # ---- the end

    def close(self) -> None:
        """Give the port back. The chip stays as it is."""
        if self._home is not None:
            self._home.release()
        self._session.close()
        if self._port_lock is not None:
            self._port_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- parts

    def _plan_restore(self, dump: Image, name: str, allow: Collection[Risk]) -> WritePlan:
        check_dump_file(dump, allow)
        return plan_dump(dump, self.target, self.read(*rf_span(dump, self.target)), name=name, allow=allow)

    def _compare(self, plan: WritePlan, allow: Collection[Risk]) -> Comparison:
        return compare_plan(self._device(), plan, frozenset(allow))

    def _write(self, plan: WritePlan, name: str, allow: Collection[Risk], backup: Path | None) -> Report:
        """Write it; a board whose RF block was written has another identity from then on."""
        report = write_image(
            self._device(), plan, name, allow=frozenset(allow), home=self._home, backup=backup, known=self._seen
        )
        rf = self.target.layout["rf"]
        if report.touched and any(segment.start < rf.end and rf.start < segment.end for segment in plan.segments):
            target = with_new_rf(self._session, self.target)
            if target != self._target:
                self._is_now(target)
                if self._home is not None:
                    self._home.move(target)
        return report

    def _device(self) -> FlashDevice:
        """One for each operation: it counts what that one erases and programs."""
        return FlashDevice(self._session, self.target)

    def _is_now(self, target: FlashTarget) -> None:
        """From here on this board has to answer after every lost link."""
        self._target = target
        self._session.expect(ExpectedBoard(target))
