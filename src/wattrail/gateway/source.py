"""The protocol of a meter that the gateway reads, and the meter of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wattrail.calibration import Calibration
from wattrail.clock import Clock
from wattrail.gateway.plan import MeterPlan
from wattrail.metrology.scale_origin import ScaleOrigin
from wattrail.sources import BrokerPool, MeterLocator, MeterSource, Secrets, open_source
from wattrail.units import Reading

__all__ = ["MeterReader", "Opener", "SourceOpener", "open_planned", "source_opener"]


class MeterReader(Protocol):
    """An open meter. Opening sends nothing; ``connect`` and ``read`` block until their deadlines."""

    calibration: Calibration
    scale: ScaleOrigin

    @property
    def url(self) -> str:
        """The URL of its port."""
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
        """Close the port."""
        ...


Opener = Callable[[MeterPlan, Clock], MeterReader]
"""Opens a chip on a wire."""

SourceOpener = Callable[[MeterPlan, Clock], MeterSource]
"""Opens a network meter, from any thread. Raises WattrailError."""


def open_planned(plan: MeterPlan, clock: Clock) -> MeterReader:
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


def source_opener(*, secrets: Secrets | None = None, pool: BrokerPool | None = None) -> SourceOpener:
    """An opener whose sources share a connection to each broker, and the search for meters that have moved.

    ``secrets`` are the usual ones if left out, read again for each source: a reload may have added a login.
    """
    pool = pool or BrokerPool()
    locator = MeterLocator(pool)
    return lambda plan, clock: open_source(
        plan.url, poll_s=plan.poll_s, pool=pool, secrets=secrets or Secrets(), clock=clock, locator=locator
    )
