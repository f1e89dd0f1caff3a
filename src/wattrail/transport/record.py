"""``record:FILE?of=URL`` - any port or bus; all that passes is written to a capture file at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, TextIO

from wattrail import __version__
from wattrail.clock import Clock, Deadline
from wattrail.errors import PortError, PortOpenError, PortTimeout, UrlError
from wattrail.transport.base import Bus, Port
from wattrail.transport.capture import (
    BaudSet,
    BusTransfer,
    Drained,
    Event,
    Header,
    LinesSet,
    Received,
    Sent,
    encode_event,
    encode_header,
)
from wattrail.transport.carrier import OpenCarrier, typed
from wattrail.urls import NESTED, Option, PortUrl, boolean

__all__ = ["OPTIONS", "CaptureWriter", "RecordedBus", "RecordedPort", "open_carrier"]

OPTIONS: Final[Sequence[Option]] = (
    Option("overwrite", boolean, False, "overwrite=yes replaces an existing file; put it before of="),
    Option(NESTED, str, None, "the URL to record, put it last: for example of=serial:///dev/ttyUSB0?baud=4800"),
)


class CaptureWriter:
    """An open capture file. Every line is flushed, so that the file can be replayed after a crash."""

    def __init__(self, file: TextIO, header: Header, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._start = clock.monotonic()
        self._line(encode_header(header))

    def write(self, event: Callable[[float], Event]) -> None:
        """Write an event, made from the seconds since the start."""
        self._line(encode_event(event(self._clock.monotonic() - self._start)))

    def close(self) -> None:
        """Close the file."""
        _close(self._file)

    def _line(self, text: str) -> None:
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise PortError(f"{self._file.name} cannot be written: {error.strerror or error}") from error


class RecordedPort(OpenCarrier):
    """A port that records what passes through it."""

    def __init__(self, url: str, inner: Port, writer: CaptureWriter) -> None:
        super().__init__(url, inner.clock, simulated=inner.simulated)
        self._inner = inner
        self._writer = writer

    def read(self, deadline: Deadline) -> bytes:
        """At least one byte, and whatever else has arrived. Raises PortTimeout, PortLost."""
        self._check_open()
        try:
            data = self._inner.read(deadline)
        except PortTimeout:
            # Silence is an event too: a replay is silent at the same place, whatever its pace.
            self._writer.write(lambda at: Received(at, b""))
            raise
        self._writer.write(lambda at: Received(at, data))
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes as one block. Raises PortLost, PortTimeout."""
        self._check_open()
        self._inner.write(data)
        # After it has left: a replay must not expect a write that failed.
        self._writer.write(lambda at: Sent(at, data))

    def drain(self) -> bytes:
        """Take what has already arrived, without waiting. Raises PortLost."""
        self._check_open()
        if data := self._inner.drain():
            self._writer.write(lambda at: Drained(at, data))
        return data

    def set_baud(self, baud: int) -> None:
        """Change the rate. Raises PortError where the carrier has none."""
        self._check_open()
        self._inner.set_baud(baud)
        self._writer.write(lambda at: BaudSet(at, baud))

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Drive the modem lines; None leaves one as it is. Raises PortError where the carrier has none."""
        self._check_open()
        self._inner.set_lines(dtr=dtr, rts=rts)
        self._writer.write(lambda at: LinesSet(at, dtr, rts))

    def _release(self) -> None:
        self._writer.close()
        self._inner.close()


class RecordedBus(OpenCarrier):
    """A bus that records what passes through it."""

    def __init__(self, url: str, inner: Bus, writer: CaptureWriter) -> None:
        super().__init__(url, inner.clock, simulated=inner.simulated)
        self._inner = inner
        self._writer = writer

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block under chip select. Raises PortTimeout, PortLost."""
        self._check_open()
        try:
            got = self._inner.transfer(data, deadline)
        except PortTimeout:
            self._writer.write(lambda at: BusTransfer(at, data, None))
            raise
        self._writer.write(lambda at: BusTransfer(at, data, got))
        return got

    def _release(self) -> None:
        self._writer.close()
        self._inner.close()


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port | Bus:
    """Open what is to be recorded, then the file. Raises PortOpenError, UrlError, and what the inner URL raises."""
    from wattrail.transport.schemes import open_unlogged

    if options[NESTED] is None:
        example = f"{url.text}{'&' if url.query else '?'}{NESTED}=serial:///dev/ttyUSB0?baud=4800"
        raise UrlError(f"{url.text!r} does not say what to record", hint=f"for example {example}")
    overwrite = typed(options, "overwrite", bool)
    # Before the port is opened, which raises DTR and RTS; the mode of opening refuses once more what came between.
    if not overwrite and Path(url.path).exists():
        raise _exists(url)
    with ExitStack() as undo:
        inner = open_unlogged(typed(options, NESTED, str), clock=clock)
        undo.callback(inner.close)
        # After the port: one that does not open costs nobody a capture that is overwritten.
        file = _create(url, overwrite=overwrite)
        undo.callback(_close, file)
        kind = "spi" if isinstance(inner, Bus) else "uart"
        writer = CaptureWriter(file, Header(kind, inner.url, clock.now(), inner.simulated, __version__), clock)
        undo.pop_all()
    return RecordedBus(url.text, inner, writer) if isinstance(inner, Bus) else RecordedPort(url.text, inner, writer)


def _create(url: PortUrl, *, overwrite: bool) -> TextIO:
    try:
        return Path(url.path).open("w" if overwrite else "x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise _exists(url) from None
    except OSError as error:
        raise PortOpenError(f"{url.text}: cannot write {url.path}: {error.strerror}") from error


def _close(file: TextIO) -> None:
    with suppress(OSError):  # reported when the line was written; closing tries the same bytes again
        file.close()


def _exists(url: PortUrl) -> PortOpenError:
    return PortOpenError(
        f"{url.text}: {url.path} exists already",
        hint=f"name another file, or replace it: {url.text.replace('?', '?overwrite=yes&', 1)}",
    )
