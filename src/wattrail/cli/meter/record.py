"""``wattrail meter record``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from cyclopts import Parameter, validators

from wattrail.chips import DEFAULT_CHIP
from wattrail.cli import output, reading_view
from wattrail.cli.clock import steady_readings
from wattrail.cli.exits import UsageError
from wattrail.cli.report.files import refuse_existing
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, MeterTarget, find, opened
from wattrail.meter import Meter
from wattrail.units import Reading

_Positive = validators.Number(gte=1, lte=10**7)


def record(
    meter: Annotated[str, Parameter(help="URL of the meter, or its name in wattrail.toml.")],
    file: Annotated[Path, Parameter(help="The capture file to write; it must not exist yet.")],
    *,
    seconds: Annotated[int | None, Parameter(help="Stop after so many seconds (60).", validator=_Positive)] = None,
    count: Annotated[int | None, Parameter(help="Stop after so many readings.", validator=_Positive)] = None,
    options: MeterOptions | None = None,
) -> None:
    """Keep what a meter says in a capture file.

    Reads the meter once a second. Every byte goes into the file, which can be replayed in the meter's place.
    """
    if seconds is not None and count is not None:
        raise UsageError("--seconds and --count both say when to stop; keep one of them")
    refuse_existing(file)
    options = options or MeterOptions()
    target = find(meter, options)
    through = replace(target, url=f"record:{quote(str(file))}?of={target.url}")
    turns = 0
    with opened(through, options) as device:
        device.connect()
        with stop_quietly():
            for reading in steady_readings(device, 1.0, count or seconds or 60):
                turns += 1
                output.note(reading_view.as_line(reading) if isinstance(reading, Reading) else f"no reading: {reading}")
    print(_summary(file, target, turns, device))


def _summary(file: Path, target: MeterTarget, turns: int, device: Meter) -> str:
    """What was recorded, and the command that replays it: a capture names neither the chip nor the front end."""
    is_usual = device.chip.name == DEFAULT_CHIP
    chip = "" if is_usual else f"?chip={device.chip.name}"
    front_end = target.claims.override or target.claims.front_end or (None if is_usual else device.scale.front_end)
    scale = f" --front-end {front_end}" if front_end else ""
    mark = f", {reading_view.SIMULATED}: captured from a digital twin" if device.simulated else ""
    size = file.stat().st_size
    return (
        f"{file}: {turns} readings, {size} bytes{mark}\n"
        f"replay it: wattrail meter watch replay:{quote(str(file))}{chip}{scale}"
    )
