"""A module that runs firmware, in real time: its UART1 is a serial device of this machine, its log comes as lines."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from wattrail.errors import ConfigError
from wattrail.twin.bootrom.flash_file import hold_image, save_image
from wattrail.twin.cbu.cpu import CpuFault
from wattrail.twin.cbu.device_log import LogLines
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND
from wattrail.twin.cbu.stalls import SAMPLE, EmulationFinding, RunObserver, fault_finding
from wattrail.twin.terminal import Terminal, open_terminal, running

__all__ = ["ModuleListener", "ServedModule", "serve_module"]

# A tick of FreeRTOS: what a host sends is taken that often, and 2 ms are 23 bytes at 115200 baud.
CHUNK: Final = TICKS_PER_SECOND // 500
"""Device time that is run at once: 2 ms."""
MAX_WAITING: Final = 4096
"""Bytes of a host that are on the wire: a pseudo-terminal takes them faster than any rate, and without an end."""
SAVE_S: Final = 2.0
"""The flash is written to its file this often if it changed."""
_BEHIND_S: Final = 0.5
"""A module that fell so far behind does not hurry to catch up."""
UART1_BAUD: Final = 115_200


class ModuleListener(Protocol):
    """Hears of the run, on the thread of the module."""

    def line(self, seconds: float, text: str) -> None:
        """A line of the log, and the device time at which it began."""
        ...

    def finding(self, finding: EmulationFinding) -> None:
        """Something is wrong."""
        ...


class ServedModule:
    """``path`` is the device of UART1. ``ended`` is set when the CPU cannot continue."""

    def __init__(self, machine: Cbu, terminal: Terminal, listener: ModuleListener, file: Path | None) -> None:
        self.machine = machine
        self.path = terminal.path
        self.ended = threading.Event()
        self._terminal = terminal
        self._listener = listener
        self._file = file
        self._observer = RunObserver(machine)
        self._log = LogLines(lambda: machine.seconds, listener.line)
        machine.uart("uart2").listen(self._log.receive)
        machine.uart("uart1").listen(terminal.write)
        self._saved = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set or the CPU cannot continue."""
        began = time.monotonic() - self.machine.seconds
        sampled = self.machine.clock.now
        try:
            while not stop.is_set():
                self.machine.run_until(self.machine.clock.now + CHUNK)
                if self.machine.clock.now - sampled >= SAMPLE:
                    sampled = self.machine.clock.now
                    self._report(self._observer.sample())
                    self._save_if_due()
                ahead = began + self.machine.seconds - time.monotonic()
                if ahead < -_BEHIND_S:
                    # Else it would run too fast afterwards, and a host on the UART see a device in a hurry.
                    began -= ahead
                self._receive(max(0.0, ahead))
        except CpuFault as fault:
            self._report([fault_finding(self.machine, fault)])
        except BrokenPipeError:
            pass  # nobody reads what is said any more, as behind "head": the end
        finally:
            with suppress(BrokenPipeError):
                self._log.finish()
            self.ended.set()

    def _report(self, findings: list[EmulationFinding]) -> None:
        for finding in findings:
            self._listener.finding(finding)

    def _receive(self, wait_s: float) -> None:
        uart = self.machine.uart("uart1")
        if uart.waiting >= MAX_WAITING:  # what a host has written beyond that waits in the kernel, and the host with it
            time.sleep(wait_s)
        elif select.select([self._terminal], [], [], wait_s)[0]:
            uart.receive(self._terminal.read())

    def _save_if_due(self) -> None:
        if self._file is None or not self.machine.flash.dirty or time.monotonic() - self._saved < SAVE_S:
            return
        self._saved = time.monotonic()
        try:
            save_image(self.machine.flash, self._file)
        except ConfigError as error:  # the run goes on; the save at the end reports it to the caller
            self._report([EmulationFinding("file", str(error), error.hint or "", about="file")])


@contextmanager
def serve_module(
    machine: Cbu,
    listener: ModuleListener,
    *,
    file: Path | None = None,
    attach: Callable[[Cbu, ExitStack], None] | None = None,
) -> Iterator[ServedModule]:
    """Run the machine on a thread of its own while the block lasts.

    ``file`` keeps the flash. ``attach`` connects more to the machine before it runs. Raises PortOpenError where the
    system has no pseudo-terminals, ConfigError if the file cannot be used.
    """
    with ExitStack() as stack:
        if file is not None:
            stack.enter_context(hold_image(machine.flash, file))
        terminal = stack.enter_context(open_terminal(UART1_BAUD))
        if attach is not None:
            attach(machine, stack)
        module = ServedModule(machine, terminal, listener, file)
        try:
            with running(module.run):
                yield module
        finally:
            if file is not None:
                save_image(machine.flash, file)
