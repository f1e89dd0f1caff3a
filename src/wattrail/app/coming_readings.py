"""The readings that the gateway takes from now on, to measure against a reference: no port is opened twice."""

from __future__ import annotations

import threading
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips import CHIPS, MeteringChip
from wattrail.clock import Clock
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.sanitize import printable
from wattrail.units import Reading
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["STEADY_HINT", "ComingReadings", "chip_of"]

STEADY_HINT: Final = "take a load that holds still, such as a kettle or a heater, and nothing else behind the meter"

_WITHIN_S: Final = 45.0
"""Seconds in which the readings of one load must come; the page waits a minute."""

_NEXT_WITHIN_S: Final = 12.0
"""Seconds for the next reading; the slowest chip is read every 10 s."""

_LOOK_EVERY_S: Final = 0.1


class ComingReadings:
    """Waits for readings of a live meter. What it refuses, it refuses with the meter's own error and hint."""

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self._feed, self._clock = feed, clock
        self._pause = threading.Event()

    def shown(self, name: str) -> MeterView | None:
        """A meter as it is shown now."""
        return self._feed.view(name)

    def view(self, name: str) -> MeterView:
        """A meter as it is shown. Raises RequestRefused for an unknown one."""
        view = self.shown(name)
        if view is None:
            raise RequestRefused(ProblemDetails("not-found", f"there is no meter {printable(name, limit=64)!r}"))
        return view

    def live(self, name: str) -> tuple[MeterView, Reading]:
        """A meter and its newest reading. Raises RequestRefused unless it is live."""
        view = self.view(name)
        if view.reading is None or view.state is not MeterState.LIVE:
            why = view.error or "there is no reading"
            raise RequestRefused(ProblemDetails("invalid", f"{name} is {view.state}: {why}", view.hint))
        return view, view.reading

    def take(self, name: str, number: int) -> tuple[Reading, ...]:
        """So many new readings, in order. Raises RequestRefused if they do not come in time."""
        until, taken, last = self._clock.monotonic() + _WITHIN_S, list[Reading](), self.live(name)[1]
        calibration = last.calibration
        while len(taken) < number:
            _, reading = self.live(name)
            # Values of two scales must not be averaged into one load.
            if reading.calibration != calibration:
                raise RequestRefused(ProblemDetails("invalid", f"{name} was calibrated meanwhile", "measure once more"))
            # The same reading is shown until the next one comes.
            if reading.monotonic != last.monotonic:
                last = reading
                taken.append(reading)
            elif self._clock.monotonic() > until:
                why = f"{len(taken)} readings in {_WITHIN_S:.0f} s, {number} are needed"
                raise RequestRefused(ProblemDetails("invalid", why))
            else:
                self._pause.wait(_LOOK_EVERY_S)
        return tuple(taken)

    def wait_for_other_scale(self, before: MeterView) -> None:
        """Return once a meter shows another scale than before, or gives no reading any more. Raises nothing."""
        until, shown = self._clock.monotonic() + _NEXT_WITHIN_S, self.shown(before.name)
        while shown is not None and _scale_of(shown) == _scale_of(before):
            if shown.state is not MeterState.LIVE or self._clock.monotonic() > until:
                return
            self._pause.wait(_LOOK_EVERY_S)
            shown = self.shown(before.name)


def _scale_of(view: MeterView) -> tuple[Calibration | None, str | None]:
    return view.reading.calibration if view.reading else None, view.scale


def chip_of(reading: Reading) -> MeteringChip | None:
    """The chip whose energy register a reading has, by its calibration; None for a meter that scales by itself."""
    if reading.calibration is None:
        return None
    shown = {one.register for one in reading.registers}
    return next((chip for chip in CHIPS.values() if chip.energy_register(reading.calibration) in shown), None)
