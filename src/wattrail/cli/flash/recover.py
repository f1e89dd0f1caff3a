"""``wattrail flash recover``."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import output
from wattrail.cli.flash import view
from wattrail.cli.flash.ailments import Ailment, ailments
from wattrail.cli.flash.image_file import load_image
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.place import ImagePlace
from wattrail.cli.flash.remedy import choose
from wattrail.cli.flash.session import SIMULATED, board
from wattrail.cli.flash.writing import WritingOptions, finish, foretell
from wattrail.cli.target import Json
from wattrail.errors import TargetError
from wattrail.flasher import Flasher


def recover(
    port: PortText,
    image: Annotated[Path | None, Parameter(help="Firmware or dump to write; else the last good backup.")] = None,
    *,
    writing: WritingOptions | None = None,
    json: Json = False,
    options: BoardOptions | None = None,
) -> None:
    """Find out why a board does not start, and mend it.

    Reads the whole flash and says what is wrong in each partition. A write that was cut is finished with IMAGE, or
    undone without it; else IMAGE is written, or the newest backup with which the board should start.
    """
    writing = writing or WritingOptions()
    allow = writing.check()
    given = (image, load_image(image, ImagePlace(), allow)) if image is not None else None
    with board(port, options, writes=True, json=json) as flasher:
        found = ailments(flasher.look(), flasher.target)
        if not json:
            print("\n".join(_lines(flasher, found)), flush=True)
        remedy = choose(flasher, found, given)
        if remedy is None:
            _leave(flasher, found, json=json)
            return
        output.note(remedy.words)
        if writing.dry_run:
            foretell(remedy.preview(flasher, allow), flasher, json=json, besides=_object(flasher, found))
            return
        besides = _object(flasher, found)
        finish(remedy.apply(flasher, allow, writing.backup), flasher, writing, json=json, besides=besides)


def _lines(flasher: Flasher, found: list[Ailment]) -> list[str]:
    cut = flasher.unfinished
    lines = [view.unfinished_words(cut)] if cut else []
    lines += [f"{ailment.part:<12}{ailment.words}" for ailment in found]
    mark = [SIMULATED] if flasher.simulated else []
    return mark + (lines or ["nothing is wrong in flash, as far as can be told"])


def _object(flasher: Flasher, found: list[Ailment]) -> dict[str, object]:
    return {
        "unfinished": view.unfinished_object(flasher.unfinished),
        "found": [{"partition": ailment.part, "what": ailment.words, "fatal": ailment.fatal} for ailment in found],
    }


def _leave(flasher: Flasher, found: list[Ailment], *, json: bool) -> None:
    """Nothing keeps the board from starting. Raises TargetError if its radio is lost all the same."""
    if json:
        print(json_text.dumps({"simulated": flasher.simulated, **_object(flasher, found)}))
    if any(ailment.part == "rf" for ailment in found):
        raise TargetError(
            "the radio's calibration is lost, and nothing here has it",
            hint="a dump of this very board has: wattrail flash restore PORT DUMP --allow rf",
        )
    output.note("nothing keeps this board from starting: nothing was written; name an IMAGE to write one all the same")
