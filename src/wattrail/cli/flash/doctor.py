"""``wattrail flash doctor``."""

from __future__ import annotations

import json as json_text
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.geometry import SECTOR
from wattrail.cli import clock
from wattrail.cli.exits import Exit
from wattrail.cli.flash import view
from wattrail.cli.flash.line_record import LineRecord
from wattrail.cli.flash.narrator import chip_words
from wattrail.cli.flash.opening import BoardOptions, PortText
from wattrail.cli.flash.session import SIMULATED, board
from wattrail.cli.target import Json
from wattrail.flasher import Flasher

ROUNDS: Final = 4
ROUND: Final = 16 * SECTOR
"""Bytes that are read again and again: 64 sectors in all, enough for a line that damages one exchange in fifty."""


def doctor(port: PortText, *, json: Json = False, options: BoardOptions | None = None) -> int:
    """Find out what is wrong on the line to a board.

    Makes the link and says what it hears meanwhile, climbs to the fastest rate the line carries, reads there for a
    while, and gives a diagnosis. Nothing in flash is changed. Exit code 0 means that nothing was found, 4 that
    something was, or that there is no link.
    """
    record = LineRecord()
    with board(port, options, json=json, listener=record) as flasher:
        began = clock.CLOCK.monotonic()
        for _ in range(ROUNDS):
            flasher.read(APP_START, ROUND)
        record.seconds = clock.CLOCK.monotonic() - began
        record.sectors = ROUNDS * ROUND // SECTOR
        code = Exit.DONE if flasher.diagnosis.nothing_wrong else Exit.LINK
        said = json_text.dumps(_object(flasher, record)) if json else "\n".join(_lines(flasher, record))
    print(said)
    return code


def _lines(flasher: Flasher, record: LineRecord) -> list[str]:
    mark = [SIMULATED] if flasher.simulated else []
    diagnosis = [line for line in flasher.diagnosis.lines() if not line.startswith("SIMULATED")]
    return [*mark, f"board       {chip_words(flasher.target)}", *record.lines(flasher.baud), *diagnosis]


def _object(flasher: Flasher, record: LineRecord) -> dict[str, object]:
    return {
        **view.board_object(flasher),
        "history": record.as_dict(),
        "diagnosis": flasher.diagnosis.as_dict(),
    }
