"""What one session said about its line: rates, repetitions, losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wattrail.flasher import FlashEvent, Linked, Lost, RateChanged, Repeated
from wattrail.flasher.session_statistics import Loss, Stage

__all__ = ["LineRecord"]


class LineRecord:
    """Listens to one flasher. ``sectors`` read in ``seconds`` for the sake of the test alone."""

    def __init__(self) -> None:
        self.links: list[Linked] = []
        self.rates: list[RateChanged] = []
        self.repeated: Counter[Stage] = Counter()
        self.losses: list[Loss] = []
        self.sectors = 0
        self.seconds = 0.0

    def __call__(self, event: FlashEvent) -> None:
        """Keep what says something about the line."""
        match event:
            case Linked():
                self.links.append(event)
            case RateChanged():
                self.rates.append(event)
            case Repeated(stage):
                self.repeated[stage] += 1
            case Lost(loss):
                self.losses.append(loss)

    def lines(self, baud: int) -> Iterator[str]:
        """For people; ``baud`` is the rate at the end."""
        yield from (f"link        at {link.baud} baud after {link.seconds:.1f} s" for link in self.links)
        yield from (f"rate        {change.baud} baud: {change.why}" for change in self.rates)
        yield f"line        {self.sectors} sectors read and checked in {self.seconds:.1f} s, at {baud} baud in the end"
        repeated = ", ".join(f"{count} of {stage.value}" for stage, count in self.repeated.items()) or "none"
        yield f"repeated    {repeated}"
        yield f"links lost  {len(self.losses)}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "links": [{"baud": link.baud, "seconds": round(link.seconds, 3)} for link in self.links],
            "rates": [{"baud": change.baud, "why": change.why} for change in self.rates],
            "sectors": self.sectors,
            "seconds": round(self.seconds, 3),
            "repeated": {stage.value: count for stage, count in self.repeated.items()},
            "losses": [loss.as_dict() for loss in self.losses],
        }
