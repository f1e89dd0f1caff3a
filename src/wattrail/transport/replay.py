"""``replay:FILE`` - a capture file in place of the meter: the recorded replies to exactly the recorded requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final, TextIO

from wattrail.clock import Clock, Deadline
from wattrail.errors import FileError, PortError, PortLost, PortOpenError, PortTimeout, UnexpectedReply
from wattrail.files import open_text
from wattrail.sanitize import printable
from wattrail.transport.base import Bus, Port
from wattrail.transport.capture import (
    BaudSet,
    BusTransfer,
    Drained,
    Event,
    Header,
    LinesSet,
    PageAnswered,
    Received,
    Sent,
    TopicPublished,
    decode_event,
    decode_header,
)
from wattrail.transport.carrier import OpenCarrier, typed
from wattrail.urls import Option, PortUrl, choice
from wattrail.wire import hex_pairs

__all__ = ["OPTIONS", "CaptureEnded", "CaptureReader", "ReplayBus", "ReplayPort", "open_carrier"]

OPTIONS: Final[Sequence[Option]] = (
    Option("pace", choice("fast", "real"), "fast", "pace=real keeps the recorded delays of replies"),
)

MAX_LINE_CHARS: Final = 1 << 24
"""Characters of a line, five MiB of data; a device in place of a file would never end its line."""

MAX_BYTES: Final = 16 << 30
"""Bytes of a capture file: one meter, read once a second, takes 300 MB a day."""

_CHANGED: Final = (
    "a capture answers only the commands it was recorded with: read it with the chip and options of its recording "
    "(for a BL0940 add chip=bl0940 to the URL), or record a new one"
)


class CaptureEnded(PortLost):
    """A capture was replayed to its end."""


class CaptureReader:
    """An open capture file, one event ahead."""

    def __init__(self, path: str, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._numbers = count(1)
        self.number = 0
        self.header: Header = decode_header(self._line() or "")
        self.next: Event | None = None
        self._reached_s = 0.0
        self.advance()

    def advance(self) -> None:
        """Go to the next event; ``next`` is None after the last. Raises PortError for a malformed line."""
        if self.next is not None:
            self._reached_s = self.next.at
        try:
            line = self._line()
            self.next = decode_event(line) if line is not None else None
        except ValueError as error:
            raise PortError(f"{self.place} is not a capture event: {error}") from error

    @property
    def recorded_at(self) -> datetime:
        """The time of the last event that was passed, by the clock of the recording machine."""
        return self.header.started + timedelta(seconds=self._reached_s)

    @property
    def place(self) -> str:
        """File and line of the next event, for errors."""
        return f"{self._path}:{self.number}"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self) -> str | None:
        self.number = next(self._numbers)
        try:
            # One character more than allowed tells a line of just that length from one that goes on.
            line = self._file.readline(MAX_LINE_CHARS + 1)
        except UnicodeDecodeError as error:
            raise ValueError("not UTF-8 text") from error
        except OSError as error:
            raise ValueError(f"it cannot be read: {error.strerror}") from error
        if len(line) > MAX_LINE_CHARS:
            raise ValueError(f"a line of more than {MAX_LINE_CHARS} characters")
        return line or None


class ReplayPort(OpenCarrier):
    """A recorded port. Bytes that were read before a write, and are not read now, wait as they would on a wire."""

    def __init__(self, url: str, clock: Clock, reader: CaptureReader, *, real_pace: bool) -> None:
        super().__init__(url, clock, simulated=reader.header.simulated)
        self._reader = reader
        self._real_pace = real_pace
        self._waiting = bytearray()
        self._last = (0.0, clock.monotonic())

    @property
    def recorded_at(self) -> datetime:
        """The recorded time of the last event."""
        return self._reader.recorded_at

    def read(self, deadline: Deadline) -> bytes:
        """The result of one recorded read. Raises PortTimeout (at once, unless pace=real), PortLost at the end."""
        self._check_open()
        if self._waiting:
            return self._take_waiting()
        event = self._reader.next
        if event is None:
            raise _ended(self.url, self._reader)
        # Silence at the same place as recorded, and before a write that the program has not made yet.
        if not isinstance(event, Received | Drained) or not event.data or not self._arrives(event, deadline):
            if isinstance(event, Received) and not event.data:
                self._pass(event)
            self._idle(deadline)
            raise PortTimeout(f"{self.url}: nothing arrived before the deadline, as recorded")
        self._pass(event)
        return event.data

    def write(self, data: bytes) -> None:
        """Compare with what was written. Raises UnexpectedReply if it differs, PortLost at the end."""
        self._expect(Sent(0.0, data))

    def drain(self) -> bytes:
        """What was drained here. Raises PortLost."""
        self._check_open()
        while isinstance(event := self._reader.next, Drained):
            self._waiting += event.data
            self._pass(event)
        return self._take_waiting()

    def set_baud(self, baud: int) -> None:
        """Compare with the rate that was set. Raises UnexpectedReply if it differs, PortLost at the end."""
        self._expect(BaudSet(0.0, baud))

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Compare with how the lines were driven. Raises UnexpectedReply if it differs, PortLost at the end."""
        self._expect(LinesSet(0.0, dtr, rts))

    def _expect(self, wanted: Event) -> None:
        self._check_open()
        self._skip_received()
        event = self._reader.next
        if event is None:
            raise _ended(self.url, self._reader)
        # Without its moment: a program that waits longer than the recorded one sends the same bytes.
        if replace(event, at=0.0) != wanted:
            raise _mismatch(self._reader, wanted)
        self._pass(event)

    def _skip_received(self) -> None:
        # What the recording read before this write the program
        # of today may read after it: a wire keeps it either way.
        while isinstance(event := self._reader.next, Received | Drained):
            self._waiting += event.data
            self._pass(event)

    def _take_waiting(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def _pass(self, event: Event) -> None:
        self._last = (event.at, self.clock.monotonic())
        self._reader.advance()

    def _arrives(self, event: Event, deadline: Deadline) -> bool:
        """Let the recorded pause before an event pass; False if the deadline comes first."""
        if not self._real_pace:
            return True
        recorded, passed = self._last
        pause_s = passed + (event.at - recorded) - self.clock.monotonic()
        if pause_s > deadline.remaining:
            return False
        self.clock.sleep(pause_s)
        return True

    def _idle(self, deadline: Deadline) -> None:
        if self._real_pace:
            self.clock.sleep(deadline.remaining)

    def _release(self) -> None:
        self._reader.close()


class ReplayBus(OpenCarrier):
    """A recorded bus. Its transfers take no time at either pace: the caller decides when to read."""

    def __init__(self, url: str, clock: Clock, reader: CaptureReader) -> None:
        super().__init__(url, clock, simulated=reader.header.simulated)
        self._reader = reader

    @property
    def recorded_at(self) -> datetime:
        """The recorded time of the last event."""
        return self._reader.recorded_at

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Compare with what was clocked out, return what came in. Raises UnexpectedReply, PortTimeout, PortLost."""
        self._check_open()
        self._check_time(deadline)
        event = self._reader.next
        if event is None:
            raise _ended(self.url, self._reader)
        # The reader stays where it is: the error shows the same line again if the caller goes on.
        if not isinstance(event, BusTransfer) or event.mosi != data:
            raise _mismatch(self._reader, BusTransfer(0.0, data, None))
        self._reader.advance()
        if event.miso is None:
            raise PortTimeout(f"{self.url}: the transfer reached its deadline, as recorded")
        return event.miso

    def _release(self) -> None:
        self._reader.close()


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port | Bus:
    """Open a capture file as what it recorded. Raises PortOpenError."""
    try:
        file = open_text(Path(url.path), limit=MAX_BYTES)  # the reader closes it
    except FileError as error:
        raise PortOpenError(f"{url.text}: {error}", hint=error.hint) from error
    try:
        reader = CaptureReader(url.path, file)
    except (ValueError, PortError) as error:
        file.close()
        raise PortOpenError(
            f"{url.text}: {printable(url.path)} is not a capture file: {error}",
            hint="'wattrail meter record METER FILE' writes one",
        ) from error
    if reader.header.kind not in ("uart", "spi"):
        reader.close()
        raise PortOpenError(
            f"{url.text}: {printable(url.path)} holds what a network meter said, not what a chip did",
            hint="'wattrail meter read' and 'meter watch' show it",
        )
    if reader.header.kind == "spi":
        return ReplayBus(url.text, clock, reader)
    return ReplayPort(url.text, clock, reader, real_pace=typed(options, "pace", str) == "real")


def _ended(url: str, reader: CaptureReader) -> CaptureEnded:
    return CaptureEnded(f"{url}: the capture ended at line {reader.number - 1}")


def _mismatch(reader: CaptureReader, got: Event) -> UnexpectedReply:
    recorded = _words(reader.next) if reader.next is not None else "nothing"
    return UnexpectedReply(f"{reader.place}: got {_words(got)}, recorded was {recorded}", hint=_CHANGED)


def _words(event: Event) -> str:
    match event:
        case Sent(_, data):
            return f"a write of {hex_pairs(data)}"
        case Received(_, data) | Drained(_, data):
            return f"a read of {hex_pairs(data)}"
        case BaudSet(_, baud):
            return f"a rate of {baud} baud"
        case LinesSet(_, dtr, rts):
            return f"lines dtr={dtr} rts={rts}"
        case BusTransfer(_, mosi, _):
            return f"a transfer of {hex_pairs(mosi)}"
        case PageAnswered(_, target, _, _):
            return f"the answer to {printable(target)}"
        case TopicPublished(_, topic, _, _):
            return f"a message on {printable(topic)}"
