"""Energy of a meter that shows power and counts none: its power, added up here over the time that it was watched.

Each power holds until the next one, in integers: milliwatts times microseconds, so that nothing is lost to rounding
however often the meter is read. A device that says what has changed had that power until then; of one that is asked at
even times, the sum is that of the trapezoid but for half of the first and the last step (ADR 58). Positive power is
import, negative power is export.

A time between two readings that is longer than ``watched_s`` adds nothing: no reading proves what flowed in it. The
ledger takes the same limit for a gap. Counting begins at 0 when the source is opened, and says since when it counts:
to the ledger it is a register that a restart takes back to 0.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from math import isfinite
from typing import Final

from wattrail.energy_register import BootEvidence, Direction, EnergyRegister, Persistence, RegisterCount, fastest
from wattrail.network_meters.decoded import MAX_WATTS, Decoded
from wattrail.units import Reading

__all__ = ["PowerCounter"]

_STEP_MWH: Final = Fraction(1)
_MW_US_PER_MWH: Final = 3_600_000_000


def _register(direction: Direction, max_watts: int) -> EnergyRegister:
    return EnergyRegister(
        name=direction.value,
        step_mwh=_STEP_MWH,
        direction=direction,
        persistence=Persistence.VOLATILE,
        max_counts_per_us=fastest(max_watts, _STEP_MWH),
        is_estimated=True,
    )


class PowerCounter:
    """Counts for one source. A power beyond ``max_watts`` was never measured, and is passed over."""

    def __init__(self, watched_s: float, *, max_watts: int = MAX_WATTS) -> None:
        self._watched_us = round(watched_s * 1e6)
        self._max_mw = max_watts * 1000
        self._registers = _register(Direction.IMPORT, max_watts), _register(Direction.EXPORT, max_watts)
        self._mw_us = [0, 0]
        """Of import and of export, since counting began."""
        self._began_us = 0
        self._before: tuple[int, int] | None = None
        """Moment and milliwatts of the last power."""
        self._has_register = False

    def take(self, decoded: Decoded, monotonic: float) -> tuple[RegisterCount, ...]:
        """Both registers at a moment of the monotonic clock in seconds; nothing where power proves nothing now.

        Once a device has shown a register of its own its power is not counted again.
        """
        if decoded.registers:
            self._has_register, self._before = True, None
        watts = decoded.sample.watts
        if not decoded.is_power_only or self._has_register or watts is None or not isfinite(watts):
            return ()
        now_us, milliwatts = round(monotonic * 1e6), round(watts * 1000)
        if abs(milliwatts) > self._max_mw:
            return ()
        if self._before is None:
            self._began_us = now_us
        else:
            since_us, held = self._before
            if 0 < now_us - since_us <= self._watched_us:
                self._mw_us[held < 0] += abs(held) * (now_us - since_us)
        self._before = now_us, milliwatts
        return tuple(
            RegisterCount(register, total // _MW_US_PER_MWH)
            for register, total in zip(self._registers, self._mw_us, strict=True)
        )

    def reading(
        self, decoded: Decoded, registers: tuple[RegisterCount, ...], *, at: datetime, monotonic: float, simulated: bool
    ) -> Reading:
        """The reading of a message: with its own ``registers``, whose unit was checked, or with those counted here."""
        counted = self.take(decoded, monotonic)
        # What the device says of its restarts means nothing to a register that is counted here.
        evidence = BootEvidence(uptime_s=monotonic - self._began_us / 1e6) if counted else decoded.evidence
        return Reading(
            at=at,
            monotonic=monotonic,
            sample=decoded.sample,
            registers=counted or registers,
            evidence=evidence,
            freshness=decoded.freshness,
            simulated=simulated,
        )
