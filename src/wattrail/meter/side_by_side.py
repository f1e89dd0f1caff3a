"""Meters that measure the same conductor, read side by side: a thread for each, and a series that can be compared."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Final, Self

from wattrail.clock import Clock
from wattrail.errors import LinkError, PortError, WattrailError
from wattrail.metrology.comparison import MeterSeries
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Reading

__all__ = ["ComparedMeter", "SideBySide"]

_WAIT_S: Final = 0.2
"""The longest wait for a reading: whoever watches wants to look at the time, and to be interrupted."""

_JOIN_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMeter:
    """One of them, however it is read. ``age_s`` is how old a value may be when it is read.

    ``cancel`` ends a wait on a network, which comes back by itself; None stands for a wire, which does not.
    """

    url: str
    read: Callable[[], Reading]
    pause_s: float
    age_s: float
    cancel: Callable[[], None] | None = None

    def is_lost_by(self, error: WattrailError) -> bool:
        """Whether no reading can come after this error."""
        return isinstance(error, CaptureEnded) or (isinstance(error, PortError) and self.cancel is None)


_Item = tuple[int, Reading | WattrailError]


class SideBySide:
    """Meters that are read inside of a ``with`` block; ``series`` grow with every ``take``.

    ``note`` gets a sentence for each reading that failed.
    """

    def __init__(self, meters: Sequence[ComparedMeter], *, clock: Clock, note: Callable[[str], None]) -> None:
        self.series = [MeterSeries(age_s=meter.age_s) for meter in meters]
        self._meters = meters
        self._clock = clock
        self._note = note
        self._began = clock.monotonic()
        self._arrived: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._readers: list[_Reader] = []

    def __enter__(self) -> Self:
        self._readers = [_Reader(index, meter, self._arrived, self._clock) for index, meter in enumerate(self._meters)]
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.stop()

    @property
    def seconds(self) -> float:
        """How long they have been read."""
        return self._clock.monotonic() - self._began

    def take(self) -> bool:
        """Wait a moment for a reading; False at the end of a capture, behind which nothing can be compared.

        Raises the error of a meter that has never answered, or is lost.
        """
        try:
            index, item = self._arrived.get(timeout=_WAIT_S)
        except queue.Empty:
            return True
        series, meter = self.series[index], self._meters[index]
        if isinstance(item, Reading):
            series.add(item)
            return True
        # A capture without any reading is an error; after readings its end is the end of the comparison.
        if isinstance(item, CaptureEnded) and series.power:
            return False
        is_transient = isinstance(item, LinkError) or meter.cancel is not None
        if not series.power or not is_transient:
            raise item
        self._note(f"no reading of {meter.url}: {item}")
        return True


class _Reader:
    """Reads one meter in a thread, reading after reading, into a queue."""

    def __init__(self, index: int, meter: ComparedMeter, into: queue.SimpleQueue[_Item], clock: Clock) -> None:
        self._index = index
        self._meter = meter
        self._into = into
        self._clock = clock
        self._stop = threading.Event()
        # A thread for each meter: both block in their own time, and a slow one must not thin out the other's series.
        self._thread = threading.Thread(target=self._run, name=f"compare {meter.url}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        # A wait on a network can be cancelled; a port comes back by its own deadline, for which _JOIN_S waits.
        if self._meter.cancel is not None:
            self._meter.cancel()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._into.put((self._index, self._meter.read()))
            except WattrailError as error:
                self._into.put((self._index, error))
                if self._meter.is_lost_by(error):
                    return
            except CancelledError:
                return
            self._clock.sleep(self._meter.pause_s)
