"""A BK7231 on a bench: flash, responder, engine and faults on one clock."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Literal

from wattrail.bootrom.constants import BAUD_AT_RESET, EFUSE_BYTES, TUYA_KEY
from wattrail.clock import Clock, SystemClock
from wattrail.errors import ConfigError
from wattrail.twin.bootrom.adapters import Adapter, ModemLine
from wattrail.twin.bootrom.deeds import Responding
from wattrail.twin.bootrom.engine import UNHEARD, BootEngine
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.image_file import hold_image, load_image, save_image
from wattrail.twin.bootrom.loader import Bootloader
from wattrail.twin.bootrom.outbox import Outbox
from wattrail.twin.bootrom.phase import Phase
from wattrail.twin.bootrom.port import BootPort
from wattrail.twin.bootrom.power import Power
from wattrail.twin.bootrom.registers import Registers
from wattrail.twin.bootrom.rom import BootRom
from wattrail.twin.bootrom.stray import Line, StrayWires, Wiring
from wattrail.twin.bootrom.supply import Supply, supply_of
from wattrail.twin.bootrom.talk import Voice, application_of, messages_of
from wattrail.twin.bootrom.timing import BootTiming
from wattrail.twin.bootrom.wire import Burst

__all__ = ["AppName", "BootTwin", "ChipName"]

ChipName = Literal["N", "M", "T"]
AppName = Literal["stock", "openbeken", "libretiny", "beken", "tuyamcu", "bl0942"]

USUAL_FLASH: Final = 0x1560EB
PROTECTED: Final = {"N": 0x4004, "M": 0x4004, "T": 0x007C}
"""Status words of modules as they are sold. Source: bk-boot/flash-parts; the T's is what its bootloader leaves."""


class BootTwin:
    """One chip that exists only here. It has long been running its application: reset it to reach it.

    ``flash_id`` is capacity, kind, manufacturer (0 for an id that cannot be read, then ``flash_bytes`` is 2 MiB);
    ``sr`` the flash's status word, protected as sold if left out; ``efuse`` 32 bytes, the first 16 the code key, by
    default Tuya's in an N and zeros in an M. ``image`` is the whole flash, blank if left out, or ``image_file`` keeps
    it. ``version`` None makes a T one of the bootloaders that have none to tell. ``app``: the make of the application,
    of ``APPLICATIONS``, silent and deaf if left out. ``supply``: one of ``SUPPLIES`` by name, or one's own. Raises
    ConfigError for an unknown name.
    """

    def __init__(
        self,
        chip: ChipName = "N",
        *,
        clock: Clock | None = None,
        image: bytes | None = None,
        image_file: Path | None = None,
        flash_id: int = USUAL_FLASH,
        flash_bytes: int | None = None,
        sr: int | None = None,
        efuse: bytes | None = None,
        version: str | None = "BK7231S_1.0.5",
        timing: BootTiming | None = None,
        app: AppName | None = None,
        supply: Supply | str = "ideal",
        seed: int = 0,
    ) -> None:
        self.chip = chip
        self.seed = seed
        self.clock = clock or SystemClock()
        self.url = f"twin://bk7231{chip.lower()}"
        self.lock = threading.RLock()
        self._epoch = self.clock.monotonic()
        self._file = image_file
        size = flash_bytes or (1 << (flash_id >> 16) if flash_id >> 16 in range(0x10, 0x19) else 1 << 21)
        if image is None and image_file is not None:
            image = load_image(image_file, size)
        status = PROTECTED[chip] if sr is None else sr
        self.flash = NorFlash(flash_id, image=image, size=size, sr=status, seed=seed)
        self.registers = Registers(efuse if efuse is not None else _efuse(chip))
        self.faults = BootFaults(self, seed)
        timing = timing or BootTiming()
        self._paced = timing.pace_requests
        responder: Responding = (
            Bootloader(self.flash, timing, version) if chip == "T" else BootRom(self.flash, self.registers, timing)
        )
        self._power = Power(supply_of(supply), seed)
        self.engine = BootEngine(
            responder,
            timing,
            self.faults,
            power=self._power,
            voice=Voice(application_of(app)),
            messages=messages_of(chip, version),
        )
        self.engine.start_app()
        self._others = Outbox(UNHEARD)

    # ---- the bench

    def power(self, on: bool = True) -> None:
        """Connect or cut the supply. Connecting it is a reset; cutting it leaves torn work torn."""
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

    def release_reset(self) -> None:
        """Let CEN go."""
        self.reset()

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
        """An adapter on the chip's UART; several may be opened, all reach the same chip."""
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
    def phase(self) -> Phase:
        """What the chip is doing now."""
        with self.lock:
            self.engine.advance(self.now())
            return self.engine.phase

    @property
    def baud(self) -> int:
        """The rate the chip was last told to use."""
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
        """Brown-outs so far, the latest 4096: seconds since the twin was made, and what the chip was at."""
        with self.lock:
            self.engine.advance(self.now())
            return tuple(self._power.resets)

    def hold_file(self) -> AbstractContextManager[None]:
        """Keep the image file for this process. Raises ConfigError if another has it, or it cannot be used."""
        return hold_image(self.flash, self._file) if self._file is not None else nullcontext()

    def save(self) -> int:
        """Write the changed sectors to the image file; returns how many. Without a file there is nothing to do."""
        with self.lock:
            return save_image(self.flash, self._file) if self._file is not None else 0

    # ---- for ports and servers

    def now(self) -> float:
        """Seconds since the twin was made."""
        return self.clock.monotonic() - self._epoch

    def line(self, wiring: Wiring) -> Line:
        """What the host is wired to. Raises ConfigError."""
        if wiring == "right":
            return self
        heard = {"swapped": self._others, "uart2": self.engine.log}.get(wiring)
        if heard is None:
            raise ConfigError(f"no wiring {wiring!r}", hint="known are right, swapped, uart2")
        return StrayWires(self, heard, paced=self._paced)

    def wait_s(self) -> float:
        """How long nothing can arrive at the host, as things stand."""
        with self.lock:
            return max(0.0, self.engine.next_at(self.now(), self.engine.outbox) - self.now())

    def look_ahead(self, seconds: float) -> None:
        """Live up to a moment that is about to come, for a server that must be on time. No time for surprises."""
        with self.lock:
            self.engine.advance(self.now() + seconds)

    def send(self, data: bytes, baud: int, *, echo: bool = False) -> None:
        """The host sends."""
        with self.lock:
            now = self.now()
            self.engine.advance(now)
            if echo and data:
                self.engine.outbox.put(Burst(data, now, baud, paced=self._paced))
            self.engine.receive(self.faults.request(data), now, baud)

    def hear(self, data: bytes, *, baud: int) -> None:
        """Somebody else sends on the chip's receiving wire."""
        with self.lock:
            now = self.now()
            self.engine.advance(now)
            self.engine.receive(data, now, baud)
            self._others.put(Burst(data, now, baud, paced=self._paced))

    def collect(self, baud: int) -> bytes:
        """What has arrived at a host that listens at this rate."""
        with self.lock:
            now = self.now()
            self.engine.advance(now)
            return self.engine.outbox.collect(now, baud)


def _efuse(chip: ChipName) -> bytes:
    key = TUYA_KEY if chip == "N" else bytes(len(TUYA_KEY))
    return key.ljust(EFUSE_BYTES, b"\0")
