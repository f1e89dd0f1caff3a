"""The meter behind a simulated network device: mains physics in, quantities and a register with bad habits out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wattrail.clock import Clock
from wattrail.twin.loads import DAY_S, begins_at
from wattrail.twin.mains import Mains
from wattrail.twin.network.register_habits import UJ_PER_WH, RegisterHabits, SimulatedRegister
from wattrail.twin.scenario import load_scenario
from wattrail.twin.truth import Truth

__all__ = ["Shown", "SimulatedNetworkMeter"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the firmware has measured last. ``watts`` is signed: positive is import."""

    volts: float
    amps: float
    watts: float
    hertz: float

    @property
    def power_factor(self) -> float:
        """Active over apparent power, 1 without load, as OpenBeken and Tasmota show it."""
        apparent = self.volts * self.amps
        return min(1.0, abs(self.watts) / apparent) if apparent else 1.0


class SimulatedNetworkMeter:
    """One conductor and the registers that firmware makes of it; every fault is a call on ``registers``.

    Energy flows into the registers when somebody looks (``update``): between two updates nothing can be seen. ``truth``
    is what really flowed. ``export_habits`` gives it a second register.
    """

    def __init__(
        self,
        habits: RegisterHabits,
        *,
        clock: Clock,
        scenario: str = "house",
        seed: int = 0,
        start: str | None = None,
        total_wh: int = 0,
        export_habits: RegisterHabits | None = None,
    ) -> None:
        self.clock = clock
        self._epoch = clock.monotonic()
        self.mains: Mains = load_scenario(scenario, starts_at=begins_at(start, clock), seed=seed)
        self.truth = Truth(self.mains, self.now)
        self.register = SimulatedRegister(habits, total_uj=total_wh * UJ_PER_WH)
        self.export = SimulatedRegister(export_habits) if export_habits else None
        self._seen = (0.0, 0, 0)

    @property
    def registers(self) -> tuple[SimulatedRegister, ...]:
        """All registers of the device."""
        return (self.register,) if self.export is None else (self.register, self.export)

    def now(self) -> float:
        """Seconds since the device was made."""
        return self.clock.monotonic() - self._epoch

    def set(
        self, *, volts: float | None = None, amps: float | None = None, watts: float | None = None,
        pf: float | None = None, hertz: float | None = None,
    ) -> None:  # fmt: skip
        """Hold this state in place of the scenario, from now on; before the first look: always.

        ``watts`` is signed, and holds 230 V unless ``volts`` says otherwise.
        """
        if watts is not None:
            volts, pf = volts or 230.0, abs(pf or 1.0) * math.copysign(1.0, watts)
            amps = watts / (volts * pf)
        at = self.now() if self._seen[0] else -math.inf
        self.mains.set(at, volts=volts, amps=amps, power_factor=pf, hertz=hertz)

    def update(self) -> Shown:
        """Let the registers count up to now, and give what the firmware measures."""
        at, import_uj, export_uj = self._seen
        now = self.now()
        import_now, export_now = round(self.truth.import_wh * UJ_PER_WH), round(self.truth.export_wh * UJ_PER_WH)
        self._flow(import_now - import_uj, export_now - export_uj, at, now)
        self._seen = (now, import_now, export_now)
        state = self.truth.state
        return Shown(float(state.volts[0]), float(state.amps[0]), float(state.watts[0]), float(state.hertz[0]))

    def _flow(self, import_uj: int, export_uj: int, at: float, now: float) -> None:
        """Energy between two updates; midnights between them share it evenly over time."""
        while (midnight := self._next_midnight(at)) <= now:
            share = (midnight - at) / (now - at)
            before = round(import_uj * share), round(export_uj * share)
            for register in self.registers:
                register.flow(*before, seconds=midnight - at)
                register.midnight()
            import_uj, export_uj, at = import_uj - before[0], export_uj - before[1], midnight
        for register in self.registers:
            register.flow(import_uj, export_uj, seconds=now - at)

    def _next_midnight(self, time: float) -> float:
        return ((time + self.mains.starts_at) // DAY_S + 1) * DAY_S - self.mains.starts_at
