"""Requests and replies: a sans-IO link times an open carrier.

A request that fails is repeated, with the link brought back in step in between, a bounded number of times; what still
fails becomes an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from wattrail.chips.belling import Heads
from wattrail.chips.events import Damaged, Event, NeedData, PacketRead, RegisterRead, Silence, Truncated
from wattrail.chips.protocol import Capability, ChipSample, MeteringChip
from wattrail.chips.spi import RESYNCHRONISE, SpiLink
from wattrail.chips.uart import UartLink
from wattrail.clock import Deadline
from wattrail.errors import ChecksumError, LinkError, NoAnswer, PortTimeout, UnexpectedReply, UrlError
from wattrail.meter.answer_time import AnswerTime, bounds_of
from wattrail.transport import Bus, Port, end_frame
from wattrail.wire import Register, hex_pairs

__all__ = ["TRIES", "ChipClient", "SpiClient", "Statistics", "UartClient", "open_client"]

_Answer = TypeVar("_Answer")

logger = logging.getLogger(__name__)

TRIES = 4
"""How often one request is sent before its failure counts."""


@dataclass(slots=True)
class Statistics:
    """Counters of one meter since it was opened; all only go up."""

    readings: int = 0
    exchanges: int = 0
    retries: int = 0
    silent: int = 0
    truncated: int = 0
    damaged: int = 0
    junk_bytes: int = 0
    disagreements: int = 0
    implausible: int = 0
    restarts: int = 0

    @property
    def failures(self) -> int:
        """Exchanges that did not bring the answer they should."""
        return self.silent + self.truncated + self.damaged


class ChipClient(Protocol):
    """What the meter asks of a chip, whatever bus it is on."""

    @property
    def carrier(self) -> Port | Bus:
        """What the client runs over."""
        ...

    def read_register(self, register: Register) -> int:
        """A register's count. Raises NoAnswer, ChecksumError, UnexpectedReply, PortError."""
        ...

    def write_register(self, register: Register, count: int) -> None:
        """Write a count; the chip acknowledges nothing. Raises PortError."""
        ...

    def sample(self) -> ChipSample:
        """The electrical registers. Raises as ``read_register``."""
        ...

    def recover(self) -> None:
        """Bring the chip's receiver back in step after a failure. Raises PortError."""
        ...


def open_client(
    carrier: Port | Bus, chip: MeteringChip, statistics: Statistics, *, address: int = 0, read_head: int | None = None
) -> ChipClient:
    """The client that fits the carrier: a Bus speaks SPI, a Port UART. Raises UrlError where the chip does not."""
    if isinstance(carrier, Bus):
        chip.require(Capability.SPI)
        return SpiClient(carrier, chip, statistics)
    try:
        if chip.uart is None:
            raise ValueError("it is not read over UART")
        heads = chip.uart.candidates(address, read_head)
    except ValueError as error:
        raise UrlError(
            f"{chip.title} at {carrier.url}: {error}", hint="name another address or other heads, or neither"
        ) from error
    return UartClient(carrier, chip, statistics, heads=heads)


class UartClient:
    """Requests over a byte stream. ``heads`` are tried in turn until the chip answers to one, which then stays.

    ``received`` is handed everything that arrives; ``time`` says how long to wait.
    """

    def __init__(
        self,
        port: Port,
        chip: MeteringChip,
        statistics: Statistics,
        *,
        heads: tuple[Heads, ...],
        tries: int = TRIES,
        time: AnswerTime | None = None,
        received: Callable[[bytes], object] = len,
    ) -> None:
        assert chip.uart is not None, f"{chip.title} is not read over UART"
        self.carrier = port
        self.chip, self.grammar = chip, chip.uart
        self.time = time or AnswerTime(bounds_of(port.url))
        self._untried = list(heads[1:])
        self._received = received
        self._link = UartLink(chip.uart, heads[0])
        self._statistics = statistics
        self._tries = tries
        self._missed = False

    @property
    def heads(self) -> Heads:
        """The heads of the frames now."""
        return self._link.heads

    def read_register(self, register: Register) -> int:
        """See ``ChipClient``."""
        return _with_retries(partial(self._read_once, register), self, self._statistics, self._tries)

    def sample(self) -> ChipSample:
        """See ``ChipClient``: one packet."""
        return _with_retries(self._sample_once, self, self._statistics, self._tries)

    def write_register(self, register: Register, count: int) -> None:
        """See ``ChipClient``."""
        self.carrier.write(self._link.write_register(register, count))

    def recover(self) -> None:
        """Let the chip's frame time run out, and a late answer arrive; then forget what came meanwhile."""
        # More than 32 zero bits reset the receiver too, but the stop bits of bytes break such
        # a run, and not every carrier can hold its line low. Source: bl0942-ds/uart-frame
        self.carrier.clock.sleep(self.grammar.frame_gap_s)
        if self._missed and self.time.grace_s:
            self._await_late_answer(Deadline.after(self.time.grace_s, self.carrier.clock))
        if self._missed and self._untried:
            # Only after silence: damage has an answer in it, and so the heads were right.
            self._untried.append(self._link.heads)
            self._link.heads = self._untried.pop(0)
        self._missed = False
        self._count_junk(self.carrier.drain())

    def _read_once(self, register: Register) -> int:
        event = self._exchange(self._link.read_register(register))
        if isinstance(event, RegisterRead):
            return event.count
        raise self._failure(event, register.name)

    def _sample_once(self) -> ChipSample:
        event = self._exchange(self._link.read_packet())
        if isinstance(event, PacketRead):
            return self.chip.sample_of(event.counts)
        raise self._failure(event, "packet")

    def _exchange(self, request: bytes) -> Event:
        self._statistics.exchanges += 1
        # What is left of a late answer must not become the beginning of this one.
        self._count_junk(self.carrier.drain())
        clock = self.carrier.clock
        asked_at = clock.monotonic()
        self.carrier.write(request)
        deadline = Deadline.after(self.time.limit_s, clock)
        while isinstance(event := self._link.next_event(), NeedData):
            try:
                data = self.carrier.read(deadline)
            except PortTimeout:
                return self._timed_out()
            self._received(data)
            self._link.receive(data)
        end_frame(self.carrier)
        if isinstance(event, RegisterRead | PacketRead):
            # These heads are the chip's: later silence has another cause.
            self._untried.clear()
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
                # It may come in pieces, so it is over only after a gap that ends a frame.
                self._count_junk(self.carrier.read(end))
                self.time.came_late()
                end = Deadline.after(self.grammar.frame_gap_s, self.carrier.clock)

    def _count_junk(self, data: bytes) -> None:
        self._received(data)
        self._statistics.junk_bytes += len(data)

    def _failure(self, event: Event, what: str) -> LinkError:
        where = f"address {self.grammar.heads.index(self.heads)}" if self.grammar.is_addressed else self.chip.title
        return _failure(event, f"{what} at {self.carrier.url}, {where}", self._statistics)


class SpiClient:
    """Requests over an SPI bus."""

    def __init__(self, bus: Bus, chip: MeteringChip, statistics: Statistics) -> None:
        self.carrier = bus
        self.chip = chip
        # One limit: a bus answers while it is clocked, so only a bus elsewhere can be late.
        self._within_s = bounds_of(bus.url).longest_s
        self._link = SpiLink()
        self._statistics = statistics

    def read_register(self, register: Register) -> int:
        """See ``ChipClient``."""
        return _with_retries(partial(self._read_once, register), self, self._statistics)

    def sample(self) -> ChipSample:
        """See ``ChipClient``: one register after the other, so a refresh can fall in between."""
        return self.chip.sample_of({register: self.read_register(register) for register in self.chip.spi_sample})

    def write_register(self, register: Register, count: int) -> None:
        """See ``ChipClient``."""
        self._transfer(self._link.write_register(register, count))

    def recover(self) -> None:
        """Six bytes of FF reset the chip's bit counter; a zero before them, so that ones already sent do not count."""
        self._transfer(b"\x00" + RESYNCHRONISE)

    def raw(self, register: Register) -> bytes:
        """The six bytes that were clocked in while a register was asked for, whatever they are. Raises PortError."""
        return self._transfer(self._link.read_register(register))

    def _read_once(self, register: Register) -> int:
        self._statistics.exchanges += 1
        self._link.receive(self._transfer(self._link.read_register(register)))
        event = self._link.next_event()
        if isinstance(event, NeedData):
            event = self._link.end()
        if isinstance(event, RegisterRead):
            return event.count
        raise _failure(event, f"{register.name} at {self.carrier.url}", self._statistics)

    def _transfer(self, data: bytes) -> bytes:
        return self.carrier.transfer(data, Deadline.after(self._within_s, self.carrier.clock))


def _with_retries(
    request: Callable[[], _Answer], client: ChipClient, statistics: Statistics, tries: int = TRIES
) -> _Answer:
    # The last try is outside: its error goes to the caller without another recovery.
    for _ in range(tries - 1):
        try:
            return request()
        except LinkError as error:
            statistics.retries += 1
            logger.info("asking again: %s", error)
            client.recover()
    return request()


def _failure(event: Event, what: str, statistics: Statistics) -> LinkError:
    """The error for an event other than an answer, counted."""
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
