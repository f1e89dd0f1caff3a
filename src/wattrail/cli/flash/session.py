"""Verbs about the flash of a board: their options, and one session with it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from json import dumps
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from cyclopts import Parameter, validators

from wattrail.app.config import data_dir
from wattrail.bk7231 import MAX_FLASH_BYTES
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.cli import clock, output, safety
from wattrail.cli.exits import UsageError
from wattrail.cli.flash import view
from wattrail.cli.progress import WorkProgress, open_display
from wattrail.cli.safety import WiringOptions
from wattrail.errors import ImageError, LinkFailed, WattrailError, WriteProtected, WriteRefused
from wattrail.flasher import (
    Coaching,
    Flasher,
    FlashEvent,
    FlashTarget,
    Identified,
    Listener,
    Progress,
    Repeated,
    Report,
    Risk,
    open_flasher,
)
from wattrail.image import LAYOUTS
from wattrail.transport import check_url, reach
from wattrail.transport.schemes import SCHEMES
from wattrail.urls import device_url, split

__all__ = [
    "BoardOptions",
    "BoardsFolder",
    "ImagePlace",
    "PortText",
    "RangeOptions",
    "WritingOptions",
    "board",
    "boards_folder",
    "finish",
    "name_override",
    "url_of",
]


# ---- what of a flash, and how


_Offset = validators.Number(gte=0, lt=MAX_FLASH_BYTES)
_RISKS: Final = tuple(risk.value for risk in Risk)
_PARTS: Final = tuple(dict.fromkeys(part.name for layout in LAYOUTS.values() for part in layout.partitions))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RangeOptions:
    """A range of flash, or a partition, or all of it."""

    start: Annotated[int | None, Parameter(help="First byte, such as 0x11000 (0).", validator=_Offset)] = None
    length: Annotated[int | None, Parameter(help="Bytes; else up to the end.", validator=_Offset)] = None
    part: Annotated[str | None, Parameter(help="A partition by its name, in place of a range.")] = None

    def check(self) -> None:
        """Raise UsageError for options that contradict each other, before a port is opened."""
        if self.part is None:
            return
        _check_known(self.part, _PARTS, "--part")
        if self.start is not None or self.length is not None:
            raise UsageError("--part and a range exclude each other; keep one of them")

    @property
    def is_all(self) -> bool:
        """Whether no range is given, which means the whole flash."""
        return self.start is None and self.length is None and self.part is None

    def span(self, target: FlashTarget) -> tuple[int, int]:
        """Start and length in bytes. Raises UsageError for what is not inside this flash."""
        if self.part is not None:
            names = [part.name for part in target.layout.partitions]
            _check_known(self.part, names, f"{target.layout.name}: --part")
            partition = target.layout[self.part]
            start, length = partition.start, partition.length
        else:
            start = self.start or 0
            length = target.size - start if self.length is None else self.length
        if length <= 0 or start + length > target.size:
            raise UsageError(f"{length:#x} bytes from {start:#x} are not inside the {target.size:#x} bytes of flash")
        return start, length


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ImagePlace:
    """Where an image goes, and how much of it."""

    start: Annotated[
        int | None, Parameter(help="Where it begins, for a file that does not say.", validator=_Offset)
    ] = None
    part: Annotated[
        tuple[str, ...],
        Parameter(help="Only this partition of it; may be given several times.", consume_multiple=False),
    ] = ()

    def check(self) -> None:
        """Raise UsageError for a name that no partition has."""
        for name in self.part:
            _check_known(name, _PARTS, "--part")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How flash is changed."""

    allow: Annotated[
        tuple[str, ...], Parameter(name="--allow", help=f"Take a risk, a word each time: {', '.join(_RISKS)}.")
    ] = ()
    backup: Annotated[
        Path | None, Parameter(help="File for the backup that is taken first; else in the boards' folder.")
    ] = None
    dry_run: Annotated[bool, Parameter(help="Print what would be changed, and change nothing.")] = False
    no_reboot: Annotated[bool, Parameter(help="Leave the chip as it is afterwards, ready for the next command.")] = (
        False
    )

    def check(self) -> frozenset[Risk]:
        """The risks taken. Raises UsageError for options that cannot be meant, before a port is opened."""
        for word in self.allow:
            _check_known(word, _RISKS, "--allow")
        allow = frozenset(Risk(word) for word in self.allow)
        if self.backup is not None and Risk.NO_BACKUP in allow:
            raise UsageError("--backup and --allow no-backup exclude each other; keep one of them")
        if self.backup is not None and self.backup.exists():
            raise UsageError(f"{self.backup} exists already", hint="name another file: a backup replaces nothing")
        return allow


def name_override(error: WriteRefused) -> None:
    """Add the option that overrides a refusal to its hint, below the safe way, which comes first."""
    if error.risk:
        override = f"use --allow {error.risk} to override"
        error.hint = f"{error.hint}\n{override}" if error.hint else override


def _check_known(word: str, known: Collection[str], option: str) -> None:
    if word in known:
        return
    close = get_close_matches(word, known, n=1)
    raise UsageError(
        f"{option}: {word!r} is not known; known: {', '.join(known)}",
        hint=f"did you mean {close[0]}?" if close else None,
    )


# ---- a session


PortText = Annotated[str, Parameter(help="Port of the adapter: /dev/ttyUSB0, COM5, or a URL.")]
BoardsFolder = Annotated[
    Path | None, Parameter(help="Folder for journals and backups; else your own.", env_var="WATTRAIL_BOARDS")
]

_MAX_BAUD: Final = 4_000_000
_TWIN_HINT: Final = "'wattrail twin serve pziot-e01' gives you a serial device to rehearse on"
_RESUME: Final = "Run the same command again to resume."
_BEFORE_ANYTHING: Final = (UsageError, ImageError, WriteRefused)
"""Errors that come before anything could be written; they need no word about the state of the flash."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BoardOptions(WiringOptions):
    """What every verb about a board's flash understands."""

    reset: Annotated[
        Literal["manual", "rts", "dtr"],
        Parameter(help="What resets the chip: you (manual), or a modem line wired to CEN."),
    ] = "manual"
    baud: Annotated[
        int | None,
        Parameter(
            help="Fastest rate to try; else as fast as the line carries.",
            validator=validators.Number(gte=BAUD_AT_RESET, lte=_MAX_BAUD),
        ),
    ] = None
    patience: Annotated[
        float,
        Parameter(
            help="Seconds to wait for a reset, or for a cable to come back (60).",
            validator=validators.Number(gt=0, lte=86400),
        ),
    ] = 60.0
    boards: BoardsFolder = None


def url_of(port: str) -> str:
    """The URL of a port; a plain device gets its scheme. Raises UrlError, UsageError for what has no chip to flash."""
    url = device_url(port)
    scheme = SCHEMES[split(check_url(url)).scheme]
    # The twin of a meter is its metering chip alone, which has no flash.
    if scheme.reach == "twin":
        raise UsageError(f"{url!r} is a meter, whose module has its port elsewhere", hint=_TWIN_HINT)
    if scheme.carries == "SPI":
        raise UsageError(f"{url!r} is an SPI bus", hint="a chip is flashed over its UART1: /dev/ttyUSB0")
    return url


def boards_folder(given: Path | None, *, simulated: bool) -> Path:
    """Where journals and backups are kept. A twin of a board has that board's name: it is kept apart."""
    folder = given or data_dir() / "boards"
    return folder / "simulated" if simulated else folder


@contextmanager
def board(
    port: str,
    options: BoardOptions | None,
    *,
    writes: bool = False,
    if_interrupted: str = "",
    json: bool = False,
    listener: Listener | None = None,
) -> Iterator[Flasher]:
    """A board that answers.

    ``if_interrupted`` is printed too if the session is interrupted before anything was changed; ``listener`` gets
    every event before it is printed. With ``json`` a link that fails is reported on stdout as well. Raises whatever
    the flasher does, with what it means for the flash as a note, and UsageError for files that cannot be used.
    """
    printer = _EventPrinter(listener)
    with _open_board(url_of(port), options or BoardOptions(), printer) as flasher:
        end = _SessionEnd(flasher, printer, writes, if_interrupted)
        try:
            flasher.connect()
            yield flasher
        except KeyboardInterrupt:
            printer.end()
            output.note(f"{_below_the_echo()}stopped. {end.flash_state()}")
            raise
        except WattrailError as error:
            printer.end()
            end.explain(error, json=json)
            raise
        except BrokenPipeError:
            raise  # whoever reads the output has closed it
        except OSError as error:
            failure = UsageError(f"{error.filename or 'a file'} cannot be used: {error.strerror}")
            failure.add_note(end.flash_state())
            raise failure from error
        finally:
            printer.end()


def finish(
    report: Report,
    flasher: Flasher,
    writing: WritingOptions,
    *,
    json: bool,
    extra: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Print what was done, and start the board. ``extra`` are more fields for JSON."""
    done = dumps({**extra, **report.as_dict()}) if json else "\n".join(view.report_lines(report))
    # Before the reboot: what was done stands, whatever becomes of that.
    print(done, flush=True)
    if not writing.no_reboot:
        flasher.reboot()
        output.note("reboot sent: the board starts its firmware")


def _open_board(url: str, options: BoardOptions, listener: Listener) -> Flasher:
    """The flasher, not yet connected, once the wiring is confirmed. Raises UsageError, PortOpenError, MissingExtra."""
    safety.confirm([url], given=options.answer, opens_now=True)
    return open_flasher(
        url,
        reset=options.reset,
        max_baud=options.baud,
        patience_s=options.patience,
        listener=listener,
        folder=boards_folder(options.boards, simulated=reach(url) == "twin"),
        clock=clock.CLOCK,
    )


class _EventPrinter:
    """Prints what a flasher does. ``identified``: the board is known; ``wrote``: writing has had its first result."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._display = open_display()
        self._what, self._done = "", 0
        self._began = self._last = clock.CLOCK.monotonic()
        self.identified = False
        self.wrote = False

    def __call__(self, event: FlashEvent) -> None:
        """Print one event."""
        if self._listener is not None:
            self._listener(event)
        now = clock.CLOCK.monotonic()
        match event:
            case Coaching(text):
                self._display.advise(text)
            case Progress():
                self._show(event, now)
            case Repeated():
                pass  # hundreds on a bad line; the report has their number
            case _:
                self.identified = self.identified or isinstance(event, Identified)
                self._what = ""
                self._display.clear()
                output.note(view.event_text(event))
        self._last = now

    def end(self) -> None:
        """Wipe what is redrawn."""
        self._display.clear()

    def _show(self, progress: Progress, now: float) -> None:
        if progress.what != self._what or progress.done < self._done:
            self._what, self._began = progress.what, self._last  # its first result took time already
        self._done = progress.done
        self.wrote = self.wrote or progress.what == "writing"
        self._display.show(WorkProgress(progress.what, progress.done, progress.total, now - self._began))
        if progress.done >= progress.total:
            self._display.clear()  # results may follow on the same terminal


@dataclass(frozen=True, slots=True)
class _SessionEnd:
    """How a session ends, and what state it leaves the flash in."""

    flasher: Flasher
    printer: _EventPrinter
    writes: bool
    if_interrupted: str

    def flash_state(self) -> str:
        """One or two sentences."""
        # Until the board is known, its journal is not.
        unfinished = self.flasher.unfinished if self.writes and self.printer.identified else None
        if unfinished is not None:
            kept = f" Its previous content is kept in {unfinished.backup}." if unfinished.backup else ""
            return f"The flash may be half-written, and the board may not start. {_RESUME}{kept}"
        if self.printer.wrote:
            return "Before that the flash was written and verified."
        return f"Nothing in flash was changed. {self.if_interrupted}".rstrip()

    def explain(self, error: WattrailError, *, json: bool) -> None:
        """Add to an error what a person needs besides: causes, the option that overrides it, the state of the flash."""
        if isinstance(error, LinkFailed):
            _add_causes(error, self.flasher, json=json)
        if isinstance(error, WriteRefused):
            name_override(error)
        # The protection let nothing through, as the CRCs have shown: nothing is left unfinished.
        if isinstance(error, WriteProtected) and not error.elsewhere:
            error.add_note("Nothing in flash was changed.")
        elif not isinstance(error, _BEFORE_ANYTHING):
            error.add_note(self.flash_state())


def _below_the_echo() -> str:
    """A terminal shows Ctrl-C as ^C and stays in that line."""
    return "\n" if sys.stderr.isatty() else ""


def _add_causes(error: LinkFailed, flasher: Flasher, *, json: bool) -> None:
    """The diagnosis: for a program on stdout, for a person below the error."""
    diagnosis = flasher.diagnosis
    if json:
        print(dumps({"error": str(error), "diagnosis": diagnosis.as_dict()}))
    for line in diagnosis.lines():
        if line != diagnosis.words:  # the error says it
            error.add_note(line)
    error.hint = None  # the first cause has it
