"""Firmware that hangs, crashes or restarts for ever is diagnosed: what it waits for, and what would end that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.twin.cbu.cpu import CpuFault
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.snapshot import snapshot_bytes
from wattrail.twin.cbu.stalls import RunObserver, bits_that_end_a_wait, fault_finding

Load = Callable[..., Program]


def findings(program: Program, trouble: int, seconds: float = 0.55) -> list[str]:
    program.machine.cpu.write_memory(0x420000, bytes((trouble, 0, 0, 0)))
    observer = RunObserver(program.machine)
    found: list[str] = []
    for _ in range(round(seconds * 100)):
        program.machine.run_for(0.01)
        found += map(str, observer.sample())
    return found


def test_a_wait_names_the_register_and_the_bit_that_ends_it(program: Load) -> None:
    one = program("trouble")

    (text,) = findings(one, 1)

    assert "waits for the register 0x802480, of which nothing is known, which reads 0x00000000" in text
    assert "bit 11 = 1 would end it" in text


def test_trying_out_a_wait_changes_nothing(program: Load) -> None:
    one = program("trouble")
    findings(one, 1, seconds=0.05)
    before = snapshot_bytes(one.machine)

    assert bits_that_end_a_wait(one.machine, 0x802480) == (0, [11])

    assert snapshot_bytes(one.machine) == before


def test_masked_interrupts_are_named_by_those_who_wait(program: Load) -> None:
    (text,) = findings(program("trouble"), 2)

    assert "interrupts have been masked for 0.5 s" in text
    assert "and timers wait" in text


def test_a_write_to_nowhere_is_reported_and_the_program_goes_on(program: Load) -> None:
    one = program("trouble")

    found = findings(one, 3)

    assert found[0] == "writes to 0x60000000..0x60000fff, where nothing is"
    assert one.heard == b"went on\n"


def test_a_jump_to_nowhere_ends_the_run_with_its_place(program: Load) -> None:
    one = program("trouble")

    with pytest.raises(CpuFault) as caught:
        findings(one, 4)

    text = str(fault_finding(one.machine, caught.value))
    assert "jump to an address where there is no code (at 0x70000000" in text
    assert "wattrail image inspect" in text


def test_a_chip_that_restarts_for_ever_is_said_to(program: Load) -> None:
    one = program("trouble")

    found = findings(one, 5)

    assert any("the chip restarts every 0.0 s, by its watchdog" in text for text in found)
    assert one.machine.resets[1][0] - one.machine.resets[0][0] == pytest.approx(0.005 * TICKS_PER_SECOND, rel=0.1)


def test_undefined_instructions_again_and_again_end_the_run(program: Load) -> None:
    one = program("trouble")

    with pytest.raises(CpuFault, match="undefined instructions, again and again") as caught:
        findings(one, 6)

    assert str(fault_finding(one.machine, caught.value)).startswith("the CPU cannot continue: undefined instructions")
    assert sum(one.machine.undefined.values()) == 1001


def test_a_program_without_trouble_gives_no_finding(program: Load) -> None:
    one = program("timers")

    assert findings(one, 0, seconds=0.19) == []
