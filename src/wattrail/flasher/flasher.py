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
from wattrail.clock import Clock
from wattrail.errors import UrlError, WriteRefused
from wattrail.flasher import identify
from wattrail.flasher.access import FlashAccess
from wattrail.flasher.backup import Backup, take_backup
from wattrail.flasher.conversation import Conversation
from wattrail.flasher.diagnosis import Diagnosis
from wattrail.flasher.dialogue import Dialogue
from wattrail.flasher.events import BackedUp, Identified, Listener
from wattrail.flasher.guards import Piece, Risk, check_dump
from wattrail.flasher.history import History
from wattrail.flasher.job import Job
from wattrail.flasher.journal import Shelf, Unfinished
from wattrail.flasher.layer import Layer, layer_of
from wattrail.flasher.linkup import LinkUp
from wattrail.flasher.rates import Rates
from wattrail.flasher.reader import Known, read_flash
from wattrail.flasher.report import Comparison, Report
from wattrail.flasher.reset_line import ResetLine
from wattrail.flasher.target import Target
from wattrail.flasher.trace import ResetBy, Trace
from wattrail.image import Image, recognise
from wattrail.transport import Port, open_port
from wattrail.transport.discovery import adapter_chip
from wattrail.urls import device_url, split

__all__ = ["PERSON_MOST", "Flasher", "open_flasher"]

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
    ) -> None:
        self._port = port
        self._trace = Trace(port.clock, listener, reset=reset, simulated=port.simulated)
        self._trace.adapter = adapter
        self._dialogue = Dialogue(port)
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
        self._shelf = Shelf(folder, port.clock) if folder is not None else None
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
        return self._shelf.unfinished(self.target) if self._shelf else None

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
        """The whole flash in a file; in the board's folder if no path is given. Raises as ``read`` does."""
        target = self.target
        partial = None
        if path is None:
            if self._shelf is None:
                raise ValueError("a backup needs a path, or a flasher with a folder")
            path = self._shelf.new_backup(target, simulated=self.simulated)
            partial = path.with_name("backup.part")  # whatever the new one will be called
        kept = [Known(0, path.read_bytes()) for path in self._shelf.likely(target)] if self._shelf else []
        access = self._reader(0, target.size)
        backup = take_backup(access, target.size, path, partial=partial, known=[*self._seen, *kept])
        self._seen = [Known(0, backup.data)]
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
        if image.kind.lies_in_flash and image.chip is None:
            self._trace.note(f"{name} does not tell which chip it is for: it is taken to be for this one")
        return self._job(frozenset(allow), backup).carry_out(layer, name)

    def restore(
        self, dump: Image, *, name: str = "dump", allow: Collection[Risk] = (), backup: Path | None = None
    ) -> Report:
        """Make the whole flash what a dump holds. Raises WriteRefused, also for a dump of another board."""
        check_dump(dump, self.target, allow)
        rf = self.target.layout["rf"]
        if Risk.RF not in allow and dump.data[rf.start : rf.end] != self.read(rf.start, rf.length):
            raise WriteRefused(
                f"{name} has another RF block than this board: it is another board's dump, or this one's was lost",
                risk=Risk.RF.value,
                hint="radio calibration and MAC address belong to one board; 'rf', allowed in words, writes it",
            )
        return self._job(frozenset(allow), backup).carry_out(Layer((Piece(0, dump.data),)), name)

    def erase(self, start: int, length: int, *, allow: Collection[Risk] = (), backup: Path | None = None) -> Report:
        """Erase whole sectors, after a backup. Raises ValueError for parts of sectors, WriteRefused."""
        if start % SECTOR or length % SECTOR or length <= 0 or start < 0 or start + length > self.target.size:
            raise ValueError(f"{length:#x} bytes from {start:#x} are no whole sectors of {SECTOR:#x} inside the flash")
        layer = Layer.blank(start, length, self.target, frozenset(allow))
        return self._job(frozenset(allow), backup).carry_out(layer, "erase")

    def kept_backups(self) -> list[Path]:
        """Whole backups of this very board, the one of an unfinished write first, then newest first."""
        if self._shelf is None:
            return []
        earlier = self._shelf.unfinished(self.target)
        first = [earlier.backup] if earlier and earlier.backup else []
        return [*first, *(path for path in self._shelf.backups(self.target) if path not in first)]

    def reboot(self) -> None:
        """Start the application. There is no answer to this; the link ends here."""
        self._dialogue.port.write(BootLink().ask(REBOOT))

    # ---- the end

    def close(self) -> None:
        """Give the port back. The chip stays as it is."""
        self._dialogue.port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- parts

    def _access(self) -> FlashAccess:
        return FlashAccess(self._conversation, self.target)

    def _job(self, allow: frozenset[Risk], backup: Path | None = None) -> Job:
        return Job(
            self._conversation,
            self.target,
            self._shelf,
            take_backup=lambda: self.backup(backup),
            can_back_up=backup is not None or self._shelf is not None,
            allow=allow,
            simulated=self.simulated,
        )

    def _reader(self, first: int, length: int) -> FlashAccess:
        """Access that tells how far reading has come."""
        access = self._access()
        self._trace.begin("reading", length)
        access.watch(lambda at: self._trace.reached(at - first))
        return access


def open_flasher(
    url: str,
    *,
    reset: ResetBy = "person",
    most_baud: int | None = None,
    patience_s: float = PATIENCE_S,
    listener: Listener | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
) -> Flasher:
    """A flasher on the port of a URL, or of a device such as ``/dev/ttyUSB0`` or ``COM5``; close it by ``with``.

    ``reset``: the modem line wired to CEN, or a person who resets when told. ``most_baud``: the fastest rate to try;
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

    return Flasher(
        opened(),
        reset=reset,
        most_baud=most_baud,
        patience_s=patience_s,
        listener=listener,
        folder=folder,
        reopen=opened,
        adapter=adapter_chip(split(url)),
    )
