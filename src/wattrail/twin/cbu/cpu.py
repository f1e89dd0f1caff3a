"""The CPU: an ARM946 by Unicorn, run in slices of instructions, with interrupt entry between two of them.

Unicorn's rules that shaped this, all found by trying: an access to a peripheral cannot stop the engine (the store would
be executed again); a code hook can, and stops before its instruction; hooks on memory slow every access, those on a
range of code cost nothing outside of it. The library is optional: its core is a QEMU derivative under GPL-2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Final

from wattrail.errors import MissingExtra

try:
    from unicorn import Uc, UcError
    from unicorn import arm_const as arm
    from unicorn import unicorn_const as uc

    from wattrail.twin.cbu.cpu_registers import (
        CPSR,
        HIGH,
        LOW,
        LR,
        MODE,
        NO_FIQ,
        NO_IRQ,
        NUMBERED,
        PC,
        SP,
        SPSR,
        THUMB,
        CpuMode,
        load_registers,
        save_registers,
    )
    from wattrail.twin.cbu.engine_calls import (
        CodeCall,
        add_code_hook,
        group_write,
        map_calls,
        pair_read,
        register_access,
        start_call,
    )
except ModuleNotFoundError as error:
    raise MissingExtra("running firmware", library="unicorn", extra="emulate") from error

if TYPE_CHECKING:
    from wattrail.twin.cbu.peripheral import PeripheralState

__all__ = ["THUMB", "CpuFault", "CpuMode", "EmulatedCpu"]

ReadCall = Callable[[int], int]
WriteCall = Callable[[int, int], None]
WritePart = Callable[[int, int, int], None]
BadAccess = Callable[[str, int], None]
StoreCall = Callable[[int, int, int], None]


class CpuFault(Exception):
    """The CPU cannot continue: why, where it was, and the address it wanted, if any."""

    def __init__(self, reason: str, pc: int, address: int | None = None) -> None:
        super().__init__(f"{reason}, at {pc:#x}")
        self.reason = reason
        self.pc = pc
        self.address = address


_PAGE = 0x1000

_UNDEFINED, _SOFTWARE, _PREFETCH_ABORT, _DATA_ABORT, _BREAKPOINT = 1, 2, 3, 4, 7
"""Numbers of exceptions as Unicorn gives them."""


class EmulatedCpu:
    """Registers, memory and slices.

    ``bad_access`` hears of accesses where nothing is: kind and address. ``flash_store`` hears of stores into memory
    that the CPU cannot write: address, bytes and value.
    """

    def __init__(self, bad_access: BadAccess) -> None:
        self._engine = Uc(uc.UC_ARCH_ARM, uc.UC_MODE_ARM)
        # The nearest model to the core of the chip: ARMv5TE, ARM and Thumb.
        self._engine.ctl_set_cpu_model(arm.UC_CPU_ARM_946)
        self._start = start_call(self._engine)
        self._read, self._write = register_access(self._engine)
        self._enter_at = group_write(self._engine, CPSR, SPSR, LR, PC)
        self._place = pair_read(self._engine, PC, CPSR)
        self._bottom = pair_read(self._engine, SP, CPSR)
        self.note_bad_access = bad_access
        self._failed: BaseException | None = None
        self._kept: list[object] = []
        self._hooks: dict[int, Callable[[], None]] = {}
        self._numbers = count(1)
        self._engine.hook_add(uc.UC_HOOK_INTR, self._exception)
        self._engine.hook_add(uc.UC_HOOK_INSN_INVALID, self._undefined)
        # Only where nothing is, or may be written: a hook on memory that is there slows every access, from 127 to 27
        # million loads a second, whatever its range (measured).
        self._engine.hook_add(uc.UC_HOOK_MEM_READ_UNMAPPED, self._nowhere, "read")
        self._engine.hook_add(uc.UC_HOOK_MEM_WRITE_UNMAPPED, self._nowhere, "write")
        self._engine.hook_add(uc.UC_HOOK_MEM_WRITE_PROT, self._protected)
        self.undefined: Callable[[int], None] = lambda pc: None
        self.flash_store: StoreCall = lambda address, size, value: None
        self.reset()

    # ---- memory

    def map_memory(self, address: int, size: int, *, writable: bool = True) -> None:
        """Memory of whole pages, all zero."""
        rights = uc.UC_PROT_READ | uc.UC_PROT_EXEC | (uc.UC_PROT_WRITE if writable else 0)
        self._engine.mem_map(address, size, rights)

    def map_registers(self, address: int, size: int, read: ReadCall, write: WriteCall, write_part: WritePart) -> None:
        """Peripherals: called with the address of a whole word; a store of a part of it says which bits it has.

        What they raise ends the slice, and is raised there.
        """

        def load(_engine: object, offset: int, size: int, _user: object) -> int:
            try:
                if size == 4:
                    return read(address + offset)
                return read(address + (offset & ~3)) >> 8 * (offset & 3) & ((1 << 8 * size) - 1)
            except BaseException as error:  # noqa: BLE001 - raised again at the end of the slice
                self._fail(error)
                return 0

        def store(_engine: object, offset: int, size: int, value: int, _user: object) -> None:
            try:
                if size == 4:
                    write(address + offset, value)
                else:
                    shift = 8 * (offset & 3)
                    write_part(address + (offset & ~3), value << shift, (1 << 8 * size) - 1 << shift)
            except BaseException as error:  # noqa: BLE001 - raised again at the end of the slice
                self._fail(error)

        # Measured: 1.15 million accesses a second this way, 0.42 by a hook that writes its answer into memory.
        self._kept.append(map_calls(self._engine, address, size, load, store))

    def read_memory(self, address: int, length: int) -> bytes:
        """Bytes. Raises ValueError where no memory is."""
        try:
            return bytes(self._engine.mem_read(address, length))
        except UcError as error:
            raise ValueError(f"no memory at {address:#x}, {length} bytes") from error

    def write_memory(self, address: int, data: bytes) -> None:
        """Write, also where the CPU cannot. Raises ValueError where no memory is."""
        try:
            self._engine.mem_write(address, data)
        except UcError as error:
            raise ValueError(f"no memory at {address:#x}, {len(data)} bytes") from error

    def forget_code(self, address: int, size: int) -> None:
        """Code there has changed: translate it again."""
        self._engine.ctl_remove_cache(address, address + size)

    # ---- running

    def run(self, instructions: int) -> None:
        """Execute so many instructions, or fewer if a watched address is reached.

        Raises CpuFault, and what a peripheral raised.
        """
        pc, status = self._place()
        try:
            # The engine takes Thumb from bit 0 of where it starts, whatever CPSR says.
            self._start(pc | bool(status & THUMB), instructions)
        except UcError as error:
            self._raise_failed()
            raise CpuFault(_REASONS.get(error.errno, str(error)), self._read(PC)) from error
        self._raise_failed()

    def stop(self) -> None:
        """End the slice; only from a watched address."""
        self._engine.emu_stop()

    def watch(self, address: int, call: Callable[[], None], *, jumps: bool = False) -> int:
        """Call before the instruction at an address is executed; the result is for ``unwatch``.

        ``jumps`` costs all other code nothing. It calls where the code jumps there, but again if a slice ends there.
        """

        def reached(*_of_engine: object) -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - raised again at the end of the slice
                self._fail(error)
                self._engine.emu_stop()

        return self._hook(reached, address, whole_blocks=jumps)

    def unwatch(self, handle: int) -> None:
        """End that."""
        self._hooks.pop(handle)()

    def run_traced(self, instructions: int) -> tuple[list[tuple[int, int]], set[int]]:
        """The same as ``run``, slowly: the address of each instruction that interrupts may follow, and its SP.

        And the addresses that were not always jumped to, but walked into.
        """
        visited: list[tuple[int, int]] = []
        walked_into: set[int] = set()
        behind = 0

        def note(_engine: object, address: int, size: int, _user: object) -> None:
            nonlocal behind
            if address == behind:
                walked_into.add(address)
            behind = address + size
            if not self._read(CPSR) & NO_IRQ:
                visited.append((address, self._read(SP)))

        handle = self._hook(note, None)
        try:
            self.run(instructions)
        finally:
            self.unwatch(handle)
            self._engine.ctl_flush_tb()
        return visited, walked_into

    def _hook(self, call: CodeCall, address: int | None, *, whole_blocks: bool = False) -> int:
        handle = next(self._numbers)
        self._hooks[handle] = add_code_hook(self._engine, call, address, whole_blocks=whole_blocks)
        self._engine.ctl_flush_tb()  # code that is translated already would not call it
        return handle

    def _fail(self, error: BaseException) -> None:
        self._failed = self._failed or error

    def _raise_failed(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    # ---- exceptions

    @property
    def irq_masked(self) -> bool:
        """Whether the CPU takes no IRQ now."""
        return bool(self._read(CPSR) & NO_IRQ)

    def enter_irq(self) -> bool:
        """Take an interrupt, between two slices, if it is not masked; whether it was taken."""
        pc, status = self._place()
        if status & NO_IRQ:
            return False
        # Handlers return by SUBS PC, LR, #4: to the next instruction, in ARM and in Thumb.
        self._enter(CpuMode.IRQ, 0x18, NO_IRQ, pc + 4, status)
        return True

    def enter_fiq(self) -> bool:
        """The same, a fast interrupt."""
        pc, status = self._place()
        if status & NO_FIQ:
            return False
        self._enter(CpuMode.FIQ, 0x1C, NO_IRQ | NO_FIQ, pc + 4, status)
        return True

    def _enter(self, mode: int, vector: int, masks: int, link: int, status: int | None = None) -> None:
        """The mode comes first: it has an SPSR and an LR of its own."""
        before = self._read(CPSR) if status is None else status
        self._enter_at(before & ~(MODE | THUMB) | mode | masks, before, link, vector)

    def _exception(self, engine: Uc, number: int, _user: object) -> None:
        pc = self._read(PC)
        if number == _SOFTWARE:  # the PC is behind the instruction already
            self._enter(CpuMode.SUPERVISOR, 0x08, NO_IRQ, pc)
        elif number == _UNDEFINED:
            self._undefined(engine, None)
        elif number == _DATA_ABORT:
            # Its handler returns by SUBS PC, LR, #8, to the very access.
            self._enter(CpuMode.ABORT, 0x10, NO_IRQ, pc + 8)
        else:
            self._fail(CpuFault("prefetch abort" if number == _PREFETCH_ABORT else f"exception {number}", pc))
            engine.emu_stop()

    def _undefined(self, engine: Uc, _user: object) -> bool:
        pc = self._read(PC)
        try:
            self.undefined(pc)
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the slice
            self._fail(error)
            return False
        self._enter(CpuMode.UNDEFINED, 0x04, NO_IRQ, pc + (2 if self._read(CPSR) & THUMB else 4))
        return True

    def _nowhere(self, engine: Uc, _access: int, address: int, _size: int, _value: int, kind: object) -> bool:
        """An access where nothing is: there is memory from now on, so that the engine goes on."""
        try:
            self.note_bad_access(str(kind), address)
            engine.mem_map(address & ~(_PAGE - 1), _PAGE)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the slice
            self._fail(error)
            return False
        return True

    def _protected(self, _engine: Uc, _access: int, address: int, size: int, value: int, _user: object) -> bool:
        """A store into flash, each of them: the page stays protected, and the engine drops the store and goes on."""
        try:
            # One by one: pages that were opened for a slice and compared afterwards split blocks at its end, and an
            # update that a genuine bootloader installed had a quarter of its blocks wrong.
            self.flash_store(address, size, value & (1 << 8 * size) - 1)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the slice
            self._fail(error)
        return True

    # ---- registers

    def reset(self) -> None:
        """As after power-on: supervisor mode, interrupts masked, at address 0."""
        for register in (*LOW, *HIGH):
            self._write(register, 0)
        self._write(CPSR, CpuMode.SUPERVISOR | NO_IRQ | NO_FIQ)
        self._write(PC, 0)

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return int(self._read(PC))

    @pc.setter
    def pc(self, address: int) -> None:
        """Continue there; bit 0 set means Thumb code."""
        self._write(PC, address)

    @property
    def sp(self) -> int:
        """The stack pointer of the present mode."""
        return int(self._read(SP))

    def runs_on(self, stack: range) -> bool:
        """Whether the stack pointer lies in this stack, and interrupts are not masked."""
        sp, status = self._bottom()
        return not status & NO_IRQ and sp in stack

    @property
    def lr(self) -> int:
        """The link register of the present mode."""
        return int(self._read(LR))

    @property
    def mode(self) -> int:
        """The present mode, see ``CpuMode``."""
        return int(self._read(CPSR)) & MODE

    @property
    def is_thumb(self) -> bool:
        """Whether the present code is Thumb."""
        return bool(self._read(CPSR) & THUMB)

    def register(self, number: int) -> int:
        """R0 to R15, and 16 for CPSR, 17 for SPSR."""
        return int(self._read(NUMBERED[number]))

    def set_register(self, number: int, value: int) -> None:
        """Set one of them. A new PC keeps ARM or Thumb, which CPSR alone changes."""
        if NUMBERED[number] == PC and self.is_thumb:
            value |= 1
        self._write(NUMBERED[number], value)

    def save(self) -> PeripheralState:
        """Every register of every mode."""
        return save_registers(self._read, self._write)

    def load(self, state: PeripheralState) -> None:
        """The opposite of ``save``."""
        load_registers(self._write, state)


_REASONS: Final[Mapping[int, str]] = {
    uc.UC_ERR_FETCH_UNMAPPED: "jump to an address where there is no code",
    uc.UC_ERR_FETCH_PROT: "jump to registers",
    uc.UC_ERR_READ_UNMAPPED: "read where there is nothing",
    uc.UC_ERR_WRITE_UNMAPPED: "write where there is nothing",
    uc.UC_ERR_INSN_INVALID: "undefined instruction",
    uc.UC_ERR_EXCEPTION: "exception",
}
