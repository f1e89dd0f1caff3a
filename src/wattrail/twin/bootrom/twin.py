"""The whole twin: flash, responder, engine, supply and faults of one chip on one clock."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Literal

from wattrail.bootrom.constants import BAUD_AT_RESET, EFUSE_BYTES, TUYA_KEY
from wattrail.clock import Clock, SystemClock
from wattrail.errors import ConfigError
from wattrail.twin.bootrom.activity import BootPhase
from wattrail.twin.bootrom.adapter import Adapter, BootPort, HostWires, ModemLine, Wiring
from wattrail.twin.bootrom.engine import BootEngine
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.firmware import FirmwareUart, application_of, messages_of
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.flash_file import hold_image, load_image, save_image
from wattrail.twin.bootrom.rail import Power
from wattrail.twin.bootrom.responders import LoaderResponder, Registers, RomResponder, TwinResponder
from wattrail.twin.bootrom.supply import PowerSupply, supply_of
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.uart import MAX_BLOCKS, SentBlock, TransmitQueue

__all__ = ["AppName", "BootTwin", "ChipName"]

ChipName = Literal["N", "M", "T"]
AppName = Literal["stock", "openbeken", "libretiny", "beken", "tuyamcu", "bl0942"]

USUAL_FLASH: Final = {"N": 0x1560EB, "M": 0x1560EB, "T": 0x15701C}
"""A T's is one that its bootloader protects; most of those in ``PARTS`` it does not know."""
PROTECTED: Final = {"N": 0x4004, "M": 0x4004, "T": 0x007C}
"""Status words of new modules. Source: bk-boot/flash-parts; the T's is what its bootloader leaves."""


class BootTwin:
    """One simulated chip. Its application has been running for long: reset it to reach the responder.

    ``flash_id`` is capacity, kind, manufacturer, by default a usual part (0 for an id that cannot be read, then
    ``flash_bytes`` is 2 MiB);
    ``sr`` the flash's status word, by default protected as in a new module; ``efuse`` 32 bytes, the first 16 the code
    key, by default Tuya's in an N and zeros in an M. ``image`` is the whole flash, by default blank, or ``image_file``
    stores it. ``version`` None makes a T one of the bootloaders that report none. ``app``: the make of the application,
    one of ``APPLICATIONS``, by default "stock". ``supply``: one of ``SUPPLIES`` by name, or one's own. Raises
    ConfigError for an unknown name.
    """

    def __init__(
        self,
        chip: ChipName = "N",
        *,
        clock: Clock | None = None,
        image: bytes | None = None,
        image_file: Path | None = None,
        flash_id: int | None = None,
        flash_bytes: int | None = None,
        sr: int | None = None,
        efuse: bytes | None = None,
        version: str | None = "BK7231S_1.0.5",
        timing: BootTiming | None = None,
        app: AppName | None = None,
        supply: PowerSupply | str = "ideal",
        seed: int = 0,
    ) -> None:
        self.chip = chip
        self.seed = seed
        self.clock = clock or SystemClock()
        self.url = f"twin://bk7231{chip.lower()}"
        self.lock = threading.RLock()
        self._epoch = self.clock.monotonic()
        self._file = image_file
        flash_id = USUAL_FLASH[chip] if flash_id is None else flash_id
        # The third byte of an id is the power of two; 00 00 00 is an id that could not be read (bk7231tools #30).
        size = flash_bytes or (1 << (flash_id >> 16) if flash_id >> 16 in range(0x10, 0x19) else 1 << 21)
        if image is None and image_file is not None:
            image = load_image(image_file, size)
        status = PROTECTED[chip] if sr is None else sr
        self.flash = NorFlash(flash_id, image=image, size=size, sr=status, seed=seed)
        self.registers = Registers(efuse if efuse is not None else _efuse(chip))
        self.faults = BootFaults(self, seed)
        timing = timing or BootTiming()
        self._paced = timing.pace_requests
        responder: TwinResponder = (
            LoaderResponder(self.flash, timing, version)
            if chip == "T"
            else RomResponder(self.flash, self.registers, timing)
        )
        self._power = Power(supply_of(supply), seed)
        self.engine = BootEngine(
            responder,
            timing,
            self.faults,
            power=self._power,
            firmware=FirmwareUart(application_of(app)),
            messages=messages_of(chip, version),
        )
        # A module on a bench has been running for long: without a reset no flasher reaches it, as with a real one.
        self.engine.start_app()
        self._foreign = TransmitQueue(MAX_BLOCKS)

    # ---- the bench

    def power(self, on: bool = True) -> None:
        """Connect or cut the supply. Connecting it is a reset; cutting it tears the work under way."""
        with self.lock:
            self.engine.connect(on, self.now())
            if not on:
                self.flash.power_cycle()

    def reset(self) -> None:
        """Pull CEN low and let it go: the listening window opens."""
        with self.lock:
            self.engine.reset(held=False, now=self.now())

    def hold_reset(self) -> None:
        """Pull CEN low and keep it there."""
        with self.lock:
            self.engine.reset(held=True, now=self.now())

    def port(
        self,
        *,
        url: str | None = None,
        baud: int = BAUD_AT_RESET,
        reset_line: ModemLine | None = None,
        echo: bool = False,
        adapter: Adapter | str = "ideal",
        wiring: Wiring = "right",
    ) -> BootPort:
        """An adapter on the chip's UART; several may be open, all reach the same chip."""
        return BootPort(
            self,
            url=url or self.url,
            baud=baud,
            reset_line=reset_line,
            echo=echo,
            adapter=adapter,
            wiring=wiring,
        )

    @property
    def phase(self) -> BootPhase:
        """What the chip is doing now."""
        with self.lock:
            self.engine.advance(self.now())
            return self.engine.phase

    @property
    def baud(self) -> int:
        """The rate that was last set."""
        with self.lock:
            self.engine.advance(self.now())
            return self.engine.baud_asked

    @property
    def rail_volts(self) -> float:
        """The voltage at the module's 3.3 V pin now."""
        with self.lock:
            self.engine.advance(self.now())
            return self._power.volts(self.now())

    @property
    def resets(self) -> tuple[tuple[float, str], ...]:
        """Brown-outs so far, the latest 4096: seconds since the twin was made, and the activity at that time."""
        with self.lock:
            self.engine.advance(self.now())
            return tuple(self._power.resets)

    def hold_file(self) -> AbstractContextManager[None]:
        """Lock the image file for this process. Raises ConfigError if another has it, or it cannot be used."""
        return hold_image(self.flash, self._file) if self._file is not None else nullcontext()

    def save(self) -> int:
        """Write the changed sectors to the image file; returns how many. Without a file this does nothing."""
        with self.lock:
            return save_image(self.flash, self._file) if self._file is not None else 0

    # ---- for ports and servers

    def now(self) -> float:
        """Seconds since the twin was made."""
        return self.clock.monotonic() - self._epoch

    def wires(self, wiring: Wiring = "right") -> HostWires:
        """The wires between a host and the chip. Raises ConfigError."""
        queues = {"right": self.engine.transmitted, "swapped": self._foreign, "uart2": self.engine.log}
        if wiring not in queues:
            raise ConfigError(f"no wiring {wiring!r}", hint=f"known are {', '.join(queues)}")
        return HostWires(self, queues[wiring], reaches_chip=wiring == "right", paced=self._paced)

    def advance_ahead(self, seconds: float) -> None:
        """Run the chip up to a time that is about to come, for a server that must be on time."""
        with self.lock:
            self.engine.advance(self.now() + seconds)

    def receive_foreign(self, data: bytes, *, baud: int) -> None:
        """Another device sends on the chip's receiving wire."""
        with self.lock:
            now = self.now()
            self.engine.advance(now)
            self.engine.receive(data, now, baud)
            self._foreign.put(SentBlock(data, now, baud, paced=self._paced))


def _efuse(chip: ChipName) -> bytes:
    key = TUYA_KEY if chip == "N" else bytes(len(TUYA_KEY))
    return key.ljust(EFUSE_BYTES, b"\0")
