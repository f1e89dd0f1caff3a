"""What happened on the board is written down in order, for people, programs and logic analysers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from vcd.reader import TokenKind, tokenize

from tests.twin_cbu.conftest import Program
from wattrail.clock import ManualClock
from wattrail.twin import open_twin
from wattrail.twin.cbu.spi import SpiBlock
from wattrail.twin.cbu.timeline import MAX_EVENTS, BoardTimeline, json_lines, vcd_text


def recorded(program: Callable[..., Program], name: str, seconds: float) -> BoardTimeline:
    one = program(name)
    if name == "spi":
        one.machine.part("spi", SpiBlock).attach(open_twin("pziot-e01", clock=ManualClock()).spi)
    timeline = BoardTimeline(one.machine)
    one.machine.run_for(seconds)
    return timeline


def test_transfers_and_interrupts_come_in_order(program: Callable[..., Program]) -> None:
    timeline = recorded(program, "spi", 0.05)

    events = [json.loads(line) for line in json_lines(timeline.events)]

    spi = [event for event in events if event["kind"] == "spi"]
    assert "".join(event["sent"] for event in spi[:3]) == "580400000000"
    assert {event["sources"] for event in events if event["kind"] == "interrupt"} == {"SPI"}
    assert [event["t"] for event in spi] == sorted(event["t"] for event in spi)


def test_erased_and_programmed_flash_is_seen(program: Callable[..., Program]) -> None:
    flash = [event.what for event in recorded(program, "flash", 0.05).events if event.kind == "flash"]
    assert {"address": 0x1D2000, "length": 0x1000} in flash
    assert {"address": 0x1D2020, "length": 32} in flash


def test_somebody_elses_reader_of_vcd_finds_the_edges(program: Callable[..., Program]) -> None:
    text = vcd_text(recorded(program, "spi", 0.05).events)

    tokens = list(tokenize(io.BytesIO(text.encode())))

    names = {token.var.reference for token in tokens if token.kind is TokenKind.VAR}
    assert {"sent", "received", "irq"} <= names
    assert "SIMULATED" in text
    assert any(token.kind is TokenKind.CHANGE_VECTOR and token.vector_change.value == 0x58 for token in tokens)


def test_a_long_run_keeps_its_beginning(program: Callable[..., Program]) -> None:
    timeline = recorded(program, "timers", 0.001)
    for number in range(MAX_EVENTS + 7):
        timeline._machine.pins.drive(1, number % 2 == 0)
    assert len(timeline.events) == MAX_EVENTS
    assert timeline.left_out == 7
