"""``wattrail meter record``."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from cyclopts import Parameter, validators

from wattrail.chips import DEFAULT_CHIP
from wattrail.cli import clock, output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.readings import opened_network, steady_readings
from wattrail.cli.report.files import refuse_existing
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, MeterTarget, find, opened
from wattrail.errors import LinkError, PortError
from wattrail.meter import Meter
from wattrail.units import Reading

if TYPE_CHECKING:
    from wattrail.sources.source_reader import SourceReader

_USUAL_S = 60
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

    Reads a chip once a second, a device on a network at its own pace. Every byte of a chip, every answer and message of
    a device goes into the file, which can be replayed in the meter's place; passwords and network names do not.
    """
    if seconds is not None and count is not None:
        raise UsageError("--seconds and --count both say when to stop; keep one of them")
    refuse_existing(file)
    options = options or MeterOptions()
    target = find(meter, options, takes_network=True)
    if target.is_network:
        print(_record_device(target, file, seconds=seconds, count=count))
        return
    # The whole path is quoted: a question mark in it would begin the options of the URL.
    through = replace(target, url=f"record:{quote(str(file))}?of={target.url}")
    turns = 0
    with opened(through, options) as device:
        device.connect()
        with stop_quietly():
            # One reading a second, so that seconds and readings are the same number.
            for reading in steady_readings(device, 1.0, count or seconds or _USUAL_S):
                turns += 1
                output.note(reading_view.as_line(reading) if isinstance(reading, Reading) else f"no reading: {reading}")
    print(_summary(file, target, turns, device))


def _record_device(target: MeterTarget, file: Path, *, seconds: int | None, count: int | None) -> str:
    turns = 0
    # With a count and no time it ends by the count alone.
    until = clock.CLOCK.monotonic() + (seconds or (_USUAL_S if count is None else float("inf")))
    with opened_network(target.url, capture=file) as device, stop_quietly():
        while turns != count and (left := until - clock.CLOCK.monotonic()) > 0:
            try:
                reading = device.read(within_s=None if count else left)
            except (LinkError, PortError) as error:
                # Cut off by the end of the recording, which is not a failure of the device.
                if clock.CLOCK.monotonic() >= until:
                    break
                if turns == 0:
                    raise
                output.note(f"no reading: {error}")
            else:
                turns += 1
                output.note(reading_view.as_line(reading))
                clock.CLOCK.sleep(min(device.pause_s, max(0.0, until - clock.CLOCK.monotonic())))
    return _summary(file, target, turns, device)


def _summary(file: Path, target: MeterTarget, turns: int, device: Meter | SourceReader) -> str:
    """What was recorded, and the command that replays it: a capture names neither the chip nor the front end."""
    is_unusual = isinstance(device, Meter) and device.chip.name != DEFAULT_CHIP
    chip = f"?chip={device.chip.name}" if isinstance(device, Meter) and is_unusual else ""
    assumed = device.scale.front_end if isinstance(device, Meter) and is_unusual else None
    front_end = target.claims.override or target.claims.front_end or assumed
    scale = f" --front-end {front_end}" if front_end else ""
    mark = f", {reading_view.SIMULATED}: captured from a digital twin" if device.simulated else ""
    size = file.stat().st_size
    url = shlex.quote(f"replay:{quote(str(file))}{chip}")  # zsh takes a bare ? for a pattern
    return f"{file}: {turns} readings, {size} bytes{mark}\nreplay it: wattrail meter watch {url}{scale}"
