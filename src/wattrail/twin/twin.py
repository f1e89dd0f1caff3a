"""A whole meter: mains, front end, chip, engine and faults on one clock. ``wattrail.twin.open_twin`` makes one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from wattrail.clock import Clock
from wattrail.twin.boards import BoardWiring
from wattrail.twin.chip import ChipModel, MeterChip
from wattrail.twin.faults import Faults
from wattrail.twin.front_end import Deviation, FrontEnds, Wiring
from wattrail.twin.loads import DAY_S, begins_at
from wattrail.twin.mains import Mains
from wattrail.twin.options import STEADY, THREADINGS, TwinOptions
from wattrail.twin.ports import TwinBus, TwinPort
from wattrail.twin.scenario import load_scenario
from wattrail.twin.spi_engine import SpiEngine
from wattrail.twin.truth import Truth
from wattrail.twin.uart_engine import UartEngine
from wattrail.twin.waveform import SampledFrontEnds, WaveformSampler

__all__ = ["Twin"]

NOISE_UV = 3.0
"""White noise at the current pins: a fifth of a BL0942's readings without load have a residue, as captured (3 of 16).

It also explains 4 of the 6 % by which the datasheet lets I_RMS be off at 10 mA."""


class Twin:
    """One meter that exists only here. It runs on ``clock`` from the moment it is made.

    Several carriers may be opened, one after the other or at once: all of them reach the same chip.
    """

    def __init__(
        self,
        board: BoardWiring,
        model: ChipModel,
        *,
        clock: Clock,
        scenario: str | None,
        seed: int,
        powered_for: float,
        options: TwinOptions,
    ) -> None:
        self.board = board
        self.model = model
        self.clock = clock
        self.url = f"twin://{board.name}"
        self._epoch = clock.monotonic()
        self._options = options
        starts_at = (begins_at(options.get("start"), clock) - powered_for) % DAY_S
        steady = any(name in options for name in STEADY)
        self.mains = load_scenario(scenario or ("bench" if steady else "house"), starts_at=starts_at, seed=seed)
        if steady:  # before there is a chip: it has never seen anything else, however long its making takes
            _hold_steady(self.mains, options)
        self._wire(seed, options)
        self.truth = Truth(self.mains, self.now)
        self._epoch -= powered_for

    @property
    def chip(self) -> MeterChip:
        """The register file, past every bus: ``peek``, ``poke``, ``stick``, ``output``."""
        return self._chip

    @property
    def faults(self) -> Faults:
        """What can go wrong, as calls."""
        return self._faults

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Guards the chip and its engine where threads share a twin."""
        return self._chip.lock

    @property
    def interface(self) -> Literal["spi", "uart"]:
        """What the board's wires carry, whatever the chip is strapped to."""
        return self.board.interface

    @property
    def address(self) -> int | None:
        """The chip's address on its UART; None for a chip that has none."""
        return self._options.get("address", 0) if "address" in self.model.options else None

    def now(self) -> float:
        """Seconds since the twin began."""
        return self.clock.monotonic() - self._epoch

    def carrier(self, *, url: str | None = None) -> TwinPort | TwinBus:
        """Another end of the cable: a Port for a UART board, a Bus for an SPI one."""
        url = url or self.url
        if self.interface == "uart":
            return TwinPort(self, self.uart, url=url, baud=self._options.get("baud"))
        return TwinBus(self, self.spi, url=url, hz=self._options.get("hz", 800_000), mode=self._options.get("mode", 1))

    def set(
        self,
        *,
        volts: float | None = None,
        amps: float | None = None,
        watts: float | None = None,
        pf: float | None = None,
        hertz: float | None = None,
        leading: bool | None = None,
    ) -> None:
        """Change the mains by hand, from the next tick (40 ms) on; what is left out stays.

        ``amps`` or ``watts`` replaces everything on the conductor, by a current that lags unless ``leading``. Raises
        ValueError if both are given, or watts at a power factor of 0.
        """
        if watts is not None:
            if amps is not None:
                raise ValueError("give amps or watts, not both")
            amps, pf = _current_of(watts, self.truth.volts if volts is None else volts, pf)
        with self._changing():
            self.mains.set(self.now(), volts=volts, amps=amps, power_factor=pf, hertz=hertz, leading=leading)

    def switch(self, load: str, on: bool | None) -> None:
        """Turn one of the scenario's loads on or off; None gives it back to its schedule. Raises KeyError."""
        with self._changing():
            self.mains.switch(self.now(), load, on)

    def follow_scenario(self) -> None:
        """Undo every ``set``."""
        with self._changing():
            self.mains.release(self.now())

    def brown_out(self) -> None:
        """The chip's supply drops and comes back; see ``Faults``."""
        self._chip.power_on()

    def reverse_transformer(self, reversed_: bool) -> None:
        """The conductor passes the transformer the other way; see ``Faults``."""
        with self._changing():
            self._wiring.direction[:] = self._way * (-1.0 if reversed_ else 1.0)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self.lock, self._chip.array.changing(self.now()):
            yield
            self._waves.forget()

    def _wire(self, seed: int, options: TwinOptions) -> None:
        self._wiring = Wiring(
            [options.get("front_end", self.board.front_end)], [_deviation(seed, options, self.model.dc_mv)]
        )
        seen = THREADINGS[options.get("wiring", "line")]
        # The sign apart: a fault turns the transformer over, and must come back to how the wire was threaded.
        self._way = -1.0 if seen < 0 else 1.0
        self._wiring.direction[:] = self._way
        self._wiring.mv_per_amp *= abs(seen)
        sampled = SampledFrontEnds([self.mains], self._wiring)
        self._waves = WaveformSampler(sampled, self.model.array.silicon)
        source = sampled if options.get("samples") else FrontEnds([self.mains], self._wiring)
        array = self.model.array(source, seeds=[seed], waves=self._waves, options=options)
        self._chip = MeterChip(array, 0, self.now)
        self._faults = Faults(self, self._chip, seed)
        self._faults.noise(options.get("errors", 0.0))
        sel = options.get("sel", self.board.interface)
        # Both, whatever the board: a strap that is set wrong is one of the faults to rehearse.
        self.uart = UartEngine(
            self._chip,
            self._faults,
            self.model.uart,
            self.model.heads({"heads": self.board.heads, **options}),
            strap_baud=options.get("strap", self.board.baud),
            listening=sel == "uart",
            timing=options.get("timing"),
        )
        self.spi = SpiEngine(
            self._chip,
            self._faults,
            self.now,
            chip_select=self.board.chip_select,
            selected=sel == "spi",
            overclocking=options.get("overclocking", False),
            seed=seed,
        )


def _hold_steady(mains: Mains, options: TwinOptions) -> None:
    """The state that was asked for, as if it had always been so."""
    volts, pf, amps = options.get("volts", 230.0), options.get("pf"), options.get("amps", 5.0)
    if "watts" in options:
        amps, pf = _current_of(options["watts"], volts, pf)
    mains.set(-math.inf, volts=volts, amps=amps, power_factor=pf, hertz=options.get("hertz"))


def _current_of(watts: float, volts: float, pf: float | None) -> tuple[float, float]:
    """Amperes and signed power factor that make these watts. Raises ValueError at a power factor of 0."""
    if pf == 0:
        raise ValueError("at a power factor of 0 no current makes watts: give amps")
    signed = abs(1.0 if pf is None else pf) * (-1 if watts < 0 else 1)
    return (watts / (volts * signed) if volts else 0.0), signed


def _deviation(seed: int, options: TwinOptions, dc_mv_range: tuple[float, float]) -> Deviation:
    if "deviation" in options:
        return options["deviation"]
    chance = random.Random(seed)
    # Drawn first, and always: another tolerance leaves the same seed with the same offset.
    dc_mv = chance.uniform(*dc_mv_range)
    off = options.get("tolerance", 0.0) / 100
    return Deviation(
        volts_ratio=chance.uniform(-off, off),
        amps_ratio=chance.uniform(-off, off),
        phase_degrees=chance.uniform(0, 30 * off),  # a transformer leads
        dc_mv=dc_mv,
        noise_uv=options.get("noise", NOISE_UV),
    )
