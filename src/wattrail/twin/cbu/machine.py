"""The machine: CPU, memory, flash and peripherals of one module, run in slices on a clock of ticks.

    machine = Cbu("N", flash)
    machine.uart("uart2").listen(log.extend)
    machine.run_for(2.0)

Between two slices alarms are called and interrupts taken. Nothing depends on the time of day or on the speed of this
machine: the same flash and the same calls give the same run, access by access.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeVar

from wattrail.image.code import PACKED, CodeKey
from wattrail.twin.bootrom.flash import NorFlash, ProtectedFlash
from wattrail.twin.cbu.bus import RAM_START, TCM_START, PeripheralBus
from wattrail.twin.cbu.chips import CBU_CHIPS, CbuChip, ChipWiring
from wattrail.twin.cbu.cpu import CpuFault, EmulatedCpu
from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.dma import DmaController
from wattrail.twin.cbu.flash_controller import FlashController
from wattrail.twin.cbu.gpio import PinBlock
from wattrail.twin.cbu.guest_calls import GuestCalls
from wattrail.twin.cbu.idle import IdleFinder
from wattrail.twin.cbu.interrupts import FIQ_SOURCES, IRQ_SOURCES, InterruptUnit
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND, RegisterBlock, Services
from wattrail.twin.cbu.radio import AlwaysOn
from wattrail.twin.cbu.system_control import SystemControl
from wattrail.twin.cbu.timers import Watchdog
from wattrail.twin.cbu.uart import UartBlock
from wattrail.twin.cbu.xip import CodeStores, CodeWindow

__all__ = ["SLICE", "Cbu"]

# Measured: 200 a slice run 38 million instructions a second, 2 000 run 117, 20 000 run 225. 2 000 are 77 µs of the
# device, less than a byte takes at 115200 baud.
SLICE: Final = 2_000
"""Instructions after which alarms and interrupts are checked, at most."""

_PAGE: Final = 0x1000

WATCHDOG: Final = "watchdog"
BROWN_OUT: Final = "brown-out"
FLASH_WRITE: Final = "flash write"
"""The kind of a bad access that is a store into flash."""
_MAX_RESETS: Final = 4096
"""Resets that are remembered."""

_MAX_UNDEFINED: Final = 1000
"""Undefined instructions after which the run ends: code that is not code."""

T = TypeVar("T", bound=RegisterBlock)


class Cbu:
    """One module. ``efuse`` has 32 bytes, by default the code key of the chip and zeros.

    ``start`` is where the CPU begins after a reset: 0, or the app's address in a flash without a bootloader.
    """

    def __init__(
        self,
        chip: Literal["N", "T", "M"] = "N",
        flash: NorFlash | None = None,
        *,
        efuse: bytes | None = None,
        start: int = 0,
    ) -> None:
        self.chip: CbuChip = CBU_CHIPS[chip]
        self.flash = flash or ProtectedFlash(0x1560EB)
        self.start = start
        efuse = efuse if efuse is not None else _efuse_of(self.chip.code_key)
        self.clock = TickClock()
        self.bus = PeripheralBus(self.clock)
        self.cpu = EmulatedCpu(self._bad_access)
        self.interrupts = InterruptUnit()
        self.pins = PinBlock(self.interrupts)
        self.dma = DmaController(self.bus, self.interrupts)
        self.services = Services(self.clock, self.interrupts, self.bus, self.dma)
        self.code = CodeWindow(self.flash, _key_of(efuse))
        self.code_stores = CodeStores(self.code)
        self.peripherals: dict[str, RegisterBlock] = {}
        self.bad_accesses: dict[tuple[str, int], int] = {}
        self.undefined: dict[int, int] = {}
        self.resets: list[tuple[int, str]] = []
        self.is_held = False
        self._reset_reason: str | None = None
        self._map_memory()
        self._place(efuse)
        self.bus.connect(self.cpu)
        self.cpu.undefined = self._note_undefined
        self.cpu.flash_store = self._flash_store
        self.cpu.pc = start
        self.idle = IdleFinder(self.cpu)
        self.guest = GuestCalls(self.cpu)
        self.on_interrupt: list[Callable[[str, int], None]] = []
        """Called with ``irq`` or ``fiq`` and the sources, after the CPU has taken an interrupt."""
        self.on_flash: list[Callable[[int, int], None]] = []
        """Called with physical address and length of what was erased or programmed."""
        self.on_reset: list[Callable[[], None]] = []

    def _map_memory(self) -> None:
        self.cpu.map_memory(0, self.code.size + -self.code.size % _PAGE, writable=False)
        self.cpu.map_memory(TCM_START, RAM_START - TCM_START)
        self.cpu.map_memory(RAM_START, self.chip.ram)
        self.cpu.write_memory(0, self.code.whole())

    def _place(self, efuse: bytes) -> None:
        wiring = ChipWiring(self.chip, self.services, self.flash, efuse, self._flash_changed, self._bite)
        own: tuple[tuple[str, int, RegisterBlock], ...] = (
            ("interrupts", 0x802000, self.interrupts),
            ("gpio", 0x802800, self.pins),
            ("dma", 0x809000, self.dma),
        )
        made = ((place.key, place.base, place.make(wiring)) for place in self.chip.places)
        for key, base, peripheral in (*own, *made):
            self.peripherals[key] = peripheral
            self.bus.place(base, peripheral)

    # ---- parts

    def uart(self, key: Literal["uart1", "uart2"]) -> UartBlock:
        """A UART: uart1 flashes and talks to other chips, uart2 has the log."""
        return self.part(key, UartBlock)

    def part(self, key: str, kind: type[T]) -> T:
        """A peripheral by its name in the table of chips. Raises KeyError."""
        found = self.peripherals[key]
        if not isinstance(found, kind):
            raise KeyError(f"{key} of a BK7231{self.chip.name} is not a {kind.__name__}")
        return found

    @property
    def seconds(self) -> float:
        """Device time since power-on."""
        return self.clock.now / TICKS_PER_SECOND

    @property
    def watchdog_due(self) -> int | None:
        """The tick at which the watchdog will reset the chip; None if it is off."""
        return self.part("watchdog", Watchdog).due

    # ---- running

    def run_for(self, seconds: float) -> None:
        """Let this much device time pass. Raises CpuFault."""
        self.run_until(self.clock.now + round(seconds * TICKS_PER_SECOND))

    def run_until(self, tick: int, stop: Callable[[], bool] | None = None) -> None:
        """Run up to a tick, or until ``stop`` holds between two slices. Raises CpuFault."""
        clock, interrupts, idle, guest = self.clock, self.interrupts, self.idle, self.guest
        while clock.now < tick and not (stop and stop()):
            # Alarms before interrupts: an alarm may raise the line that is looked at next.
            if clock.next_due <= clock.now:
                clock.run_due()
            if self._reset_reason is not None:
                self._reset()
            if interrupts.lines:
                self._interrupt()
            # Never beyond the next alarm, the tick of FreeRTOS among them: its handler has work of its own. OpenBeken's
            # counts a second down, and looks on every fifth whether the clock has to be corrected.
            due = clock.next_due if clock.next_due < tick else tick
            if self.is_held:
                clock.now = due
                continue
            # With one pending it is masked, and only the idle task itself can change that: it has to run on.
            if idle.is_idle and not interrupts.pending:
                if not guest.begin():
                    if clock.now < due:
                        clock.now = due
                    continue
                idle.leave()
            budget = due - clock.now
            # An alarm may have set another one for now: go on by one instruction at least, then it is called.
            budget = SLICE if budget > SLICE else max(1, budget)
            idle.run(budget)
            guest.finish()
            # A slice that ended in the idle task was cut short, by how much nobody counts: its time is part of the
            # leap.
            if not idle.reached() or interrupts.pending:
                clock.now += budget

    def _interrupt(self) -> None:
        # FIQ goes first, as on the CPU.
        if self.interrupts.fiq and self.cpu.enter_fiq():
            self._taken("fiq", FIQ_SOURCES)
        elif self.interrupts.irq and self.cpu.enter_irq():
            self._taken("irq", IRQ_SOURCES)

    def _taken(self, kind: str, sources: int) -> None:
        self.idle.leave()
        for call in self.on_interrupt:
            call(kind, self.interrupts.pending & sources)

    # ---- reset

    def reset(self, reason: str = "CEN") -> None:
        """Reset before the next slice, by default by CEN, which cuts the supply of the chip's inside."""
        self._reset_reason = reason

    def hold(self, reason: str) -> None:
        """Reset, and run no code until ``release``, while time passes. Memory is lost, as by CEN."""
        self.is_held = True
        self.reset(reason)

    def release(self) -> None:
        """Start after ``hold``."""
        self.is_held = False

    def _bite(self) -> None:
        self._reset_reason = WATCHDOG

    def _reset(self) -> None:
        reason, self._reset_reason = self._reset_reason, None
        if len(self.resets) < _MAX_RESETS:
            self.resets.append((self.clock.now, str(reason)))
        for peripheral in self.peripherals.values():
            peripheral.reset()
        # Only CEN loses memory, and the registers that say why the chip was restarted: firmware looks at those.
        if reason == WATCHDOG:
            self.part("system", SystemControl).note_watchdog()
        else:
            self._forget()
        self.idle.forget()
        self.guest.forget()
        self.code_stores.forget()
        self.cpu.reset()
        self.cpu.pc = self.start
        for call in self.on_reset:
            call()

    def _forget(self) -> None:
        """CEN was low: memory is lost, and what only a watchdog leaves alone."""
        self.cpu.write_memory(TCM_START, bytes(RAM_START - TCM_START))
        self.cpu.write_memory(RAM_START, bytes(self.chip.ram))
        self.part("system", SystemControl).words.clear()
        self.part("always_on", AlwaysOn).words.clear()
        for key in ("system", "always_on"):
            self.peripherals[key].reset()

    # ---- flash and code

    def _flash_changed(self, physical: int, length: int) -> None:
        for call in self.on_flash:
            call(physical, length)
        address, size = self.code.blocks_of(physical, length)
        if size:
            # Both, or what was translated of the old code would run on.
            self.cpu.write_memory(address, self.code.code(address, size))
            self.cpu.forget_code(address, size)

    def _flash_store(self, address: int, size: int, value: int) -> None:
        """The CPU stored into the code window: into flash if its controller lets it, else in vain."""
        # What is only tried out cannot be undone in flash.
        if self.bus.rehearsal is not None:
            return
        if not self.part("flash", FlashController).cpu_writes:
            self._bad_access(FLASH_WRITE, address)
        elif (physical := self.code_stores.store(address, size, value)) is not None:
            self._flash_changed(physical, PACKED)

    # ---- what goes wrong

    def _bad_access(self, kind: str, address: int) -> None:
        place = (kind, address & ~(_PAGE - 1))
        self.bad_accesses[place] = self.bad_accesses.get(place, 0) + 1
        if len(self.bad_accesses) > 256:
            raise CpuFault("accesses where nothing is, again and again", self.cpu.pc, address)

    def _note_undefined(self, pc: int) -> None:
        self.undefined[pc] = self.undefined.get(pc, 0) + 1
        if sum(self.undefined.values()) > _MAX_UNDEFINED:
            raise CpuFault("undefined instructions, again and again", pc)


def _efuse_of(key: CodeKey) -> bytes:
    # Bytes 0 to 15 are the key of the code cipher, four little-endian words. Seen in a log: elektroda topic 4124889.
    words = (key.c0, key.c1, key.c2, key.c3)
    return b"".join(word.to_bytes(4, "little") for word in words).ljust(32, b"\0")


def _key_of(efuse: bytes) -> CodeKey:
    return CodeKey(*(int.from_bytes(efuse[at : at + 4], "little") for at in range(0, 16, 4)))
