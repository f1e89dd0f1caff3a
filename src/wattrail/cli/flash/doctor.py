"""``wattrail flash doctor``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from json import dumps
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.geometry import SECTOR
from wattrail.cli import clock
from wattrail.cli.exits import Exit
from wattrail.cli.flash import view
from wattrail.cli.flash.session import BoardOptions, PortText, board
from wattrail.cli.option_types import Json
from wattrail.flasher import Flasher, FlashEvent, Linked, Lost, RateChanged, Repeated

ROUNDS: Final = 4
ROUND: Final = 16 * SECTOR
"""Bytes that are read again and again: 64 sectors in all, enough for a line that damages one exchange in fifty."""


def doctor(port: PortText, *, json: Json = False, options: BoardOptions | None = None) -> int:
    """Find out what is wrong on the line to a board.

    Makes the link and reports what arrives meanwhile, climbs to the fastest rate the line carries, reads there for a
    while, and gives a diagnosis. Nothing in flash is changed. Exit code 0 means that nothing was found, 4 that
    something was, or that there is no link.
    """
    record = _LineRecord()
    with board(port, options, json=json, listener=record) as flasher:
        # The same bytes again and again, over which the chip's CRC does not change: what goes wrong is the line's.
        began = clock.CLOCK.monotonic()
        for _ in range(ROUNDS):
            flasher.read(APP_START, ROUND)
        record.seconds = clock.CLOCK.monotonic() - began
        code = Exit.DONE if flasher.diagnosis.nothing_wrong else Exit.LINK
        text = dumps(_object(flasher, record)) if json else "\n".join(_lines(flasher, record))
    print(text)
    return code


class _LineRecord:
    """Listens to one flasher, and keeps what it reports about the line. ``seconds`` is how long the test read took."""

    sectors: Final = ROUNDS * ROUND // SECTOR

    def __init__(self) -> None:
        self.events: list[FlashEvent] = []
        self.seconds = 0.0

    def __call__(self, event: FlashEvent) -> None:
        """Keep what says something about the line."""
        if isinstance(event, Linked | RateChanged | Repeated | Lost):
            self.events.append(event)

    @property
    def repeated(self) -> Counter[str]:
        """Requests sent again, by what they were for."""
        return Counter(event.stage.value for event in self.events if isinstance(event, Repeated))

    @property
    def losses(self) -> list[Lost]:
        """Links lost."""
        return [event for event in self.events if isinstance(event, Lost)]

    def lines(self, baud: int) -> Iterator[str]:
        """For people; ``baud`` is the rate at the end."""
        yield from (
            f"link        at {e.baud} baud after {e.seconds:.1f} s" for e in self.events if isinstance(e, Linked)
        )
        yield from (f"rate        {e.baud} baud: {e.why}" for e in self.events if isinstance(e, RateChanged))
        yield f"line        {self.sectors} sectors read and checked in {self.seconds:.1f} s, at {baud} baud in the end"
        yield f"repeated    {', '.join(f'{count} of {stage}' for stage, count in self.repeated.items()) or 'none'}"
        yield f"links lost  {len(self.losses)}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        links = [event for event in self.events if isinstance(event, Linked)]
        return {
            "links": [{"baud": link.baud, "seconds": round(link.seconds, 3)} for link in links],
            "rates": [{"baud": e.baud, "why": e.why} for e in self.events if isinstance(e, RateChanged)],
            "sectors": self.sectors,
            "seconds": round(self.seconds, 3),
            "repeated": dict(self.repeated),
            "losses": [lost.loss.as_dict() for lost in self.losses],
        }


def _lines(flasher: Flasher, record: _LineRecord) -> list[str]:
    # The mark stands above them already.
    diagnosis = [line for line in flasher.diagnosis.lines() if not line.startswith("SIMULATED")]
    chip = f"board       {view.chip_text(flasher.target)}"
    return [*view.simulated_mark(flasher), chip, *record.lines(flasher.baud), *diagnosis]


def _object(flasher: Flasher, record: _LineRecord) -> dict[str, object]:
    return {
        **view.board_object(flasher),
        "history": record.as_dict(),
        "diagnosis": flasher.diagnosis.as_dict(),
    }
