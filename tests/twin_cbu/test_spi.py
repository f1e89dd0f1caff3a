"""A program of our own reads the meter chip over the emulated SPI, in each way in which a driver may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.clock import ManualClock
from wattrail.twin import open_twin
from wattrail.twin.cbu.spi import SpiBlock, SpiTransfer
from wattrail.twin.twin import Twin

Load = Callable[..., Program]


def meter() -> Twin:
    return open_twin("pziot-e01", clock=ManualClock(), volts=231.5, amps=2.0, powered_for=5.0)


def with_chip(program: Load) -> tuple[Program, SpiBlock, Twin]:
    one, twin = program("spi"), meter()
    spi = one.machine.part("spi", SpiBlock)
    spi.attach(twin.spi)
    return one, spi, twin


def test_every_way_to_read_gives_what_the_chip_holds(program: Load) -> None:
    one, _, twin = with_chip(program)

    found = dict(line.rsplit(" ", 1) for line in one.run(0.05))

    voltage = twin.chip.read_word(0x04, twin.now())
    for way in ("polled", "interrupted", "by dma"):
        assert int(found[way], 16) >> 8 == pytest.approx(voltage, rel=0.001), way
    assert int(found["unrouted"], 16) == 0xFFFFFFFF, "until the pins carry it, the chip hears nothing"


def test_a_transfer_whose_interrupt_is_masked_never_returns(program: Load) -> None:
    one, spi, _ = with_chip(program)

    lines = one.run(2.0)

    assert not any(line.startswith("wanting") for line in lines)
    assert spi.read(0x08) & 1 << 13, "the transfer is over, and no interrupt says so"
    assert one.machine.interrupts.lines & 1 << 6


def test_nothing_on_the_wires_reads_as_ones(program: Load) -> None:
    found = dict(line.rsplit(" ", 1) for line in program("spi").run(0.05))

    assert int(found["polled"], 16) == 0xFFFFFFFF


def test_the_wires_can_be_watched(program: Load) -> None:
    one, spi, _ = with_chip(program)
    seen: list[SpiTransfer] = []
    spi.listen(seen.append)

    one.run(0.05)

    assert b"".join(transfer.sent for transfer in seen[:3]) == bytes.fromhex("58 04 00 00 00 00")
    assert {(transfer.hz, transfer.mode) for transfer in seen} == {(789_473, 1)}
    ticks = [transfer.tick for transfer in seen]
    assert ticks == sorted(ticks)
    assert (ticks[1] - ticks[0]) / 26e6 == pytest.approx(9 / 789_473, rel=0.01), "nine clocks a byte"


def test_a_snapshot_holds_what_is_on_its_way(program: Load) -> None:
    one, spi, _ = with_chip(program)
    spi.write(0x04, 2 << 8 | 1)
    spi.write(0x0C, 0x58)
    saved = spi.save()

    other, again, _ = with_chip(program)
    again.load(saved)

    assert again.save() == saved
    assert one.machine.chip is other.machine.chip


def test_sending_ends_after_the_length_and_the_rest_waits(program: Load) -> None:
    one, spi, _ = with_chip(program)
    seen: list[SpiTransfer] = []
    spi.listen(seen.append)
    for byte in b"too many":
        spi.write(0x0C, byte)

    spi.write(0x04, 3 << 8 | 1)
    one.machine.clock.now = spi.free_at
    one.machine.clock.run_due()

    assert [transfer.sent for transfer in seen] == [b"too"]
    assert spi.read(0x08) & 1 << 13, "finished"
    spi.write(0x04, 0)
    spi.write(0x04, 5 << 8 | 1)
    assert seen[-1].sent == b" many"
