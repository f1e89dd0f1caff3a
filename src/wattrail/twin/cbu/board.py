"""A whole board: the module that executes a firmware, the meter twin on its wires, button, LED and consoles.

    from wattrail.twin import Board

    board = Board(Path("firmware.bin"), scenario="bench")
    board.wait_for("Main_Init_After_Delay done", within=10)
    board.meter.set(volts=231.0, amps=2.0)
    board.press(seconds=1.0)
    assert board.led.pattern(3).period_s == pytest.approx(0.2, rel=0.1)

Everything runs on the device's own time, which moves only in ``run`` and ``wait_for``: the same firmware and the same
calls give the same run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Self, TypeVar, Unpack

from wattrail.errors import WattrailError
from wattrail.files import read_bytes
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.bootrom.rail import MAX_RESETS, Rail
from wattrail.twin.bootrom.supply import PowerSupply, supply_of
from wattrail.twin.cbu.device_clock import NEVER
from wattrail.twin.cbu.device_log import DeviceLog
from wattrail.twin.cbu.firmware import FLASH_BYTES, ChipLetter, LoadedFirmware, load_firmware
from wattrail.twin.cbu.led import LedRecorder
from wattrail.twin.cbu.machine import BROWN_OUT, Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.spi import SpiBlock
from wattrail.twin.cbu.uart_partners import TuyaMcu, UartMeter
from wattrail.twin.cbu.user_network import POLL_S, BoardNetwork
from wattrail.twin.opening import open_twin
from wattrail.twin.options import TwinOptions
from wattrail.twin.twin import Twin

__all__ = ["BUTTON_PIN", "Board", "DeviceTime", "FirmwareSilent"]

PULSE_PIN: Final = 9
BUTTON_PIN: Final = 20
LED_PIN: Final = 22
"""Pins of the PZIOT-E01, read on the board: elektroda topic 3945667."""

POWERED_ON: Final = datetime(2026, 6, 21, 12, tzinfo=UTC)
"""The date at power-on: always the same, or two runs of the same firmware would see another sun."""
_FLASH_ID: Final = 0x1560EB  # TH25Q16HB, the most common one on an N
_INPUT_ENABLED: Final = 1 << 2
_PULSE_LOOK: Final = TICKS_PER_SECOND // 50
MAX_IMAGE: Final = 64 << 20
_PATIENCE_S: Final = 0.0005
"""How long a poll of the network waits for a program of this machine."""

Result = TypeVar("Result")


class FirmwareSilent(WattrailError):
    """What was waited for did not come; the message has the last lines of the log."""


class DeviceTime:
    """The clock of everything on the board. Nobody sleeps on it: only the machine moves it."""

    def __init__(self, machine: Cbu) -> None:
        self._machine = machine

    def monotonic(self) -> float:
        """Seconds since power-on."""
        return self._machine.seconds

    def now(self) -> datetime:
        """The date at power-on, and the seconds since."""
        return POWERED_ON + timedelta(seconds=self._machine.seconds)

    def sleep(self, seconds: float) -> None:
        """Raises RuntimeError: a chip that waits for the module would wait for ever."""
        raise RuntimeError(f"nothing on the board may sleep, {seconds} s were asked for")


class Board:
    """A PZIOT-E01 around a module: with a firmware at power-on, from a file or bytes, or a machine that runs already.

    ``module`` None takes the chip that the image is for. ``interface`` is how the meter chip is wired: as the board
    comes, by SPI, or reworked, to UART1 at 4800 baud; None takes SPI where the module has its controller (N, M).
    ``product`` puts a TuyaMCU at UART1 that answers with it.

    ``supply`` feeds the module, one of ``SUPPLIES`` of the boot ROM twin by its name: some sag until the chip resets.
    ``powered_for`` is how many seconds the meter chip has had its supply before the module. ``options`` are those of a
    meter twin. Raises FileError, ImageError for what is not an image of flash, ConfigError for an unknown supply.
    """

    def __init__(
        self,
        firmware: Path | bytes | LoadedFirmware | Cbu,
        *,
        module: ChipLetter | None = None,
        scenario: str | None = None,
        seed: int = 0,
        interface: Literal["spi", "uart"] | None = None,
        product: bytes | None = None,
        powered_for: float = 0.0,
        supply: PowerSupply | str = "ideal",
        **options: Unpack[TwinOptions],
    ) -> None:
        feeds = supply_of(supply)
        self.machine, self.notes = _machine_with(firmware, module)
        self.supply = None if feeds is None else BoardSupply(self.machine, feeds, seed)
        spi = self.machine.peripherals.get("spi")
        self.interface = interface or ("spi" if isinstance(spi, SpiBlock) else "uart")
        # A chip whose strap and wires do not match hears nothing; whoever wants to rehearse that says sel.
        options.setdefault("sel", self.interface)
        clock = DeviceTime(self.machine)
        self.meter: Twin = open_twin(
            "pziot-e01", clock=clock, scenario=scenario, seed=seed, powered_for=powered_for, **options
        )
        self.log = DeviceLog(self.machine)
        self._looked_at = 0
        self._network: BoardNetwork | None = None
        self.led = LedRecorder(self.machine.pins, self.machine.clock, LED_PIN, lights_at=True)
        self.machine.pins.drive(BUTTON_PIN, True)
        self._pulses = self.machine.clock.alarm("cf1", self._show_pulses)
        self._pulses.set(_PULSE_LOOK)
        uart1 = self.machine.uart("uart1")
        self.mcu = None if product is None else TuyaMcu(uart1, product)
        if self.interface == "uart":
            UartMeter(uart1, self.meter, self.machine.clock)
        elif isinstance(spi, SpiBlock):
            spi.attach(self.meter.spi)

    # ---- time

    def run(self, seconds: float) -> None:
        """Let this much device time pass. Raises CpuFault."""
        self.machine.run_for(seconds)

    def run_until(self, done: Callable[[], bool], *, within: float, what: str) -> None:
        """Run until something holds. Raises FirmwareSilent if it does not within so many seconds of device time."""
        self.machine.run_until(self.machine.clock.now + round(within * TICKS_PER_SECOND), stop=done)
        if not done():
            last = "\n".join(f"  {line}" for line in self.log.lines[-5:]) or "  (nothing)"
            raise FirmwareSilent(f"{what} did not come within {within:g} s of device time; the log ends with\n{last}")

    def wait_for(self, text: str, *, within: float = 30.0, new: bool = False) -> str:
        """Run until a line of the log has the text, and give it. Each wait looks behind the line of the one before.

        ``new`` looks only at what is written from now on.
        """
        first = len(self.log.lines) if new else self._looked_at
        self.run_until(lambda: self.log.find(text, first) >= 0, within=within, what=f"a line with {text!r}")
        found = self.log.find(text, first)
        self._looked_at = found + 1
        return self.log.lines[found]

    # ---- network

    def network(self) -> BoardNetwork:
        """The network around the module. Raises NoNetwork for a firmware whose functions are not recognised."""
        if self._network is None:
            self._network = BoardNetwork(self.machine)
        return self._network

    def run_while(self, work: Callable[[], Result], *, within: float = 30.0) -> Result:
        """Run while another thread does some work, such as asking the firmware's web server; gives its result.

        Raises what it raised, and FirmwareSilent if it takes longer than so many seconds of device time.
        """
        network, outcome = self.network(), Future[Result]()
        # A thread, for the machine runs on the caller's: a client that asks would wait for a server that does not run.
        threading.Thread(target=_settle, args=(outcome, work), daemon=True).start()
        end = self.machine.seconds + within
        while not outcome.done():
            if self.machine.seconds > end:
                raise FirmwareSilent(f"what was asked over the network has no answer after {within:g} s of device time")
            network.poll(_PATIENCE_S)
            self.run(POLL_S)
        return outcome.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections of the network. The board has its own context: ``with Board(...) as board``."""
        if self._network is not None:
            self._network.close()

    # ---- hands

    def press(self, seconds: float = 0.2) -> None:
        """Hold the button so long, and let go."""
        self.machine.pins.drive(BUTTON_PIN, False)
        self.run(seconds)
        self.machine.pins.drive(BUTTON_PIN, True)

    def reset(self) -> None:
        """Pull CEN low for a moment, as a person with a wire would."""
        self.machine.reset()
        self.run(0.001)

    def _show_pulses(self) -> None:
        """CF1 follows the chip while the firmware looks at its pin; otherwise nobody asks the chip."""
        if self.machine.pins.read(4 * PULSE_PIN) & _INPUT_ENABLED:
            self.machine.pins.drive(PULSE_PIN, self.meter.chip.output("cf1"))
        self._pulses.set(self.machine.clock.now + _PULSE_LOOK)


def _machine_with(
    firmware: Path | bytes | LoadedFirmware | Cbu, module: ChipLetter | None
) -> tuple[Cbu, tuple[str, ...]]:
    if isinstance(firmware, Cbu):
        return firmware, ()
    if isinstance(firmware, Path):
        firmware = read_bytes(firmware, limit=MAX_IMAGE)
    loaded = firmware if isinstance(firmware, LoadedFirmware) else load_firmware(firmware, chip=module)
    flash = ProtectedFlash(_FLASH_ID, image=loaded.flash.ljust(FLASH_BYTES, b"\xff"))
    return Cbu(loaded.chip, flash, start=loaded.start), loaded.notes


def _settle(outcome: Future[Result], work: Callable[[], Result]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 it is raised where the result is asked for
        outcome.set_exception(error)


class BoardSupply:
    """What feeds a module from now on: the rail of the boot ROM's twin, and what firmware draws as it starts.

    Each start draws what the table ``DRAWS`` says from "booting" on: the start, the radio's calibration, then a frame a
    beacon interval. Below its threshold the chip is held in reset, memory is lost, and above the other threshold it
    starts again. That is the loop which a weak regulator causes. ``brown_outs``: the second of each, and what was drawn
    then. Not modelled: what the firmware draws when it writes to its flash, and frames it sends besides.
    """

    def __init__(self, machine: Cbu, supply: PowerSupply, seed: int) -> None:
        self.brown_outs: deque[tuple[float, str]] = deque(maxlen=MAX_RESETS)
        self._machine = machine
        self._rail = Rail(supply, seed)
        self._due = machine.clock.alarm("supply", self._crossed)
        machine.on_reset.append(self._started)
        self._started()

    @property
    def volts(self) -> float:
        """At the module's 3.3 V pin, now."""
        return self._rail.volts(self._machine.seconds)

    def _started(self) -> None:
        if not self._machine.is_held:
            self._draw("booting")

    def _draw(self, activity: str) -> None:
        self._rail.draw(activity, self._machine.seconds)
        self._predict()

    def _predict(self) -> None:
        at = self._rail.crosses_at * TICKS_PER_SECOND
        if at < NEVER:
            self._due.set(max(round(at), self._machine.clock.now + 1))
        else:
            self._due.cancel()

    def _crossed(self) -> None:
        # Both before the crossing: it turns them over.
        fell, at = self._rail.is_up, self._rail.crosses_at
        activity = self._rail.cross()
        if fell:
            self.brown_outs.append((at, activity))
            self._machine.hold(f"{BROWN_OUT} while {activity}")
            self._draw("in reset")
        else:
            self._machine.release()
            self._draw("booting")
