"""``wattrail meter wave``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.cli import reading_view
from wattrail.cli.option_types import Json
from wattrail.cli.report.files import keep, refuse_existing
from wattrail.cli.target import MeterOptions, Named, find, opened
from wattrail.meter.wave import CYCLES

Cycles = Annotated[
    int, Parameter(help=f"Line cycles to capture ({CYCLES}).", validator=validators.Number(gte=2, lte=500))
]


def wave(
    meter: Named = None,
    *,
    cycles: Cycles = CYCLES,
    csv: Annotated[Path | None, Parameter(help="Keep one period as a table in this file.")] = None,
    html: Annotated[Path | None, Parameter(help="Keep a page with curves and harmonics in this file.")] = None,
    json: Json = False,
    options: MeterOptions | None = None,
) -> None:
    """Show voltage and current as curves.

    Reads the chip's waveform registers as fast as the bus allows, for a fraction of a second. SPI only: a UART is a
    hundred times too slow. Harmonics to the 20th, THD, crest factor, phase, active, reactive and apparent power.
    """
    from wattrail.cli.report import wave_html, wave_text
    from wattrail.meter.wave import capture, require_fast

    refuse_existing(csv, html)
    options = options or MeterOptions()
    with opened(find(meter, options), options) as device:
        require_fast(device)
        device.connect()
        found = capture(device, cycles=cycles)
        if json:
            print(wave_text.as_json(found, meter=device.url))
        else:
            print(reading_view.heading(device))
            print(wave_text.as_text(found))
        if csv:
            keep(csv, wave_text.as_csv(found))
        if html:
            keep(html, wave_html.as_html(found, meter=device.url))
