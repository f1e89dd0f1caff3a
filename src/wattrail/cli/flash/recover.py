"""``wattrail flash recover``: what is wrong with the flash of a board that does not start, and what to write to it."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.flash import view
from wattrail.cli.flash.session import BoardOptions, ImagePlace, PortText, WritingOptions, board, finish
from wattrail.cli.flash.writing import load_image
from wattrail.cli.option_types import Json
from wattrail.errors import TargetError
from wattrail.flasher import Flasher
from wattrail.flasher.recovery import FlashProblem, choose_recovery, find_problems


def recover(
    port: PortText,
    image: Annotated[Path | None, Parameter(help="Firmware or dump to write; else the last good backup.")] = None,
    *,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Find out why a board does not start, and repair it.

    Reads the whole flash and says what is wrong in each partition. An interrupted write is finished with IMAGE, or
    undone without it; else IMAGE is written, or the newest backup with which the board should start.
    """
    writing = writing or WritingOptions()
    allow = writing.check()
    # What the file alone shows is refused before the port is opened.
    given = (image, load_image(image, ImagePlace(), allow)) if image is not None else None
    with board(port, options, writes=True, json=json) as flasher:
        problems = find_problems(flasher.read_image(), flasher.target)
        if not json:
            print("\n".join(_lines(flasher, problems)), flush=True)
        recovery = choose_recovery(flasher, problems, given)
        extra = _object(flasher, problems)
        if recovery is None:
            _leave(flasher, problems, extra, json=json)
            return
        output.note(recovery.text)
        if writing.dry_run:
            view.print_preview(recovery.preview(flasher, allow), flasher, json=json, extra=extra)
            return
        finish(recovery.apply(flasher, allow, writing.backup), flasher, writing, json=json, extra=extra)


# ---- what is printed


def _lines(flasher: Flasher, problems: list[FlashProblem]) -> list[str]:
    cut = flasher.unfinished
    lines = [view.unfinished_text(cut)] if cut else []
    lines += [f"{problem.part:<12}{problem.text}" for problem in problems]
    return view.simulated_mark(flasher) + (lines or ["nothing is wrong in flash, as far as can be seen"])


def _object(flasher: Flasher, problems: list[FlashProblem]) -> dict[str, object]:
    return {
        "unfinished": view.unfinished_object(flasher.unfinished),
        "found": [{"partition": one.part, "what": one.text, "fatal": one.is_fatal} for one in problems],
    }


def _leave(flasher: Flasher, problems: list[FlashProblem], found: dict[str, object], *, json: bool) -> None:
    """Nothing keeps the board from starting. Raises TargetError if its radio calibration is lost."""
    if json:
        print(dumps({"simulated": flasher.simulated, **found}))
    if any(problem.part == "rf" for problem in problems):
        raise TargetError(
            "the radio's calibration is lost, and nothing here has it",
            hint="a dump of this very board has: wattrail flash restore PORT DUMP --allow rf",
        )
    output.note("nothing keeps this board from starting: nothing was written; name an IMAGE to write one anyway")
