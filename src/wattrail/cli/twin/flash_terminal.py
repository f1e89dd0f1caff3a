"""The second interface of a served board: a serial device to flash its module by."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.cli.output import hint, note
from wattrail.errors import PortOpenError

if TYPE_CHECKING:
    from wattrail.twin.bootrom import BootTiming, BootTwin
    from wattrail.twin.twin import Twin

_LOOK_S: Final = 0.1
"""How long the keyboard is waited for before the end of the program is looked for."""
_READ_SIZE: Final = 1024

_Time = validators.Number(gte=0, lte=1000)

_RESETS: Final = {
    "auto": "when link checks go unanswered for 0.2 s, as by an auto-reset circuit on CEN",
    "enter": "when you press Enter here, as if you touched CEN to ground",
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FlashTwinOptions:
    """How the board's module can be flashed."""

    flash: Annotated[
        Path | None, Parameter(help="Keep the module's flash in this file; else it is blank, and lost at the end.")
    ] = None
    chip: Annotated[Literal["N", "M", "T"], Parameter(help="The module's chip: BK7231N, M or T.")] = "N"
    reset: Annotated[
        Literal["auto", "enter"], Parameter(help="What resets it: link checks without an answer, or your Enter.")
    ] = "auto"
    supply: Annotated[
        str, Parameter(help="What feeds it: ideal, or one that sags, such as 'usb + ldo' (docs/twin.md has them all).")
    ] = "ideal"
    page_ms: Annotated[
        float | None, Parameter(help="Milliseconds it takes to program a page of 256 bytes (0.7).", validator=_Time)
    ] = None
    crc_us: Annotated[
        float | None, Parameter(help="Microseconds it takes to check a byte by CRC (2.0).", validator=_Time)
    ] = None
    no_flash: Annotated[bool, Parameter(help="Serve the meter alone.")] = False

    def timing(self) -> BootTiming:
        """What was asked for. What a host sends takes no time on the wire.

        A host's deadline begins when the system has taken its bytes. An adapter's driver takes them at the rate of the
        line, a pseudo-terminal all at once: on a wire as well, their time would be counted against the host.
        """
        from wattrail.twin.bootrom import BootTiming

        usual = BootTiming(pace_requests=False)
        page_s = usual.page_s if self.page_ms is None else self.page_ms / 1e3
        crc_byte_s = usual.crc_byte_s if self.crc_us is None else self.crc_us / 1e6
        return replace(usual, page_s=page_s, crc_byte_s=crc_byte_s)


@contextmanager
def flash_terminal(meter: Twin, options: FlashTwinOptions) -> Iterator[str]:
    """Serve the module's flashing UART, where the board has it free; gives the directions, or no text.

    Raises UsageError for a file that no flash would be kept in, ConfigError for one that cannot be used.
    """
    if options.no_flash or meter.interface == "uart":
        _refuse_file(meter, options)
        yield ""
        return
    from wattrail.twin.bootrom import BootTwin
    from wattrail.twin.bootrom.serve import serve_boot

    module = BootTwin(options.chip, image_file=options.flash, supply=options.supply, timing=options.timing())
    with ExitStack() as stack:
        try:
            place = stack.enter_context(serve_boot(module, auto_reset=options.reset == "auto"))
        except PortOpenError as error:
            note(f"note: the board cannot be flashed here: {error}")
            yield ""
            return
        if options.reset == "enter" and sys.stdin is not None:
            stack.enter_context(enter_resets(module, sys.stdin.fileno()))
        yield _directions(place.path, options)


def _refuse_file(meter: Twin, options: FlashTwinOptions) -> None:
    if options.flash is None:
        return
    if options.no_flash:
        raise UsageError("--flash and --no-flash contradict each other")
    raise UsageError(
        f"the meter chip of {meter.board.name} is on the UART its module is flashed by: this twin has no flash",
        hint="wattrail twin serve pziot-e01 has one",
    )


def _directions(path: str, options: FlashTwinOptions) -> str:
    kept = f"in {options.flash}" if options.flash else "blank, and lost at the end; --flash FILE keeps it"
    return (
        f"SIMULATED too: its module, a BK7231{options.chip}; flash: {kept}\n"
        f"flash it: wattrail flash info 'serial://{path}?simulated=yes'\n"
        f"other flashers: open {path}; they begin at 115200 baud\n"
        f"it is reset {_RESETS[options.reset]}"
    )


@contextmanager
def enter_resets(module: BootTwin, keyboard: int) -> Iterator[None]:
    """While the block runs, every line that comes from this descriptor resets the chip."""
    from wattrail.twin.terminal import running

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            if not select.select([keyboard], [], [], _LOOK_S)[0]:
                continue
            # Past Python's own buffer, for select does not see what lies in that.
            typed = os.read(keyboard, _READ_SIZE)
            if not typed:  # the end of the input
                hint("nobody can press Enter here: start it in a terminal, or with --reset auto")
                return
            if b"\n" in typed:
                module.reset()
                note("reset")

    with running(run):
        yield
