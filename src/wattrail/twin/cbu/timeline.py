"""What happened on a board, in order: SPI transfers, interrupts, edges of pins, writes of flash; as JSON or as VCD.

VCD is what GTKWave and PulseView open. A timeline holds so many events; of a longer run the first ones stay, and the
others are counted.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wattrail.errors import MissingExtra
from wattrail.twin.cbu.interrupts import SOURCES
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.spi import SpiBlock, SpiTransfer

__all__ = ["BoardTimeline", "TimelineEvent", "json_lines", "vcd_text"]

MAX_EVENTS: Final = 200_000
_NANOSECONDS: Final = 1_000_000_000
_BITS_OF_BYTE: Final = 9
"""A byte takes nine clocks; see ``spi``."""


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event: ``kind`` is ``spi``, ``interrupt``, ``pin`` or ``flash``; ``what`` are its particulars."""

    tick: int
    kind: str
    what: Mapping[str, str | int | bool]


class BoardTimeline:
    """Records from now on."""

    def __init__(self, machine: Cbu) -> None:
        self._machine = machine
        self.events: list[TimelineEvent] = []
        self.left_out = 0
        machine.pins.listen(lambda pin, level: self._note("pin", pin=pin, level=level))
        machine.on_interrupt.append(self._interrupted)
        machine.on_flash.append(lambda address, length: self._note("flash", address=address, length=length))
        if isinstance(spi := machine.peripherals.get("spi"), SpiBlock):
            spi.listen(self._transferred)

    def _interrupted(self, kind: str, sources: int) -> None:
        names = [SOURCES.get(number, str(number)) for number in range(32) if sources >> number & 1]
        self._note("interrupt", line=kind, sources=", ".join(names))

    def _transferred(self, transfer: SpiTransfer) -> None:
        sent, received = transfer.sent.hex(), transfer.received.hex()
        what: Mapping[str, str | int | bool] = {
            "sent": sent,
            "received": received,
            "hz": transfer.hz,
            "mode": transfer.mode,
        }
        self._add(TimelineEvent(transfer.tick, "spi", what))

    def _note(self, kind: str, **what: str | int | bool) -> None:
        self._add(TimelineEvent(self._machine.clock.now, kind, what))

    def _add(self, event: TimelineEvent) -> None:
        if len(self.events) < MAX_EVENTS:
            self.events.append(event)
        else:
            self.left_out += 1


def json_lines(events: Iterable[TimelineEvent]) -> Iterator[str]:
    """Each event as a JSON object on a line: ``t`` in seconds since power-on, ``kind``, and its particulars."""
    for event in events:
        yield json.dumps({"t": round(event.tick / TICKS_PER_SECOND, 9), "kind": event.kind, **event.what})


def vcd_text(events: Iterable[TimelineEvent]) -> str:
    """The events as a value change dump, in nanoseconds. Raises MissingExtra without pyvcd."""
    try:
        from vcd import VCDWriter
    except ImportError as error:
        raise MissingExtra("a timeline as VCD", library="pyvcd", extra="emulate") from error
    changes = sorted(_changes(events), key=lambda change: change[0])
    names = sorted({name for _, name, _, _ in changes})
    sizes = {name: bits for _, name, bits, _ in changes}
    out = io.StringIO()
    with VCDWriter(out, timescale="1 ns", comment="SIMULATED: an emulated module") as writer:
        signals = {}
        for name in names:
            group, signal = name.split(".")
            init = "x" if sizes[name] > 1 else 0
            signals[name] = writer.register_var(group, signal, "wire", size=sizes[name], init=init)
        for at, name, _, value in changes:
            writer.change(signals[name], at, value)
    return out.getvalue()


def _changes(events: Iterable[TimelineEvent]) -> Iterator[tuple[int, str, int, int]]:
    """Time in nanoseconds, signal, its bits, its new value."""
    for event in events:
        at = event.tick * _NANOSECONDS // TICKS_PER_SECOND
        if event.kind == "pin":
            yield at, f"pins.p{event.what['pin']}", 1, int(event.what["level"])
        elif event.kind == "interrupt":
            yield at, f"cpu.{event.what['line']}", 1, 1
            # An interrupt is a moment here; a viewer shows nothing that lasts for none, so it gets a microsecond.
            yield at + 1000, f"cpu.{event.what['line']}", 1, 0
        elif event.kind == "flash":
            yield at, "flash.address", 32, int(event.what["address"])
        elif event.kind == "spi":
            yield from _spi_changes(at, event.what)


def _spi_changes(end: int, what: Mapping[str, str | int | bool]) -> Iterator[tuple[int, str, int, int]]:
    """A byte at a time; ``end`` is when the last one has gone."""
    sent, received = (bytes.fromhex(str(what[name])) for name in ("sent", "received"))
    step = _BITS_OF_BYTE * _NANOSECONDS // int(what["hz"])
    begin = end - step * len(sent)
    for number, (out, back) in enumerate(zip(sent, received, strict=True)):
        yield begin + number * step, "spi.sent", 8, out
        yield begin + number * step, "spi.received", 8, back
