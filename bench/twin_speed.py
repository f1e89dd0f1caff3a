"""How many twins one core carries in real time: chips with all their registers, and chips through every sample."""

from __future__ import annotations

import time

from bench.table import Row, text
from wattrail.clock import Deadline, ManualClock
from wattrail.front_end import FRONT_ENDS
from wattrail.transport.base import Bus
from wattrail.twin import open_twin
from wattrail.twin.chips.bl0942.array import Bl0942Array
from wattrail.twin.front_end import Deviation, FrontEnds, Wiring
from wattrail.twin.mains import Mains
from wattrail.twin.scenario import load_scenario
from wattrail.twin.waveform import SampledFrontEnds

REGISTER_GOAL = 5_000
WAVEFORM_GOAL = 50

MIDDAY_S = 12 * 3600.0


def measure() -> dict[str, float]:
    """Chips per core in real time at both levels, and how much faster than time one polled meter runs."""
    return {
        "register_chips": _chips_in_real_time(chips=5000, houses=50, seconds=20.0, samples=False),
        "waveform_chips": _chips_in_real_time(chips=64, houses=8, seconds=10.0, samples=True),
        "polled_meter_speedup": _polled_meter(seconds=1800),
    }


def rows() -> list[Row]:
    found = measure()
    registers, samples = found["register_chips"], found["waveform_chips"]
    return [
        Row(
            "twin: chips one core carries in real time, registers",
            f"{registers:,.0f}",
            "1, a chip on a desk",
            f"{registers:,.0f}",
            f"{REGISTER_GOAL:,}",
            registers >= REGISTER_GOAL,
        ),
        Row(
            "twin: the same through every sample, 7812.5 a second",
            f"{samples:,.0f}",
            "1, a chip on a desk",
            f"{samples:,.0f}",
            f"{WAVEFORM_GOAL:,}",
            samples >= WAVEFORM_GOAL,
        ),
        Row(
            "twin: one meter polled at 1 Hz over SPI, against time",
            f"{found['polled_meter_speedup']:,.0f} s a second",
            "1 s a second",
            f"{found['polled_meter_speedup']:,.0f}",
        ),
    ]


def _chips_in_real_time(*, chips: int, houses: int, seconds: float, samples: bool) -> float:
    """Chips whose seconds pass in a second, all electrical registers of all of them read every second."""
    bank = _bank(chips, houses, samples=samples)
    bank.snapshot(1.0)
    began = time.process_time()
    for second in range(1, int(seconds) + 1):
        bank.snapshot(1.0 + second)
    return chips * seconds / (time.process_time() - began)


def _bank(chips: int, houses: int, *, samples: bool) -> Bl0942Array:
    mains: list[Mains] = [load_scenario("house", starts_at=MIDDAY_S, seed=seed) for seed in range(houses)]
    offs = [Deviation(amps_ratio=n % 100 / 1e4, dc_mv=0.2, noise_uv=3.0) for n in range(chips)]
    wiring = Wiring([FRONT_ENDS["pziot-e01"]] * chips, offs)
    source = SampledFrontEnds(mains, wiring) if samples else FrontEnds(mains, wiring)
    return Bl0942Array(source, seeds=range(chips))


def _polled_meter(*, seconds: int) -> float:
    """Six registers, read twice, every second, frame by frame through the SPI engine."""
    clock = ManualClock()
    twin = open_twin("pziot-e01", clock=clock, scenario="house", seed=7)
    frames = [bytes((0x58, address, 0, 0, 0, 0)) for address in (0x03, 0x04, 0x06, 0x07, 0x08, 0x09)] * 2
    began = time.process_time()
    with twin.carrier() as bus:
        assert isinstance(bus, Bus)
        for _ in range(seconds):
            clock.advance(1)
            for frame in frames:
                bus.transfer(frame, Deadline.after(1, clock))
    return seconds / (time.process_time() - began)


if __name__ == "__main__":
    print(text(rows()))
