"""The CPU alone, with some instructions in its memory: by the engine's own functions, and by those of its binding."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("unicorn", reason="running firmware needs the extra 'emulate'")

from wattrail.twin.cbu import engine_calls
from wattrail.twin.cbu.cpu import CpuFault, CpuMode, EmulatedCpu

CODE, SIZE = 0x400000, 0x10000
ADD, BACK = 0xE2800001, 0xEAFFFFFD  # add r0, r0, #1; b to the instruction before
CALL, RETURN = 0xEB000000, 0xE1A0F00E  # bl to the instruction after the next; mov pc, lr
UNDEFINED = 0xE7F000F0

IRQ_MASKED = 0x80


@pytest.fixture(params=["the engine's functions", "the binding's functions"])
def cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> EmulatedCpu:
    if request.param == "the binding's functions":
        monkeypatch.setattr(engine_calls, "_LIBRARY", None)
    made = EmulatedCpu(lambda kind, address: None)
    made.map_memory(CODE, SIZE)
    return made


def run(cpu: EmulatedCpu, *words: int, count: int) -> None:
    cpu.write_memory(CODE, struct.pack(f"<{len(words)}I", *words))
    cpu.pc = CODE
    cpu.run(count)


def test_a_slice_has_as_many_instructions_as_were_asked_for(cpu: EmulatedCpu) -> None:
    run(cpu, ADD, BACK, count=2001)

    assert (cpu.register(0), cpu.pc) == (1001, CODE + 4)


def test_a_masked_interrupt_is_not_taken(cpu: EmulatedCpu) -> None:
    cpu.pc = CODE

    assert cpu.irq_masked
    assert not cpu.enter_irq()
    assert not cpu.enter_fiq()
    assert (cpu.pc, cpu.mode) == (CODE, CpuMode.SUPERVISOR)


def test_an_interrupt_remembers_what_it_interrupted(cpu: EmulatedCpu) -> None:
    cpu.set_register(16, CpuMode.SYSTEM | 0x20)
    cpu.pc = CODE | 1

    assert cpu.enter_irq()

    assert (cpu.pc, cpu.mode, cpu.is_thumb, cpu.irq_masked) == (0x18, CpuMode.IRQ, False, True)
    assert (cpu.lr, cpu.register(17)) == (CODE + 4, CpuMode.SYSTEM | 0x20)
    assert cpu.enter_fiq(), "a fast one goes before"
    assert (cpu.pc, cpu.mode, cpu.register(17)) == (0x1C, CpuMode.FIQ, CpuMode.IRQ | IRQ_MASKED)


def test_a_watched_place_is_met_at_each_jump_to_it(cpu: EmulatedCpu) -> None:
    met: list[int] = []
    cpu.watch(CODE, lambda: met.append(cpu.register(0)), jumps=True)

    run(cpu, ADD, BACK, count=9)

    assert met == [0, 1, 2, 3, 4]


def test_a_slice_can_end_at_a_watched_place(cpu: EmulatedCpu) -> None:
    cpu.watch(CODE, lambda: cpu.stop() if cpu.register(0) == 3 else None, jumps=True)

    run(cpu, ADD, BACK, count=100)

    assert (cpu.register(0), cpu.pc) == (3, CODE)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_watched_function_can_be_answered_in_its_place(cpu: EmulatedCpu, count: int) -> None:
    met: list[int] = []

    def answer() -> None:
        met.append(cpu.lr)
        cpu.pc = cpu.lr

    cpu.watch(CODE + 8, answer, jumps=True)
    cpu.write_memory(CODE, struct.pack("<4I", CALL, BACK, ADD, RETURN))
    cpu.pc = CODE

    while len(met) < 10:
        cpu.run(count)

    assert cpu.register(0) == 0, "the function itself was never begun"
    assert met == [CODE + 4] * len(met)


def test_a_trace_tells_what_is_jumped_to_from_what_is_walked_into(cpu: EmulatedCpu) -> None:
    cpu.write_memory(CODE, struct.pack("<3I", ADD, ADD, BACK - 1))
    cpu.set_register(16, CpuMode.SYSTEM)
    cpu.pc = CODE

    visited, walked_into = cpu.run_traced(6)

    assert [address - CODE for address, _ in visited] == [0, 4, 8, 0, 4, 8]
    assert walked_into == {CODE + 4, CODE + 8}


def test_what_a_call_from_the_engine_raises_ends_the_slice(cpu: EmulatedCpu) -> None:
    def refuse(pc: int) -> None:
        raise KeyError(pc)

    cpu.undefined = refuse

    with pytest.raises(KeyError, match=str(CODE)):
        run(cpu, UNDEFINED, BACK, count=10)


def test_after_what_was_raised_the_next_slice_runs(cpu: EmulatedCpu) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    handle = cpu.watch(CODE, interrupt, jumps=True)
    with pytest.raises(KeyboardInterrupt):
        run(cpu, ADD, BACK, count=10)
    cpu.unwatch(handle)

    run(cpu, ADD, BACK, count=3)

    assert cpu.register(0) == 2


def test_code_that_is_nowhere_is_a_fault(cpu: EmulatedCpu) -> None:
    with pytest.raises(CpuFault, match="jump to an address where there is no code"):
        run(cpu, 0xE1A0F001, count=10)  # mov pc, r1: to 0
