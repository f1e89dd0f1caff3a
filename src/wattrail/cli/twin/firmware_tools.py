"""``wattrail twin debug``, ``trace`` and ``press``: a debugger, a timeline and hands for an emulated board."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.cli.output import note
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.twin.emulated import ChipOption, EmulationPlan

if TYPE_CHECKING:
    from wattrail.twin.cbu.timeline import TimelineEvent

_Firmware = Annotated[Path, Parameter(help="The firmware: an image, a dump of the flash, or a snapshot.")]
_Chip = Annotated[ChipOption | None, Parameter(help="The module's chip, if not the image's own.")]
_PORT = validators.Number(gte=0, lte=65535)
_Kind = Literal["spi", "interrupt", "pin", "flash"]


def debug(
    firmware: _Firmware,
    /,
    *,
    port: Annotated[int, Parameter(help="Port of 127.0.0.1; 0 takes a free one.", validator=_PORT)] = 0,
    chip: _Chip = None,
) -> None:
    """Run firmware on an emulated board, for GDB.

    The board runs until a debugger comes, and stands still while that does not let it run. Break, step, memory and
    registers; no watchpoints.
    """
    from wattrail.twin.cbu.board import Board
    from wattrail.twin.cbu.gdb_server import GdbServer

    with stop_quietly():
        machine, what = EmulationPlan(firmware, chip=chip).machine()
        board = Board(machine)
        board.log.listen(lambda seconds, line: print(f"{seconds:10.3f}  {line}", flush=True))
        server = GdbServer(machine, port=port)
        try:
            print(
                f"SIMULATED: an emulated PZIOT-E01 with a BK7231{machine.chip.name} runs {firmware} ({what})",
                f"type: gdb-multiarch -ex 'set architecture armv5te' -ex 'target remote 127.0.0.1:{server.port}'",
                "its log, with seconds of device time; Ctrl-C ends it",
                sep="\n",
                flush=True,
            )
            server.serve(threading.Event().is_set)
        finally:
            server.close()


def trace(
    firmware: _Firmware,
    /,
    *,
    seconds: Annotated[
        float, Parameter(help="Device time to record.", validator=validators.Number(gt=0, lte=3600))
    ] = 10.0,
    only: Annotated[tuple[_Kind, ...], Parameter(help="Which kinds of events; all of them if left out.")] = (),
    vcd: Annotated[Path | None, Parameter(help="Write a file for GTKWave or PulseView too.")] = None,
    chip: _Chip = None,
) -> None:
    """Record what firmware does on an emulated board.

    SPI transfers, interrupts, edges of pins and writes of flash, with the device time of each.
    Prints each event as a JSON object on a line.
    """
    from wattrail.twin.cbu.board import Board
    from wattrail.twin.cbu.timeline import BoardTimeline, json_lines, vcd_text

    with stop_quietly():
        machine, _ = EmulationPlan(firmware, chip=chip).machine()
        board, timeline = Board(machine), BoardTimeline(machine)
        board.run(seconds)
        events = [event for event in timeline.events if not only or event.kind in only]
        for line in json_lines(events):
            print(line)
        if vcd is not None:
            try:
                vcd.write_text(vcd_text(events), encoding="utf-8")
            except OSError as error:
                raise UsageError(f"{vcd} cannot be written: {error.strerror}") from error
        note(_summary(events, timeline.left_out))


def _summary(events: list[TimelineEvent], left_out: int) -> str:
    def parts() -> Iterator[str]:
        for kind in ("spi", "interrupt", "pin", "flash"):
            if count := sum(event.kind == kind for event in events):
                yield f"{count} {kind}"

    rest = f"; {left_out} more were left out" if left_out else ""
    return f"SIMULATED: {', '.join(parts()) or 'nothing happened'}{rest}"


def press(
    part: Annotated[Literal["button"], Parameter(help="What to press.")] = "button",
    /,
    *,
    seconds: Annotated[
        float, Parameter(help="Device time to hold it.", validator=validators.Number(gt=0, lte=120))
    ] = 0.2,
    pid: Annotated[int | None, Parameter(help="Which served board, by its process, if there are several.")] = None,
) -> None:
    """Press the button of a board that is served.

    It is one that 'wattrail twin serve --firmware' runs in another terminal.
    """
    from wattrail.twin.cbu.control import ask_board, served_boards

    boards = [path for path in served_boards() if pid is None or path.name == f"board-{pid}.sock"]
    if not boards:
        raise UsageError("no board is served", hint="type in another terminal: wattrail twin serve --firmware FILE")
    if len(boards) > 1:
        names = ", ".join(path.name.removeprefix("board-").removesuffix(".sock") for path in boards)
        raise UsageError(f"several boards are served, by the processes {names}", hint="name one with --pid")
    print(ask_board(boards[0], press=part, seconds=seconds))
