"""Questions and answers: a sans-IO link times an open carrier.

A question that fails is put again, with the link brought back in step in between, a bounded number of times; what
still fails becomes an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from wattrail.chips.bl0942.events import Damaged, Event, NeedData, PacketRead, RegisterRead, Silence, Truncated
from wattrail.chips.bl0942.registers import CF_CNT, FREQ, I_RMS, STATUS, V_RMS, WATT
from wattrail.chips.bl0942.snapshot import Snapshot
from wattrail.chips.bl0942.spi import RESYNCHRONISE, SpiLink
from wattrail.chips.bl0942.uart import FRAME_GAP_S, UartLink
from wattrail.clock import Deadline
from wattrail.errors import ChecksumError, LinkError, NoAnswer, PortTimeout, UnexpectedReply
from wattrail.meter.answer_time import AnswerTime, bounds_of
from wattrail.meter.statistics import Statistics
from wattrail.transport import Bus, Port, end_frame
from wattrail.wire import Register, hex_pairs

__all__ = ["TRIES", "Dialogue", "SpiDialogue", "UartDialogue", "open_dialogue"]

_Answer = TypeVar("_Answer")

logger = logging.getLogger(__name__)

TRIES = 4
"""How often one question is put before its failure counts."""

_LOOK = (I_RMS, V_RMS, WATT, CF_CNT, FREQ, STATUS)
"""What one look over SPI reads, in this order; there is no packet."""


class Dialogue(Protocol):
    """What the meter needs to say to a chip, whatever bus it is on."""

    @property
    def carrier(self) -> Port | Bus:
        """What the dialogue runs over."""
        ...

    def ask(self, register: Register) -> int:
        """A register's count. Raises NoAnswer, ChecksumError, UnexpectedReply, PortError."""
        ...

    def tell(self, register: Register, count: int) -> None:
        """Write a count; the chip acknowledges nothing. Raises PortError."""
        ...

    def look(self) -> Snapshot:
        """The electrical registers. Raises as ``ask``."""
        ...

    def recover(self) -> None:
        """Bring the chip's receiver back in step after a failure. Raises PortError."""
        ...


def open_dialogue(carrier: Port | Bus, statistics: Statistics, *, address: int = 0) -> Dialogue:
    """The dialogue that fits the carrier: a Bus speaks SPI, a Port UART."""
    if isinstance(carrier, Bus):
        return SpiDialogue(carrier, statistics)
    return UartDialogue(carrier, statistics, address=address)


class UartDialogue:
    """Questions over a byte stream. ``taken`` is handed everything that arrives; ``time`` says how long to wait."""

    def __init__(
        self,
        port: Port,
        statistics: Statistics,
        *,
        address: int = 0,
        tries: int = TRIES,
        time: AnswerTime | None = None,
        taken: Callable[[bytes], object] = len,
    ) -> None:
        self.carrier = port
        self.address = address
        self.time = time or AnswerTime(bounds_of(port.url))
        self._taken = taken
        self._link = UartLink(address)
        self._statistics = statistics
        self._tries = tries
        self._missed = False

    def ask(self, register: Register) -> int:
        """See ``Dialogue``."""
        return _patiently(partial(self._ask_once, register), self, self._statistics, self._tries)

    def look(self) -> Snapshot:
        """See ``Dialogue``: one packet."""
        return _patiently(self._look_once, self, self._statistics, self._tries)

    def tell(self, register: Register, count: int) -> None:
        """See ``Dialogue``."""
        self.carrier.write(self._link.write_register(register, count))

    def recover(self) -> None:
        """Let the chip's frame time run out, and a late answer arrive; then forget what came meanwhile."""
        self.carrier.clock.sleep(FRAME_GAP_S)
        if self._missed and self.time.grace_s:
            self._await_late_answer(Deadline.after(self.time.grace_s, self.carrier.clock))
        self._missed = False
        self._junk(self.carrier.drain())

    def _ask_once(self, register: Register) -> int:
        event = self._put(self._link.read_register(register))
        if isinstance(event, RegisterRead):
            return event.count
        raise self._failure(event, register.name)

    def _look_once(self) -> Snapshot:
        event = self._put(self._link.read_packet())
        if isinstance(event, PacketRead):
            return event.snapshot
        raise self._failure(event, "packet")

    def _put(self, request: bytes) -> Event:
        self._statistics.questions += 1
        self._junk(self.carrier.drain())
        clock = self.carrier.clock
        asked_at = clock.monotonic()
        self.carrier.write(request)
        deadline = Deadline.after(self.time.limit_s, clock)
        while isinstance(event := self._link.next_event(), NeedData):
            try:
                data = self.carrier.read(deadline)
            except PortTimeout:
                return self._timed_out()
            self._taken(data)
            self._link.receive(data)
        end_frame(self.carrier)
        if isinstance(event, RegisterRead | PacketRead):
            self.time.answered(clock.monotonic() - asked_at)
            self._statistics.junk_bytes += len(event.skipped)
        return event

    def _timed_out(self) -> Event:
        event = self._link.end()
        self._missed = isinstance(event, Silence)
        if self._missed:
            self.time.missed()
        return event

    def _await_late_answer(self, end: Deadline) -> None:
        with suppress(PortTimeout):
            while not end.passed:
                self._junk(self.carrier.read(end))
                self.time.came_late()
                end = Deadline.after(FRAME_GAP_S, self.carrier.clock)

    def _junk(self, data: bytes) -> None:
        self._taken(data)
        self._statistics.junk_bytes += len(data)

    def _failure(self, event: Event, what: str) -> LinkError:
        return _failure(event, f"{what} at {self.carrier.url}, address {self.address}", self._statistics)


class SpiDialogue:
    """Questions over an SPI bus."""

    def __init__(self, bus: Bus, statistics: Statistics, *, tries: int = TRIES) -> None:
        self.carrier = bus
        self._within_s = bounds_of(bus.url).longest_s
        self._link = SpiLink()
        self._statistics = statistics
        self._tries = tries

    def ask(self, register: Register) -> int:
        """See ``Dialogue``."""
        return _patiently(partial(self._ask_once, register), self, self._statistics, self._tries)

    def look(self) -> Snapshot:
        """See ``Dialogue``: one register after the other, so a refresh can fall in between."""
        i_rms, v_rms, watt, cf_cnt, freq, status = map(self.ask, _LOOK)
        return Snapshot(i_rms=i_rms, v_rms=v_rms, watt=watt, cf_cnt=cf_cnt, freq=freq, status=status)

    def tell(self, register: Register, count: int) -> None:
        """See ``Dialogue``."""
        self._transfer(self._link.write_register(register, count))

    def recover(self) -> None:
        """Six bytes of FF reset the chip's bit counter; a zero before them, so that ones already sent do not count."""
        self._transfer(b"\x00" + RESYNCHRONISE)

    def raw(self, register: Register) -> bytes:
        """The six bytes that were clocked in while a register was asked for, whatever they are. Raises PortError."""
        return self._transfer(self._link.read_register(register))

    def _ask_once(self, register: Register) -> int:
        self._statistics.questions += 1
        self._link.receive(self._transfer(self._link.read_register(register)))
        event = self._link.next_event()
        if isinstance(event, NeedData):
            event = self._link.end()
        if isinstance(event, RegisterRead):
            return event.count
        raise _failure(event, f"{register.name} at {self.carrier.url}", self._statistics)

    def _transfer(self, data: bytes) -> bytes:
        return self.carrier.transfer(data, Deadline.after(self._within_s, self.carrier.clock))


def _patiently(question: Callable[[], _Answer], dialogue: Dialogue, statistics: Statistics, tries: int) -> _Answer:
    for _ in range(tries - 1):
        try:
            return question()
        except LinkError as error:
            statistics.retries += 1
            logger.info("asking again: %s", error)
            dialogue.recover()
    return question()


def _failure(event: Event, what: str, statistics: Statistics) -> LinkError:
    """The error for an event that is no answer, counted."""
    if isinstance(event, Silence):
        statistics.silent += 1
        return NoAnswer(f"{what}: no answer" + _idle_level(event))
    if isinstance(event, Truncated):
        statistics.truncated += 1
        return NoAnswer(
            f"{what}: {len(event.data)} of {event.want} bytes came, {hex_pairs(event.data)}",
            got=event.data,
            hint="the reply was cut short: check the wiring, and that nothing else reads the same port",
        )
    if isinstance(event, Damaged):
        statistics.damaged += 1
        return ChecksumError(
            f"{what}: {event.why} in {hex_pairs(event.data)}",
            hint="check the baud rate or SPI clock, a shared ground, and short wires",
        )
    return UnexpectedReply(f"{what}: the answer belongs to another question: {event}")


def _idle_level(event: Silence) -> str:
    if event.level is None:
        return ""
    return f", the data line stayed {'high' if event.level else 'low'} through all 48 clocks"
