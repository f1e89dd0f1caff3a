"""Where readings come from: what the gateway asks of a meter, and how a plan becomes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wattrail.calibration import Calibration
from wattrail.clock import Clock
from wattrail.gateway.plan import MeterPlan
from wattrail.metrology.scale_origin import ScaleOrigin
from wattrail.units import Reading

__all__ = ["MeterLike", "Opener", "open_planned"]


class MeterLike(Protocol):
    """An open meter. Opening does not talk; ``connect`` and ``read`` block until their deadlines."""

    calibration: Calibration
    scale: ScaleOrigin

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether it is a twin."""
        ...

    def connect(self) -> None:
        """Find the chip and set it up."""
        ...

    def read(self) -> Reading:
        """One reading."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


Opener = Callable[[MeterPlan, Clock], MeterLike]


def open_planned(plan: MeterPlan, clock: Clock) -> MeterLike:
    """The meter of a plan. Raises UrlError, PortOpenError, MissingExtra."""
    from wattrail.meter import open_meter

    return open_meter(
        plan.url,
        calibration=plan.calibration,
        front_end=plan.front_end,
        inverted=plan.inverted,
        address=plan.address,
        chip=plan.chip,
        clock=clock,
    )
