"""``wattrail meter read`` and ``watch``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli import output, reading_view
from wattrail.cli.clock import read_once, steady_readings
from wattrail.cli.option_types import Json
from wattrail.cli.source_reader import SourceReader
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, Named, find, opened_any
from wattrail.meter import Meter
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Reading


def read(meter: Named = None, *, json: Json = False, options: MeterOptions | None = None) -> None:
    """Read a meter once.

    Shows voltage, current, power, power factor, line frequency and energy; a dash is what the meter does not say. Power
    is positive for import and negative for export. Says which constants give a chip's numbers their scale.
    """
    options = options or MeterOptions()
    with opened_any(find(meter, options, takes_network=True), options) as device:
        reading = read_once(device) if isinstance(device, Meter) else device.read_whole()
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
    if isinstance(device, SourceReader):
        return device.pause_s
    return 1.0 if device.recorded_at is None else 0.0


@contextmanager
def _shown(device: Meter | SourceReader, *, json: bool) -> Iterator[Callable[[Reading], None]]:
    if json:
        yield lambda reading: print(reading_view.as_json(reading, device), flush=True)
    elif sys.stdout.isatty():
        from wattrail.cli.live_view import live

        with live(device) as show:
            yield show
    else:
        output.note(reading_view.heading(device))
        yield lambda reading: print(reading_view.as_line(reading), flush=True)
