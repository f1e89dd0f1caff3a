"""The live view of one meter on a terminal."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wattrail.cli import reading_view
from wattrail.cli.console import results
from wattrail.cli.source_reader import SourceReader
from wattrail.cli.sparkline import sparkline
from wattrail.meter import Meter
from wattrail.units import QUANTITIES, Reading

__all__ = ["live", "picture"]

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
