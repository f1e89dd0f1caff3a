"""``wattrail twin serve --firmware`` and ``wattrail twin snapshot``: real firmware on an emulated module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter, validators

from wattrail.cli.output import note
from wattrail.cli.stopping import stop_quietly
from wattrail.errors import WattrailError
from wattrail.files import read_bytes
from wattrail.sanitize import printable

if TYPE_CHECKING:
    from wattrail.twin.cbu.machine import Cbu
    from wattrail.twin.cbu.stalls import EmulationFinding

# A snapshot is a zip archive.
_SNAPSHOT_MAGIC: Final = b"PK\x03\x04"
_MAX_BYTES: Final = 64 << 20
_STATUS_AT_START: Final = 0
"""Of the flash: nothing is protected until the firmware protects it."""

ChipOption = Literal["N", "T", "M"]
TwinChoices = Mapping[str, object]
"""Options of a twin's URL that were chosen, by name."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EmulatedBoardOptions:
    """With --firmware: what is around the module."""

    interface: Annotated[
        Literal["spi", "uart"] | None,
        Parameter(help="How the meter chip is wired: spi as the board comes, uart reworked to UART1 (spi; uart on T)."),
    ] = None
    product: Annotated[
        str | None, Parameter(help="Put a TuyaMCU at UART1 that gives this product: JSON, or id and version.")
    ] = None


@dataclass(frozen=True, slots=True)
class EmulationPlan:
    """What to run, and the supply that feeds it.

    ``flash`` is a file that keeps the flash; what it holds already comes before the firmware's.
    """

    firmware: Path
    flash: Path | None = None
    chip: ChipOption | None = None
    supply: str = "ideal"

    def machine(self) -> tuple[Cbu, str]:
        """The module, and what it runs. Raises FileError, ImageError, ConfigError, MissingExtra."""
        from wattrail.twin.cbu.firmware import FLASH_BYTES, load_firmware
        from wattrail.twin.cbu.snapshot import load_snapshot

        content = read_bytes(self.firmware, limit=_MAX_BYTES)
        if content.startswith(_SNAPSHOT_MAGIC):
            machine = load_snapshot(self.firmware)
            return machine, f"a snapshot, taken at {machine.seconds:.1f} s"
        loaded = load_firmware(content, chip=self.chip)
        for text in loaded.notes:
            note(f"note: {text}")
        kept = self._kept(FLASH_BYTES)
        return _module(loaded.chip, kept or loaded.flash, loaded.start), loaded.kind

    def _kept(self, size: int) -> bytes | None:
        from wattrail.twin.bootrom.flash_file import load_image

        kept = load_image(self.flash, size) if self.flash else None
        if kept:
            note(f"note: {self.flash} holds a flash already: that is used, not {self.firmware}")
        return kept


def _module(chip: ChipOption, flash: bytes, start: int) -> Cbu:
    from wattrail.twin.bootrom.flash import ProtectedFlash
    from wattrail.twin.cbu.machine import Cbu

    # TH25Q16HB, the most common flash on an N.
    return Cbu(chip, ProtectedFlash(0x1560EB, image=flash, sr=_STATUS_AT_START), start=start)


class _Console:
    """Prints the log as it comes, from the moment on that ``may_print`` is set: the directions come first."""

    def __init__(self) -> None:
        self.may_print = Event()

    def line(self, seconds: float, text: str) -> None:
        self.may_print.wait()
        print(f"{seconds:10.3f}  {printable(text)}", flush=True)

    def finding(self, finding: EmulationFinding) -> None:
        self.may_print.wait()
        note(f"emulator: {finding}")


@contextmanager
def _printing(console: _Console) -> Iterator[None]:
    """However the block ends, the module's thread must not wait for directions any more."""
    try:
        yield
    finally:
        console.may_print.set()


def serve_firmware(plan: EmulationPlan, around: EmulatedBoardOptions, load: TwinChoices) -> None:
    """Run firmware until it is interrupted, or cannot continue. ``load`` is what the meter chip sees."""
    from wattrail.twin.cbu.serve import serve_module

    with stop_quietly():
        machine, what = plan.machine()
        kept = f"in {plan.flash}" if plan.flash else "lost at the end; --flash FILE keeps it"
        console, addresses = _Console(), list[str]()

        def attach(machine: Cbu, stack: ExitStack) -> None:
            addresses.extend(_wired(machine, stack, around, {"supply": plan.supply, **load}))

        with serve_module(machine, console, file=plan.flash, attach=attach) as module, _printing(console):
            print(
                f"SIMULATED: an emulated PZIOT-E01 with a BK7231{machine.chip.name} runs {plan.firmware} ({what})",
                f"UART1 at {module.path}",
                *addresses,
                f"its flash: {kept}",
                "its log, with seconds of device time; Ctrl-C ends it",
                sep="\n",
                flush=True,
            )
            console.may_print.set()
            module.ended.wait()


def _wired(machine: Cbu, stack: ExitStack, around: EmulatedBoardOptions, load: TwinChoices) -> Iterator[str]:
    """Put the board around the module, and say where it can be reached."""
    from wattrail.twin.cbu.board import Board
    from wattrail.twin.cbu.control import BoardControl

    product = around.product.encode() if around.product else None
    board = Board(machine, interface=around.interface, product=product, **load)  # type: ignore[arg-type]
    stack.callback(board.close)
    stack.callback(BoardControl(board).close)
    wires = "P14 to P17" if board.interface == "spi" else "UART1"
    also = " and a TuyaMCU" if board.mcu else ""
    yield f"on it: a BL0942 at {wires}{also}, a button at P20 (wattrail twin press button), an LED at P22"
    try:
        network = board.network()
    except WattrailError as error:
        note(f"note: {error}" + (f"; {error.hint}" if error.hint else ""))
        return
    web = network.port(80)
    yield f"its web server: http://127.0.0.1:{web}/ once its access point is up"
    yield f"read it: wattrail meter watch openbeken://127.0.0.1:{web}"
    yield f"this machine is {network.host} for it, for example mqtt://{network.host}:1883"
    yield "what it publishes over MQTT does not say that it is simulated: read it with simulated=yes in the URL"


def snapshot(
    firmware: Annotated[Path, Parameter(help="The firmware: an image or a dump of the flash.")],
    out: Annotated[Path, Parameter(help="The file to write.")],
    /,
    *,
    seconds: Annotated[
        float, Parameter(help="Device time to run before.", validator=validators.Number(gt=0, lte=3600))
    ] = 10.0,
    chip: Annotated[ChipOption | None, Parameter(help="The module's chip, if not the image's own.")] = None,
) -> None:
    """Run firmware on an emulated module for a while, and keep its state in a file.

    'wattrail twin serve --firmware OUT' continues from there, without the start. Prints the log.
    """
    from wattrail.twin.cbu.cpu import CpuFault
    from wattrail.twin.cbu.device_log import LogLines
    from wattrail.twin.cbu.snapshot import save_snapshot
    from wattrail.twin.cbu.stalls import RunObserver, fault_finding

    with stop_quietly():
        machine, _ = EmulationPlan(firmware, chip=chip).machine()
        console, observer, began = _Console(), RunObserver(machine), perf_counter()
        console.may_print.set()
        machine.uart("uart2").listen(LogLines(lambda: machine.seconds, console.line).receive)
        end = machine.seconds + seconds
        try:
            while machine.seconds < end:
                machine.run_for(min(0.01, end - machine.seconds))
                for finding in observer.sample():
                    console.finding(finding)
        except CpuFault as fault:
            console.finding(fault_finding(machine, fault))
        save_snapshot(machine, out)
        note(f"{machine.seconds:.1f} s of device time in {perf_counter() - began:.1f} s; its state is kept in {out}")
