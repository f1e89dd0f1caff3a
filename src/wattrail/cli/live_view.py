"""The live view of one meter on a terminal."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wattrail.cli import reading_view
from wattrail.cli.output import results
from wattrail.cli.source_reader import SourceReader
from wattrail.meter import Meter
from wattrail.units import QUANTITIES, Reading

__all__ = ["live", "picture", "sparkline"]

_HISTORY: Final = 60


@contextmanager
def live(meter: Meter | SourceReader) -> Iterator[Callable[[Reading], None]]:
    """A view that is drawn again with every reading it is given."""
    history: deque[Reading] = deque(maxlen=_HISTORY)
    # What goes to stderr stands above the view; where stderr is a file, it goes there.
    with Live(console=results(), auto_refresh=False, redirect_stderr=sys.stderr.isatty()) as view:

        def show(reading: Reading) -> None:
            history.append(reading)
            view.update(picture(meter, history), refresh=True)

        yield show


def picture(meter: Meter | SourceReader, history: deque[Reading]) -> Group:
    """Each quantity with its last value, its history, and the bounds between which that history is drawn."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for justify in ("left", "right", "left", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for quantity in QUANTITIES:
        past = [reading_view.value_of(reading, quantity) for reading in history]
        known = [value for value in past if value is not None]
        bounds = f"{quantity.format(min(known))} to {quantity.format(max(known))}" if known else ""
        table.add_row(quantity.label, quantity.format(past[-1]), quantity.unit, sparkline(past), bounds)
    heading = Text(reading_view.heading(meter), style="yellow" if meter.simulated else "")
    footer = f"{history[-1].at.astimezone():%H:%M:%S}  {reading_view.meter_words(meter)}"
    return Group(heading, table, Text(footer, style="dim"))


_BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """One character a value, from the lowest to the highest of them; a space for what is not known."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    return "".join(" " if value is None else _bar(value, low, high) for value in values)


def _bar(value: float, low: float, high: float) -> str:
    if high == low:
        return _BARS[0]
    return _BARS[round((value - low) / (high - low) * (len(_BARS) - 1))]
