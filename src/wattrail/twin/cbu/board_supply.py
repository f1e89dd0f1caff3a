"""What feeds the module while firmware runs: the rail of the boot ROM twin, and what firmware draws as it starts.

Each start draws what the table ``DRAWS`` says from "booting" on: the start, the radio's calibration, then a frame a
beacon interval. Below its threshold the chip is held in reset, memory is lost, and above the other threshold it starts
again. That is the loop which a weak regulator causes. Not modelled: what the firmware draws when it writes to its
flash, and frames it sends besides.
"""

from __future__ import annotations

from collections import deque

from wattrail.twin.bootrom.rail import MAX_RESETS, Rail
from wattrail.twin.bootrom.supply import PowerSupply
from wattrail.twin.cbu.device_clock import NEVER
from wattrail.twin.cbu.machine import BROWN_OUT, Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["BoardSupply"]


class BoardSupply:
    """The supply of a machine from now on. ``brown_outs``: the second of each, and what was drawn then."""

    def __init__(self, machine: Cbu, supply: PowerSupply, seed: int) -> None:
        self.brown_outs: deque[tuple[float, str]] = deque(maxlen=MAX_RESETS)
        self._machine = machine
        self._rail = Rail(supply, seed)
        self._due = machine.clock.alarm("supply", self._crossed)
        machine.on_reset.append(self._started)
        self._started()

    @property
    def volts(self) -> float:
        """At the module's 3.3 V pin, now."""
        return self._rail.volts(self._machine.seconds)

    def _started(self) -> None:
        if not self._machine.is_held:
            self._draw("booting")

    def _draw(self, activity: str) -> None:
        self._rail.draw(activity, self._machine.seconds)
        self._predict()

    def _predict(self) -> None:
        at = self._rail.crosses_at * TICKS_PER_SECOND
        if at < NEVER:
            self._due.set(max(round(at), self._machine.clock.now + 1))
        else:
            self._due.cancel()

    def _crossed(self) -> None:
        fell, at = self._rail.is_up, self._rail.crosses_at
        activity = self._rail.cross()
        if fell:
            self.brown_outs.append((at, activity))
            self._machine.hold(f"{BROWN_OUT} while {activity}")
            self._draw("in reset")
        else:
            self._machine.release()
            self._draw("booting")
