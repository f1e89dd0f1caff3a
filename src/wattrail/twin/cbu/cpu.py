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

    from wattrail.twin.cbu.engine_calls import CodeCall, add_code_hook, map_calls, pair_read, register_access
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


class CpuMode:
    """Modes of the CPU, as they stand in the low five bits of CPSR."""

    USER: Final = 0x10
    FIQ: Final = 0x11
    IRQ: Final = 0x12
    SUPERVISOR: Final = 0x13
    ABORT: Final = 0x17
    UNDEFINED: Final = 0x1B
    SYSTEM: Final = 0x1F


class CpuFault(Exception):
    """The CPU cannot continue: why, where it was, and the address it wanted, if any."""

    def __init__(self, reason: str, pc: int, address: int | None = None) -> None:
        super().__init__(f"{reason}, at {pc:#x}")
        self.reason = reason
        self.pc = pc
        self.address = address


THUMB: Final = 0x20
_I, _F = 0x80, 0x40
_MODE = 0x1F
_PAGE = 0x1000

_LOW: Final = tuple(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(8))
_HIGH: Final = tuple(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(8, 13))
_BANKS: Final = (CpuMode.SYSTEM, CpuMode.SUPERVISOR, CpuMode.IRQ, CpuMode.ABORT, CpuMode.UNDEFINED, CpuMode.FIQ)
_PC, _SP, _LR = arm.UC_ARM_REG_PC, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR
_CPSR, _SPSR = arm.UC_ARM_REG_CPSR, arm.UC_ARM_REG_SPSR

_UNDEFINED, _SOFTWARE, _PREFETCH_ABORT, _DATA_ABORT, _BREAKPOINT = 1, 2, 3, 4, 7
"""Numbers of exceptions as Unicorn gives them."""


class EmulatedCpu:
    """Registers, memory and slices.

    ``bad_access`` hears of accesses where nothing is: kind and address. ``flash_store`` hears of stores into memory
    that the CPU cannot write: address, bytes and value.
    """

    def __init__(self, bad_access: BadAccess) -> None:
        self._engine = Uc(uc.UC_ARCH_ARM, uc.UC_MODE_ARM)
        self._engine.ctl_set_cpu_model(arm.UC_CPU_ARM_946)
        self._read, self._write = register_access(self._engine)
        self._place = pair_read(self._engine, _PC, _CPSR)
        self._bottom = pair_read(self._engine, _SP, _CPSR)
        self._bad_access = bad_access
        self._failed: BaseException | None = None
        self._kept: list[object] = []
        self._hooks: dict[int, Callable[[], None]] = {}
        self._numbers = count(1)
        self._engine.hook_add(uc.UC_HOOK_INTR, self._exception)
        self._engine.hook_add(uc.UC_HOOK_INSN_INVALID, self._undefined)
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
            self._engine.emu_start(pc | bool(status & THUMB), 0xFFFF_FFFF, count=instructions)
        except UcError as error:
            self._raise_failed()
            raise CpuFault(_REASONS.get(error.errno, str(error)), self._read(_PC)) from error
        self._raise_failed()

    def stop(self) -> None:
        """End the slice; only from a watched address."""
        self._engine.emu_stop()

    def watch(self, address: int, call: Callable[[], None]) -> int:
        """Call before the instruction at an address is executed; the result is for ``unwatch``."""

        def reached(*_of_engine: object) -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - raised again at the end of the slice
                self._fail(error)
                self._engine.emu_stop()

        return self._hook(reached, address)

    def unwatch(self, handle: int) -> None:
        """End that."""
        self._hooks.pop(handle)()

    def run_traced(self, instructions: int) -> list[tuple[int, int]]:
        """The same as ``run``, slowly: gives the address of each instruction that interrupts may follow, and its SP."""
        visited: list[tuple[int, int]] = []

        def note(_engine: object, address: int, _size: int, _user: object) -> None:
            if not self._read(_CPSR) & _I:
                visited.append((address, self._read(_SP)))

        handle = self._hook(note, None)
        try:
            self.run(instructions)
        finally:
            self.unwatch(handle)
            self._engine.ctl_flush_tb()
        return visited

    def _hook(self, call: CodeCall, address: int | None) -> int:
        handle = next(self._numbers)
        self._hooks[handle] = add_code_hook(self._engine, call, address)
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
        return bool(self._read(_CPSR) & _I)

    @property
    def fiq_masked(self) -> bool:
        """Whether the CPU takes no FIQ now."""
        return bool(self._read(_CPSR) & _F)

    def enter_irq(self) -> None:
        """Take an interrupt, between two slices."""
        pc, status = self._place()
        self._enter(CpuMode.IRQ, 0x18, _I, pc + 4, status)

    def enter_fiq(self) -> None:
        """Take a fast interrupt, between two slices."""
        pc, status = self._place()
        self._enter(CpuMode.FIQ, 0x1C, _I | _F, pc + 4, status)

    def _enter(self, mode: int, vector: int, masks: int, link: int, status: int | None = None) -> None:
        before = self._read(_CPSR) if status is None else status
        self._write(_CPSR, before & ~(_MODE | THUMB) | mode | masks)
        self._write(_SPSR, before)
        self._write(_LR, link)
        self._write(_PC, vector)

    def _exception(self, engine: Uc, number: int, _user: object) -> None:
        pc = self._read(_PC)
        if number == _SOFTWARE:  # the PC is behind the instruction already
            self._enter(CpuMode.SUPERVISOR, 0x08, _I, pc)
        elif number == _UNDEFINED:
            self._undefined(engine, None)
        elif number == _DATA_ABORT:
            self._enter(CpuMode.ABORT, 0x10, _I, pc + 8)
        else:
            self._fail(CpuFault("prefetch abort" if number == _PREFETCH_ABORT else f"exception {number}", pc))
            engine.emu_stop()

    def _undefined(self, engine: Uc, _user: object) -> bool:
        pc = self._read(_PC)
        try:
            self.undefined(pc)
        except CpuFault as fault:
            self._fail(fault)
            return False
        self._enter(CpuMode.UNDEFINED, 0x04, _I, pc + (2 if self._read(_CPSR) & THUMB else 4))
        return True

    def _nowhere(self, engine: Uc, _access: int, address: int, _size: int, _value: int, kind: object) -> bool:
        """An access where nothing is: there is memory from now on, so that the engine goes on."""
        try:
            self._bad_access(str(kind), address)
            engine.mem_map(address & ~(_PAGE - 1), _PAGE)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the slice
            self._fail(error)
            return False
        return True

    def _protected(self, _engine: Uc, _access: int, address: int, size: int, value: int, _user: object) -> bool:
        """A store into flash, each of them: the page stays protected, and the engine drops the store and goes on."""
        try:
            self.flash_store(address, size, value & (1 << 8 * size) - 1)
        except Exception as error:  # noqa: BLE001 - raised again at the end of the slice
            self._fail(error)
        return True

    # ---- registers

    def reset(self) -> None:
        """As after power-on: supervisor mode, interrupts masked, at address 0."""
        for register in (*_LOW, *_HIGH):
            self._write(register, 0)
        self._write(_CPSR, CpuMode.SUPERVISOR | _I | _F)
        self._write(_PC, 0)

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return int(self._read(_PC))

    @pc.setter
    def pc(self, address: int) -> None:
        """Continue there; bit 0 set means Thumb code."""
        self._write(_PC, address)

    @property
    def sp(self) -> int:
        """The stack pointer of the present mode."""
        return int(self._read(_SP))

    def runs_on(self, stack: range) -> bool:
        """Whether the stack pointer lies in this stack, and interrupts are not masked."""
        sp, status = self._bottom()
        return not status & _I and sp in stack

    @property
    def lr(self) -> int:
        """The link register of the present mode."""
        return int(self._read(_LR))

    @property
    def mode(self) -> int:
        """The present mode, see ``CpuMode``."""
        return int(self._read(_CPSR)) & _MODE

    @property
    def is_thumb(self) -> bool:
        """Whether the present code is Thumb."""
        return bool(self._read(_CPSR) & THUMB)

    def register(self, number: int) -> int:
        """R0 to R15, and 16 for CPSR, 17 for SPSR."""
        return int(self._read(_NUMBERED[number]))

    def set_register(self, number: int, value: int) -> None:
        """Set one of them. A new PC keeps ARM or Thumb, which CPSR alone changes."""
        if _NUMBERED[number] == _PC and self.is_thumb:
            value |= 1
        self._write(_NUMBERED[number], value)

    def save(self) -> PeripheralState:
        """Every register of every mode."""
        status = self._read(_CPSR)
        saved: dict[str, object] = {"cpsr": status, "pc": self._read(_PC)}
        saved["low"] = [self._read(register) for register in _LOW]
        for mode in _BANKS:
            self._write(_CPSR, status & ~_MODE | mode)
            high = [self._read(register) for register in _HIGH]
            spsr = 0 if mode == CpuMode.SYSTEM else self._read(_SPSR)
            saved[f"{mode:#x}"] = [*high, self._read(_SP), self._read(_LR), spsr]
        self._write(_CPSR, status)
        return saved

    def load(self, state: PeripheralState) -> None:
        """The opposite of ``save``."""
        status = _number(state["cpsr"])
        for register, value in zip(_LOW, _numbers(state["low"]), strict=True):
            self._write(register, value)
        for mode in _BANKS:
            self._write(_CPSR, status & ~_MODE | mode)
            *high, sp, lr, spsr = _numbers(state[f"{mode:#x}"])
            for register, value in zip(_HIGH, high, strict=True):
                self._write(register, value)
            self._write(_SP, sp)
            self._write(_LR, lr)
            if mode != CpuMode.SYSTEM:
                self._write(_SPSR, spsr)
        self._write(_PC, _number(state["pc"]))
        self._write(_CPSR, status)  # last: the engine takes Thumb from bit 0 of a PC that is written


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not a number")
    return value


def _numbers(value: object) -> list[int]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of numbers")
    return [_number(each) for each in value]


_NUMBERED: Final = (*_LOW, *_HIGH, _SP, _LR, _PC, _CPSR, _SPSR)

_REASONS: Final[Mapping[int, str]] = {
    uc.UC_ERR_FETCH_UNMAPPED: "jump to an address where there is no code",
    uc.UC_ERR_FETCH_PROT: "jump to registers",
    uc.UC_ERR_READ_UNMAPPED: "read where there is nothing",
    uc.UC_ERR_WRITE_UNMAPPED: "write where there is nothing",
    uc.UC_ERR_INSN_INVALID: "undefined instruction",
    uc.UC_ERR_EXCEPTION: "exception",
}
