"""With which constants a gateway scales one meter: decided when it is first opened, and again at a reload."""

from __future__ import annotations

import threading

from wattrail.calibration import Calibration
from wattrail.gateway.plan import MeterPlan
from wattrail.gateway.source import MeterReader
from wattrail.metrology.scale_origin import Scale, ScaleClaims, held_scale
from wattrail.store import Store

__all__ = ["MeterScale"]


class MeterScale:
    """The scale of one meter. A line that is opened again changes nothing: what holds is changed by people."""

    def __init__(self, plan: MeterPlan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._lock = threading.Lock()
        self._usual: tuple[Scale, bool] | None = None
        self._held: Scale | None = None

    def give_to(self, meter: MeterReader) -> None:
        """Scale an open meter, called before each look at it. Raises StoreError before anything is decided."""
        held = self._held
        if held is None:
            with self._lock:
                # The meter was opened with the scale of its plan and front end.
                usual, simulated = Scale(meter.calibration, meter.scale), meter.simulated
                held = self._held = self._decided(usual, simulated=simulated)
                self._usual = usual, simulated
        meter.calibration, meter.scale = held

    def look_again(self) -> bool:
        """Whether other constants hold than before, by what is kept now. For any thread. Raises StoreError.

        A meter that was never opened takes what is kept when it is.
        """
        with self._lock:
            if self._usual is None:
                return False
            usual, simulated = self._usual
            newest = self._decided(usual, simulated=simulated)
            if is_other := newest != self._held:
                self._held = newest
            return is_other

    def _decided(self, usual: Scale, *, simulated: bool) -> Scale:
        kept: Calibration | None = self._store.calibration(self._plan.name, simulated=simulated)
        claims = ScaleClaims(
            given=self._plan.calibration, kept=kept, kept_of_twin=simulated, inverted=self._plan.inverted
        )
        return held_scale(claims, usual, simulated=simulated)
