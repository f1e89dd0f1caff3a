"""Why firmware does not go on, as text: what its code waits for, and which bit of which register would end that.

An observer is given samples of a running machine, some hundred a second of device time, and judges half a second of
them at a time. A loop that reads one register is tried out: with each bit of it inverted, a few hundred instructions
are executed and undone. The bits with which the loop is left are those it waits for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from wattrail.twin.cbu.bus import RAM_START, TCM_START
from wattrail.twin.cbu.cpu import CpuFault
from wattrail.twin.cbu.interrupts import SOURCES
from wattrail.twin.cbu.machine import BROWN_OUT, FLASH_WRITE, WATCHDOG, Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["EmulationFinding", "RunObserver", "bits_that_end_a_wait", "fault_finding"]

SAMPLE: Final = TICKS_PER_SECOND // 100
WINDOW: Final = 50
"""Samples that are judged together: half a second."""
_MIN_READS: Final = 2_000
"""Reads of one register in a window that can be called waiting."""
_SHARE: Final = 0.9
# A loop that waits is short: code that spans more than this does something.
_LOOP_BYTES: Final = 256
_REHEARSED: Final = 400
"""Instructions for which a loop is tried out."""
_LOOP_RESETS: Final = 4
_LOOP_S: Final = 10.0
MAX_FINDINGS: Final = 40
_WEAK: Final = "what feeds it is too weak for its radio: shorter wires, a stronger regulator, or 1000 µF at its pins"


@dataclass(frozen=True, slots=True)
class EmulationFinding:
    """Something that a person should know: ``kind`` is a word for it, ``hint`` what can be done."""

    kind: str
    message: str
    hint: str = ""
    about: object = None
    """What it concerns: of several findings of a kind about one thing, the first is enough."""

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class RunObserver:
    """Collects samples; every finding comes once."""

    def __init__(self, machine: Cbu) -> None:
        self._machine = machine
        self._said: set[tuple[str, object]] = set()
        self._sent = 0
        for key in ("uart1", "uart2"):
            machine.uart(key).listen(self._note_sent)
        self._start()

    def _note_sent(self, data: bytes) -> None:
        self._sent += len(data)

    def _start(self) -> None:
        self._samples: list[tuple[int, bool, int]] = []
        self._was_idle = False
        self._sent = 0
        self._reads = dict(self._machine.bus.reads)

    def sample(self) -> list[EmulationFinding]:
        """Call it every 10 ms of device time, between two calls of ``run``; gives what is new."""
        machine = self._machine
        self._samples.append((machine.cpu.pc, machine.cpu.irq_masked, machine.interrupts.pending))
        self._was_idle |= machine.idle.is_idle
        if len(self._samples) < WINDOW:
            return []
        found = [*self._resets(), *self._strange_accesses(), *self._waits()]
        self._start()
        return self._new(found)

    def _new(self, found: list[EmulationFinding]) -> list[EmulationFinding]:
        new = []
        for finding in found:
            key = (finding.kind, finding.about or finding.message)
            if key not in self._said and len(self._said) < MAX_FINDINGS:
                self._said.add(key)
                new.append(finding)
        return new

    # ---- what can be wrong

    def _waits(self) -> list[EmulationFinding]:
        # Whoever writes a log or idles does not hang; one who waits for the watchdog has said so by not feeding it.
        if self._sent or self._was_idle or self._waits_for_watchdog():
            return []
        reads = Counter({at: n - self._reads.get(at, 0) for at, n in self._machine.bus.reads.items()})
        address, count = reads.most_common(1)[0] if reads else (0, 0)
        if count >= _MIN_READS and count >= _SHARE * reads.total():
            return [self._register_wait(address)]
        places = [pc for pc, _, _ in self._samples]
        if max(places) - min(places) > _LOOP_BYTES:
            return []
        pending = [pending for _, masked, pending in self._samples if masked and pending]
        if len(pending) == len(self._samples):
            return [self._masked_wait(pending[-1])]
        return [
            EmulationFinding(
                "loop",
                f"the code at {min(places):#x} to {max(places):#x} loops and touches no register: it waits for memory "
                "that only an interrupt, or another task, would change",
                f"enabled interrupts: {_sources(self._machine.interrupts.words[0x40])}",
                about=min(places) // _LOOP_BYTES,
            )
        ]

    def _waits_for_watchdog(self) -> bool:
        due = self._machine.watchdog_due
        return due is not None and due - self._machine.clock.now < 2 * TICKS_PER_SECOND

    def _register_wait(self, address: int) -> EmulationFinding:
        machine, name = self._machine, register_name(self._machine, address)
        value, bits = bits_that_end_a_wait(machine, address)
        wanted = " or ".join(f"bit {bit}{_field(machine, address, bit)} = {value >> bit & 1 ^ 1}" for bit in bits)
        end = f"{wanted} would end it" if wanted else "no single bit of it would end that"
        return EmulationFinding(
            "register",
            f"the code at {machine.cpu.pc:#x} waits for {name}, which reads {value:#010x}: {end}",
            "the model of that block lacks something; docs/emulator.md says how to add it",
            about=address,
        )

    def _masked_wait(self, pending: int) -> EmulationFinding:
        return EmulationFinding(
            "masked",
            f"interrupts have been masked for {WINDOW * SAMPLE / TICKS_PER_SECOND:g} s in code at "
            f"{self._machine.cpu.pc:#x}, and {_sources(pending)} wait",
            "the firmware stopped on purpose (an assertion), or waits for what only an interrupt can bring",
            about=pending,
        )

    def _resets(self) -> list[EmulationFinding]:
        last = self._machine.resets[-_LOOP_RESETS:]
        if len(last) < _LOOP_RESETS or (last[-1][0] - last[0][0]) > _LOOP_S * TICKS_PER_SECOND:
            return []
        every = (last[-1][0] - last[0][0]) / (_LOOP_RESETS - 1) / TICKS_PER_SECOND
        by_whom = "by its watchdog" if last[-1][1] == WATCHDOG else f"by {last[-1][1]}"
        return [
            EmulationFinding(
                "resets",
                f"the chip restarts every {every:.1f} s, {by_whom}",
                _WEAK if by_whom.startswith(f"by {BROWN_OUT}") else "its log says why, shortly before each restart",
                about=by_whom,
            )
        ]

    def _strange_accesses(self) -> list[EmulationFinding]:
        machine = self._machine
        strange = [
            EmulationFinding("access", f"{_WORDS[kind]} {address:#x}..{address + 0xFFF:#x}, where nothing is")
            if kind != FLASH_WRITE
            else EmulationFinding("access", f"stores into flash at {address:#x}, which its controller refuses")
            for kind, address in machine.bad_accesses
        ]
        return strange + [
            EmulationFinding("undefined", f"undefined instruction at {pc:#x}", "is the image for this chip, and whole?")
            for pc in machine.undefined
        ]


_WORDS: Final = {"read": "reads from", "write": "writes to"}


def fault_finding(machine: Cbu, fault: CpuFault) -> EmulationFinding:
    """A fault that ended the run, as text."""
    where = "" if fault.address is None else f", address {fault.address:#x}"
    return EmulationFinding(
        "fault",
        f"the CPU cannot continue: {fault.reason} (at {fault.pc:#x}{where}, called from about {machine.cpu.lr:#x})",
        "is the image for this chip, and whole? 'wattrail image inspect' says so",
    )


def register_name(machine: Cbu, address: int) -> str:
    """Block and register at an address, with the address."""
    found = machine.bus.at(address)
    if found is None or found[0].name == "unknown":
        return f"the register {address:#x}, of which nothing is known"
    peripheral, base = found
    name = next((r.name for r in peripheral.registers if r.address == address - base), f"+{address - base:#x}")
    return f"{peripheral.name}.{name} ({address:#x})"


def _field(machine: Cbu, address: int, bit: int) -> str:
    found = machine.bus.at(address)
    if found is None:
        return ""
    fields = (f for r in found[0].registers if r.address == address - found[1] for f in r.fields)
    return next((f" ({f.name})" for f in fields if f.mask >> bit & 1), "")


def _sources(mask: int) -> str:
    return ", ".join(SOURCES.get(n, f"source {n}") for n in range(32) if mask >> n & 1) or "none"


def bits_that_end_a_wait(machine: Cbu, address: int) -> tuple[int, list[int]]:
    """The value that a loop reads at an address, and the bits that, inverted alone, make it leave the loop.

    The machine is as before afterwards.
    """
    value = machine.bus.read_register(address)
    # What ends a wait makes the loop read less: half as often is a margin for loops that look twice.
    usual = _rehearse(machine, address, value)
    return value, [bit for bit in range(32) if 2 * _rehearse(machine, address, value ^ 1 << bit) < usual]


def _rehearse(machine: Cbu, address: int, value: int) -> int:
    """How often a register is read in the next instructions if it has this value."""
    cpu, bus = machine.cpu, machine.bus
    # Registers are not read while it is tried out, so peripherals need not be put back: only CPU, memory and time.
    state, reads, now = cpu.save(), bus.reads, machine.clock.now
    tcm, ram = cpu.read_memory(TCM_START, RAM_START - TCM_START), cpu.read_memory(RAM_START, machine.chip.ram)
    bus.reads, bus.rehearsal = {}, {address: value}
    try:
        cpu.run(_REHEARSED)
    except CpuFault:
        pass
    finally:
        count, bus.reads, bus.rehearsal, machine.clock.now = bus.reads.get(address, 0), reads, None, now
        cpu.write_memory(TCM_START, tcm)
        cpu.write_memory(RAM_START, ram)
        cpu.load(state)
    return count
