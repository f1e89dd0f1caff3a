"""RF and MAC: no radio is modelled. The registers keep what is written, except those that firmware waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from wattrail.twin.cbu.peripheral import FactOrigin, MappedRegister, RegisterBlock, mapped

__all__ = ["AlwaysOn", "MacBlock", "Memorandum", "ModemBlock", "RadioBlock", "SecurityBlock", "XvrBlock"]

_SEEN: Final = FactOrigin.SEEN
_BUSY: Final = 1 << 31


class RadioBlock(RegisterBlock):
    """``fixed`` registers read one value; ``clearing`` ones lose bit 31 at the first read after it was set."""

    name = "radio"
    size = 0x10000
    kept = ("busy",)
    fixed: ClassVar[Mapping[int, int]] = {}
    clearing: ClassVar[tuple[int, ...]] = ()

    def __init__(self) -> None:
        self.busy: list[int] = []
        super().__init__()

    def read(self, offset: int) -> int:
        """What was written, or what is waited for."""
        if offset in self.fixed:
            return self.fixed[offset]
        # BekenEmulator calls that harmful to three images. Seen here: none stops by it, and four stop without it.
        if offset in self.busy:
            self.busy.remove(offset)
            self.words[offset] &= ~_BUSY
        return self.words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Keep it."""
        self.words[offset] = value
        if offset in self.clearing and value & _BUSY and offset not in self.busy:
            self.busy.append(offset)

    def reset(self) -> None:
        """Forget it."""
        super().reset()
        self.busy = []


class XvrBlock(RadioBlock):
    """The radio's own registers, 0x900000: RF and BLE start an operation by bit 31, and wait until it is gone."""

    name = "xvr"
    size = 0x20000
    registers = (
        mapped(0x000, "ble", "bit 31 starts an operation, and clears itself", _SEEN),
        mapped(0x0F8, "rf_calibration", "the same", _SEEN),
        mapped(0x100, "rf_transfer", "reads 0: no transfer goes on", _SEEN),
        mapped(0x800, "ble_init", "bit 31 starts, and clears itself (TuyaOS 3.11)", _SEEN),
    )
    fixed: ClassVar[Mapping[int, int]] = {0x100: 0}
    clearing = (0x000, 0x0F8, 0x800)


class SecurityBlock(RadioBlock):
    """An engine for ciphers and hashes, 0x810000, that has always finished."""

    name = "security"
    registers = (
        mapped(0x00, "status", "reads 0: not busy", _SEEN),
        mapped(0x1C, "trigger", "reads 0: done", _SEEN),
        # Seen with a T of SDK 1.0 (Woox): it spins behind its read of the key.
        mapped(0x20, "result", "reads 0x200: an old firmware repeats until it is more than 0x1D3", _SEEN),
    )
    fixed: ClassVar[Mapping[int, int]] = {0x00: 0, 0x1C: 0, 0x20: 0x200}


class ModemBlock(RadioBlock):
    """MAC and modem, 0x1000000."""

    name = "modem"
    size = 0x100000


# Seen: with this, and 0x900100 reading 0, the calibration of OpenBeken ends. Stock images need the others as well.
class MacBlock(RadioBlock):
    """The MAC, 0xC0000000."""

    name = "mac"
    size = 0x100000
    registers = (mapped(0x8050, "state", "reads 0", _SEEN),)
    fixed: ClassVar[Mapping[int, int]] = {0x8050: 0}


class AlwaysOn(RegisterBlock):
    """Registers that a reset does not touch, 0x80A000: why the last one happened."""

    name = "always_on"
    size = 0x1000
    registers: ClassVar[tuple[MappedRegister, ...]] = (
        mapped(0x80, "restart_reason", "written before a restart on purpose", FactOrigin.DOCUMENTED),
    )

    def reset(self) -> None:
        """Everything stays."""


class Memorandum(RegisterBlock):
    """Addresses of which nothing is known: they keep what is written, and read 0 before."""

    name = "unknown"
    size = 0x10000
