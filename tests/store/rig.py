"""A household on a manual clock: readings second by second, booked as the gateway books them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.energy_register import RegisterCount
from wattrail.front_end import FRONT_ENDS
from wattrail.ledger import Entry, Ledger, Observation
from wattrail.store import GatewayLock, Store, open_store
from wattrail.units import PlainSample, Quantities, Reading

CALIBRATION = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
ENERGY = BL0942.energy_register(CALIBRATION)
START = datetime(2026, 6, 21, 10, 0, 0, 250_000, tzinfo=UTC)


def look(second: int, *, start: datetime = START, watts: float | None = None) -> tuple[Reading, Observation]:
    """Reading and observation number ``second``: four counts a second, power swinging through zero."""
    power = 600.0 * (second % 40 - 15) if watts is None else watts
    at, count = start + timedelta(seconds=second), (second * 4 + 16_777_000) % (1 << 24)
    known = Quantities(volts=230.125, amps=abs(power) / 230.125, watts=power, hertz=50.01, power_factor=0.5)
    counts = {"watt": round(power * CALIBRATION.counts_per_watt), "status": int(power < 0), "mode": 0x8F}
    reading = Reading(
        at=at, monotonic=float(second), sample=PlainSample(known, counts), registers=(RegisterCount(ENERGY, count),),
    )  # fmt: skip
    seen = Observation(
        at=at, elapsed_us=1_000_000 if second else None, count=count, watt=reading.watt_count, mode=0x8F,
        status=int(power < 0), last_pulse_negative=power < 0,
    )  # fmt: skip
    return reading, seen


def register(store: Store, name: str = "house", *, calibration: Calibration = CALIBRATION) -> int:
    return store.register_meter(name, "serial:///dev/ttyUSB0", simulated=False, calibration=calibration, at=START).id


def open_as_gateway(path: Path) -> Store:
    """As the gateway has it: alone, and with the journal of readings beside the file. Closing it gives the place up."""
    lock = GatewayLock(path).__enter__()
    store = open_store(path, lock=lock)
    close = store.close

    def close_and_release() -> None:
        close()
        lock.use.release()

    setattr(store, "close", close_and_release)  # noqa: B010 a method of this one store
    return store


def live_through(
    store: Store, meter_id: int, seconds: Sequence[int], *, start: datetime = START, together: int = 1
) -> Ledger:
    """Book seconds, beginning from what the store knows: one by one, or so many of them in a transaction."""
    ledger = store.ledger(meter_id) or Ledger(store.meters()[0].epoch)
    for place in range(0, len(seconds), together):
        looks = [look(second, start=start) for second in seconds[place : place + together]]
        store.append_all([(meter_id, reading, seen, ledger.observe(seen)) for reading, seen in looks])
    return ledger


def never_stopped(seconds: Sequence[int], *, epoch_of: Store) -> tuple[list[Entry], Ledger]:
    """The entries and the ledger of a household whose gateway never stopped."""
    ledger = Ledger(epoch_of.meters()[0].epoch)
    return [entry for second in seconds for entry in ledger.observe(look(second)[1])], ledger


def database(folder: Path) -> Path:
    return folder / "home" / "wattrail.sqlite"
