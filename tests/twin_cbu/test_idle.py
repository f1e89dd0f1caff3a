"""Firmware that has nothing to do lets time pass at once, tick by tick, and its ticks are all there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.twin.cbu.cpu import CpuMode, EmulatedCpu
from wattrail.twin.cbu.idle import IdleFinder, once_a_round
from wattrail.twin.cbu.snapshot import load_snapshot, save_snapshot

Load = Callable[..., Program]


def counted(lines: list[str]) -> list[tuple[str, int]]:
    return [(name, int(value, 16)) for name, value in (line.split() for line in lines)]


@pytest.mark.parametrize("thumb", [False, True])
def test_an_idle_task_is_executed_for_some_rounds_a_tick(program: Load, thumb: bool) -> None:
    one = program("idle", thumb=thumb)

    found = counted(one.run(0.85))

    assert [name for name, _ in found] == ["ticks", "rounds"] * 3
    ticks, rounds = [value for _, value in found[::2]], [value for _, value in found[1::2]]
    assert ticks == [100, 200, 400], "no tick is lost"
    assert 200 <= rounds[2] - rounds[1] < 200 * 4, "a whole round after each tick, but no more than some"
    assert one.machine.idle.is_idle
    assert one.machine.seconds == pytest.approx(0.85, abs=0.001)


def test_an_idle_machine_goes_on_from_a_snapshot_alike(program: Load, tmp_path: Path) -> None:
    one = program("idle").machine
    one.run_for(0.3)
    save_snapshot(one, tmp_path / "idle")

    other = load_snapshot(tmp_path / "idle")
    for machine in (one, other):
        machine.run_for(0.3)

    assert other.cpu.read_memory(0x410000, 0x100) == one.cpu.read_memory(0x410000, 0x100)
    assert (other.clock.now, other.cpu.pc) == (one.clock.now, one.cpu.pc)


def test_the_watched_instruction_is_of_the_loop_itself() -> None:
    outside, inside = 0x8000, 0x7FF0
    function = [(0x100, inside), (0x104, inside)] * 3

    assert once_a_round([(0x200, outside), *function, (0x208, outside)] * 5) == 0x200


def test_what_is_passed_now_and_then_is_not_watched() -> None:
    seldom, usual, inner = (0x100, 8), [(0x200, 8), (0x210, 8)], (0x180, 8)
    rounds = [[*usual, *([inner] * 7), *([seldom] if n % 3 == 0 else [])] for n in range(9)]

    assert once_a_round([step for steps in rounds for step in steps]) == 0x200


def test_of_less_than_two_rounds_nothing_is_concluded() -> None:
    assert once_a_round([(4 * n, 0x8000) for n in range(500)]) is None
    assert once_a_round([]) is None


def test_what_the_loop_walks_into_is_not_watched() -> None:
    rounds = [(0x200, 8), (0x204, 8), (0x208, 8)] * 3

    assert once_a_round(rounds, walked_into={0x200, 0x204}) == 0x208
    assert once_a_round(rounds, walked_into={0x200, 0x204, 0x208}) is None


def test_a_slice_that_ends_at_the_watched_place_is_not_a_round() -> None:
    cpu = EmulatedCpu(lambda kind, address: None)
    cpu.map_memory(0x400000, 0x10000)
    cpu.write_memory(0x408000, struct.pack("<2I", 0xE2800001, 0xEAFFFFFD))  # add r0, r0, #1; b to it
    cpu.set_register(16, CpuMode.SYSTEM)
    cpu.set_register(13, 0x403000)
    cpu.pc = 0x408004
    idle = IdleFinder(cpu)
    idle.load({"is_idle": False, "stack": [0x402000, 0x403FF0], "place": 0x408000, "counts": [0, 0, 0, 0, 0]})

    found = []
    for _ in range(3):
        idle.run(1)
        found.append(idle.reached())

    assert found == [False, False, True], "from the place of the interrupt, then once round"
    assert (cpu.register(0), cpu.pc) == (1, 0x408000)
