"""A meter as publishers see it, and the store with its account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from tests.gateway.rig import CALIBRATION
from wattrail.clock import SystemClock
from wattrail.database_address import DatabaseAddress
from wattrail.gateway import Feed, MeterState, MeterView
from wattrail.ledger import Totals
from wattrail.publish import ConsumerContext, PublisherBoard, PublisherState
from wattrail.publish.values import LiveValues, PublishedMeter, RegisterValues, live_values
from wattrail.store import open_store
from wattrail.units import Quantities, Reading

AT = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
EXPORTING = Quantities(volts=230.4, amps=7.963, watts=-1834.5, hertz=49.98, power_factor=-0.99)
TOTALS = Totals(1_234_567_891, 89_012_345)
HOUSE = PublishedMeter(identity="house_a1b2c3", name="house")
REGISTERS = RegisterValues.of(TOTALS, AT)


def reading(known: Quantities = EXPORTING, *, at: datetime = AT) -> Reading:
    return Reading(at=at, monotonic=SystemClock().monotonic(), sample=known)


def live(known: Quantities = EXPORTING) -> LiveValues:
    return live_values(reading(known))


def view(
    name: str = "house",
    known: Quantities = EXPORTING,
    *,
    at: datetime = AT,
    total: Totals | None = TOTALS,
    state: MeterState = MeterState.LIVE,
    simulated: bool = False,
) -> MeterView:
    return MeterView(
        name=name, url="serial:///dev/ttyUSB0", simulated=simulated, poll_s=10.0, state=state,
        reading=reading(known, at=at), total=total,
    )  # fmt: skip


@dataclass
class Site:
    """A database with accounts for some meters, a feed of views, and the board of the publishers."""

    folder: Path
    names: tuple[str, ...] = ("house",)
    zone: tzinfo = UTC
    feed: Feed = field(default_factory=Feed)
    board: PublisherBoard = field(default_factory=PublisherBoard)
    address: DatabaseAddress | None = None

    def __post_init__(self) -> None:
        self.open_accounts(*self.names)

    @property
    def database(self) -> DatabaseAddress:
        return self.address or self.folder / "site.sqlite"

    def open_accounts(self, *names: str) -> None:
        with open_store(self.database) as store:
            for name in names:
                store.register_meter(name, "serial:///dev/ttyUSB0", simulated=False, calibration=CALIBRATION, at=AT)

    def context(self) -> ConsumerContext:
        return ConsumerContext(database=self.database, meters=self.names, board=self.board, zone=self.zone)

    def show(self, name: str = "house", *, minute: int = 0, watts: float = 500.0, step_mwh: int = 8_000_000) -> None:
        """A reading so many minutes later, with registers that moved by as much for each."""
        at = AT + timedelta(minutes=minute)
        total = Totals(TOTALS.import_mwh + minute * step_mwh, TOTALS.export_mwh)
        self.feed.publish(view(name, Quantities(volts=230.0, watts=watts), at=at, total=total))

    def state(self, name: str) -> PublisherState:
        return next(state for state in self.board.states() if state.name == name)
