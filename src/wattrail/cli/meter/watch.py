"""``wattrail meter read`` and ``watch``."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import output, reading_view
from wattrail.cli.option_types import Json
from wattrail.cli.output import results
from wattrail.cli.readings import read_once, read_whole, steady_readings
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, Named, find, opened_any
from wattrail.meter import Meter
from wattrail.transport.replay import CaptureEnded
from wattrail.units import QUANTITIES, Reading

if TYPE_CHECKING:
    from rich.console import Group

    from wattrail.sources.source_reader import SourceReader

__all__ = ["picture", "read", "sparkline", "watch"]


def read(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Read a meter once.

    Shows voltage, current, power, power factor, line frequency and energy; a dash is what the meter does not say. Power
    is positive for import and negative for export. Says which constants give a chip's numbers their scale.
    """
    options = options or MeterOptions()
    with opened_any(find(meter, options, takes_network=True), options) as device:
        reading = read_once(device) if isinstance(device, Meter) else read_whole(device)
        if json:
            print(reading_view.as_json(reading, device))
        else:
            print(reading_view.heading(device))
            print(reading_view.as_table(reading, device))
        if not reading.registers:
            output.note("no energy: the meter says no total now; it may still be starting, or wait for its clock")
        if finding := reading_view.finding_words(device, reading):
            output.note(finding)


Count = Annotated[
    int | None, Parameter(help="Stop after so many readings.", validator=validators.Number(gte=1, lte=10**9))
]
Interval = Annotated[
    float | None,
    Parameter(
        help="Seconds from one reading to the next (1; 2 over HTTP; a broker or a capture sets its own).",
        validator=validators.Number(gte=0, lte=86400),
    ),
]


def watch(
    meter: Named = None,
    *,
    count: Count = None,
    interval: Interval = None,
    json: Json = False,
    options: MeterOptions | None = None,
) -> None:
    """Watch a meter live.

    A live view on a terminal, else a line for each reading; Ctrl-C ends it. A reading that fails is reported on stderr
    and the next is tried; a wire that is lost ends the watch, a network may come back. A capture is shown with its own
    times, to its end.
    """
    options = options or MeterOptions()
    with opened_any(find(meter, options, takes_network=True), options) as device:
        readings = 0
        try:
            with stop_quietly(), suppress(CaptureEnded), _shown(device, json=json) as show:
                finding: str | None = None
                for reading in steady_readings(device, _pause_s(device, interval), count):
                    if isinstance(reading, Reading):
                        readings += 1
                        show(reading)
                        if finding is None and (finding := reading_view.finding_words(device, reading)):
                            output.note(finding)
                    else:
                        output.note(f"no reading: {reading}")
        finally:
            output.note(f"{readings} readings; {reading_view.meter_words(device)}")


def _pause_s(device: Meter | SourceReader, interval: float | None) -> float:
    if interval is not None:
        return interval
    if isinstance(device, Meter):
        # A capture brings its own times, so nothing is waited for.
        return 1.0 if device.recorded_at is None else 0.0
    return device.pause_s


@contextmanager
def _shown(device: Meter | SourceReader, *, json: bool) -> Iterator[Callable[[Reading], None]]:
    if json:
        yield lambda reading: print(reading_view.as_json(reading, device), flush=True)
    elif sys.stdout.isatty():
        with _live(device) as show:
            yield show
    else:
        output.note(reading_view.heading(device))
        yield lambda reading: print(reading_view.as_line(reading), flush=True)


# ---- a live view on a terminal


# A minute at the usual pace.
_HISTORY: Final = 60


@contextmanager
def _live(meter: Meter | SourceReader) -> Iterator[Callable[[Reading], None]]:
    """A view that is drawn again with every reading it is given."""
    from rich.live import Live

    history: deque[Reading] = deque(maxlen=_HISTORY)
    # What goes to stderr stands above the view; where stderr is a file, it goes there.
    with Live(console=results(), auto_refresh=False, redirect_stderr=sys.stderr.isatty()) as view:

        def show(reading: Reading) -> None:
            history.append(reading)
            view.update(picture(meter, history), refresh=True)

        yield show


def picture(meter: Meter | SourceReader, history: deque[Reading]) -> Group:
    """Each quantity with its last value, its history, and the bounds between which that history is drawn."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

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
