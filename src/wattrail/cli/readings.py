"""Meters for verbs that wait for one reading after the other: chips and network meters, at a steady pace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count as endless
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattrail.cli import clock, output
from wattrail.clock import Deadline
from wattrail.errors import LinkError, PortError
from wattrail.meter import Meter
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Reading
from wattrail.urls import NETWORK_SCHEMES, split

if TYPE_CHECKING:
    from wattrail.sources import MeterSource
    from wattrail.sources.recording import CaptureOfSource
    from wattrail.sources.source_reader import SourceReader

__all__ = ["is_network_meter", "opened_network", "read_once", "read_whole", "steady_readings"]

_PATIENCE_S: Final = 5.0
"""Seconds of waiting for a first reading after which it is said how long it may take."""


# ---- network meters


def is_network_meter(url: str) -> bool:
    """Whether a URL names a meter that speaks for itself, or a capture of one. Raises UrlError."""
    parts = split(url)
    if parts.scheme == "replay":
        from wattrail.sources.recording import is_network_capture

        return is_network_capture(url)
    return parts.scheme in NETWORK_SCHEMES


@contextmanager
def opened_network(url: str, *, capture: Path | None = None) -> Iterator[SourceReader]:
    """A network meter or a capture of one; ``capture`` is a file that keeps what it says. Raises UrlError."""
    from wattrail.sources import open_source
    from wattrail.sources.recording import CaptureOfSource, open_replayed
    from wattrail.sources.source_reader import SourceReader

    kept: CaptureOfSource | None = None
    if capture is not None:
        kept = CaptureOfSource(capture, url, clock=clock.CLOCK)
        source: MeterSource = kept.source
    else:
        source = open_replayed(url) if split(url).scheme == "replay" else open_source(url, clock=clock.CLOCK)
    reader = SourceReader(source, clock.CLOCK)
    try:
        yield reader
    finally:
        reader.close()
        if kept is not None:
            kept.close()


def read_whole(device: SourceReader) -> Reading:
    """As ``SourceReader.read_whole``; a note says how long it may take once it takes long."""
    text = f"waiting for {device.url}: silence of {device.usual_silence_s:g} s is usual"
    timer = threading.Timer(_PATIENCE_S, output.note, [text])
    timer.daemon = True
    timer.start()
    try:
        return device.read_whole()
    finally:
        timer.cancel()


# ---- readings of any meter


def read_once(meter: Meter | SourceReader) -> Reading:
    """A reading, which bears a capture's own time where one is replayed. Raises as ``Meter.read``."""
    reading = meter.read()
    recorded_at = meter.recorded_at if isinstance(meter, Meter) else None  # of a device the reading bears it already
    return reading if recorded_at is None else replace(reading, at=recorded_at)


def steady_readings(
    meter: Meter | SourceReader, interval_s: float, count: int | None
) -> Iterator[Reading | LinkError | PortError]:
    """``count`` readings, or no end of them if None, each due ``interval_s`` after the one before.

    Where a reading fails, its error stands in its place, and the next comes at its own time. Raises whatever the very
    first reading raises, and PortError of a wire: a network comes back by itself.
    """
    transient = LinkError if isinstance(meter, Meter) else (LinkError, PortError)
    due = Deadline.after(0.0, clock.CLOCK)
    for turn in range(count) if count is not None else endless():
        clock.CLOCK.sleep(due.remaining)
        # A reading that took longer than the pace is not made up for by a burst of others.
        due = Deadline(clock.CLOCK, max(due.at + interval_s, clock.CLOCK.monotonic()))
        try:
            yield read_once(meter)
        except CaptureEnded:
            raise
        except transient as error:
            if turn == 0:
                raise
            yield error
