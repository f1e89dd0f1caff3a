"""The registers of the CPU: their numbers in Unicorn, the bits of CPSR, and all of them saved and loaded.

Import it through ``cpu``, which says what is missing where Unicorn is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from unicorn import arm_const as arm

if TYPE_CHECKING:
    from wattrail.twin.cbu.peripheral import PeripheralState

__all__ = [
    "CPSR",
    "HIGH",
    "LOW",
    "LR",
    "MODE",
    "NO_FIQ",
    "NO_IRQ",
    "NUMBERED",
    "PC",
    "SP",
    "SPSR",
    "THUMB",
    "CpuMode",
    "load_registers",
    "save_registers",
]


class CpuMode:
    """Modes of the CPU, as they stand in the low five bits of CPSR."""

    USER: Final = 0x10
    FIQ: Final = 0x11
    IRQ: Final = 0x12
    SUPERVISOR: Final = 0x13
    ABORT: Final = 0x17
    UNDEFINED: Final = 0x1B
    SYSTEM: Final = 0x1F


MODE: Final = 0x1F
THUMB: Final = 0x20
NO_FIQ: Final = 0x40
NO_IRQ: Final = 0x80

LOW: Final = tuple(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(8))
HIGH: Final = tuple(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(8, 13))
PC, SP, LR = arm.UC_ARM_REG_PC, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR
CPSR, SPSR = arm.UC_ARM_REG_CPSR, arm.UC_ARM_REG_SPSR
NUMBERED: Final = (*LOW, *HIGH, SP, LR, PC, CPSR, SPSR)
"""R0 to R15, CPSR and SPSR."""

_BANKS: Final = (CpuMode.SYSTEM, CpuMode.SUPERVISOR, CpuMode.IRQ, CpuMode.ABORT, CpuMode.UNDEFINED, CpuMode.FIQ)

Read = Callable[[int], int]
Write = Callable[[int, int], object]


def save_registers(read: Read, write: Write) -> PeripheralState:
    """Every register of every mode."""
    status = read(CPSR)
    saved: dict[str, object] = {"cpsr": status, "pc": read(PC)}
    saved["low"] = [read(register) for register in LOW]
    for mode in _BANKS:
        write(CPSR, status & ~MODE | mode)
        high = [read(register) for register in HIGH]
        spsr = 0 if mode == CpuMode.SYSTEM else read(SPSR)
        saved[f"{mode:#x}"] = [*high, read(SP), read(LR), spsr]
    write(CPSR, status)
    return saved


def load_registers(write: Write, state: PeripheralState) -> None:
    """The opposite."""
    status = state["cpsr"]
    for register, value in zip(LOW, state["low"], strict=True):
        write(register, value)
    for mode in _BANKS:
        write(CPSR, status & ~MODE | mode)
        *high, sp, lr, spsr = state[f"{mode:#x}"]
        for register, value in zip(HIGH, high, strict=True):
            write(register, value)
        write(SP, sp)
        write(LR, lr)
        if mode != CpuMode.SYSTEM:
            write(SPSR, spsr)
    write(PC, state["pc"])
    write(CPSR, status)  # last: the engine takes Thumb from bit 0 of a PC that is written
