"""A meter that follows a script, and a gateway's worker on a manual clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.store.rig import open_as_gateway
from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.clock import Clock, ManualClock
from wattrail.energy_register import RegisterCount
from wattrail.front_end import FRONT_ENDS
from wattrail.gateway import Feed, MeterPlan, MeterView
from wattrail.gateway.worker import Worker
from wattrail.metrology.scale_origin import ScaleOrigin, ScaleSource
from wattrail.store import Store
from wattrail.units import PlainSample, Quantities, Reading

CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
ENERGY = BL0942.energy_register(CALIBRATION)
NAMED = ScaleOrigin(ScaleSource.NAMED, "pziot-e01")
COUNTS_PER_SECOND = 4


@dataclass
class StubMeter:
    """Reads ``watts``; raises what ``trouble`` holds, one reading after the other. None in it is a good reading."""

    url: str = "serial:///dev/ttyUSB0"
    simulated: bool = False
    calibration: Calibration = CALIBRATION
    scale: ScaleOrigin = NAMED
    watts: float = 500.0
    count: int = 1000
    takes_s: float = 0.05
    trouble: deque[BaseException | None] = field(default_factory=deque)
    no_connection: BaseException | None = None
    clock: Clock | None = None
    opened: int = 0
    connected: int = 0
    closed: int = 0

    def open(self, plan: MeterPlan, clock: Clock) -> StubMeter:
        self.opened += 1
        self.clock = clock
        return self

    def connect(self) -> None:
        if self.no_connection is not None:
            raise self.no_connection
        self.connected += 1

    def read(self) -> Reading:
        assert self.clock is not None
        self.clock.sleep(self.takes_s)
        trouble = self.trouble.popleft() if self.trouble else None
        if trouble is not None:
            raise trouble
        self.count = (self.count + COUNTS_PER_SECOND) % (1 << 24)
        known = Quantities(volts=230.0, amps=abs(self.watts) / 230, watts=self.watts, hertz=50.0, power_factor=1.0)
        counts = {"watt": round(self.watts * CALIBRATION.counts_per_watt), "status": int(self.watts < 0), "mode": 0x8F}
        return Reading(
            at=self.clock.now(), monotonic=self.clock.monotonic(), sample=PlainSample(known, counts),
            registers=(RegisterCount(ENERGY, self.count),), simulated=self.simulated,
        )  # fmt: skip

    def close(self) -> None:
        self.closed += 1


class Household:
    """One worker on a manual clock, and the store behind it."""

    def __init__(
        self, folder: Path, meter: StubMeter, *, start: datetime = datetime(2026, 6, 21, 10, tzinfo=UTC),
        store: Store | None = None,
    ) -> None:  # fmt: skip
        self.clock = ManualClock(start)
        self.meter = meter
        self.path = folder / "w.sqlite"
        self.store: Store = store or open_as_gateway(self.path)
        self.start_worker()

    def start_worker(self, name: str = "house", *, poll_s: float = 1.0) -> None:
        self.feed = Feed(self.clock)
        plan = MeterPlan(name=name, url=self.meter.url, poll_s=poll_s)
        self.worker = Worker(plan, self.store, self.feed, clock=self.clock, opener=self.meter.open)

    def step(self, times: int = 1) -> float:
        """Steps with the waits in between; returns the last wait, which is still to come."""
        wait = 0.0
        for _ in range(times):
            self.clock.advance(wait)
            wait = self.worker.step()
        return wait

    def run(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.clock.advance(self.worker.step())

    @property
    def view(self) -> MeterView:
        view = self.feed.view(self.worker.plan.name)
        assert view is not None
        return view
