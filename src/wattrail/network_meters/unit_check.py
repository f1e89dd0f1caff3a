"""Finds registers whose unit is mistaken by 1000: by their rise against power over time.

Wh taken for kWh makes every step a thousand times too large, kWh taken for Wh a thousand times too small. Power shows
which within minutes, long before a bill would. Registers of one direction are added up first: of two tariffs only one
counts at a time. Two measurements in a row must say the same: a total that somebody sets, or that firmware restores
late, leaps once and counts on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from wattrail.energy_register import Direction, EnergyRegister, RegisterCount
from wattrail.errors import UnexpectedReply

__all__ = ["UnitCheck"]

MIN_COUNTS: Final = 20
"""Steps of a register below which its rise is too coarse to be compared."""

MIN_WH: Final = 1.0
"""Energy by power below which noise and no-load offsets could explain a ratio."""

MAX_BREAK_S: Final = 300.0
"""A longer time between two readings says nothing about power meanwhile."""

_FAR: Final = 300.0
"""A ratio beyond which no meter error is left as an explanation; a mistaken unit is 1000."""


_SIGNS: Final = {Direction.IMPORT: (1, 0), Direction.EXPORT: (0, 1), Direction.SUM: (1, 1), Direction.NET: (1, -1)}
"""How energy of import and of export counts in a register of that direction."""


class UnitCheck:
    """Follows the readings of one source, from the first one on.

    ``is_stated``: a person states the unit, in ``unit=``, and every mistake is refused. Otherwise the firmware states
    it, and ``scale`` is what a person corrects it by. Too much is refused then too, for registers never fall. Too
    little is booked, as far as it goes, and becomes ``advice``.
    """

    def __init__(self, *, is_stated: bool = True, scale: Fraction = Fraction(1)) -> None:
        self.advice: tuple[str, ...] = ()
        self._is_stated, self._scale = is_stated, scale
        self._at: float | None = None
        self._watts = 0.0
        self._problem: UnexpectedReply | None = None
        self._suspected: dict[Direction, bool] = {}
        """What the measurement before has found: whether registers of a direction rise too much, or too little."""
        self._steps_mwh: dict[str, tuple[EnergyRegister, float]] = {}
        self._restart()

    def check(
        self, monotonic: float, watts: float | None, counts: Sequence[RegisterCount]
    ) -> tuple[RegisterCount, ...]:
        """The registers of one reading at a time of the monotonic clock, seconds, by the scale.

        Raises UnexpectedReply as soon as a unit is certainly wrong, and from then on.
        """
        counts = tuple(self._scaled(count) for count in counts)
        self._integrate(monotonic, watts)
        for count in counts:
            first = self._first.setdefault(count.register.name, count.count)
            # Whether it restarted is for the ledger to judge; here it only says that the rise so far means nothing.
            if count.count < first:
                self._restart()
                break
            self._latest[count.register.name] = count
        for direction in {count.register.direction for count in counts}:
            self._compare(direction)
        if self._problem is not None:
            raise self._problem
        return counts

    def _scaled(self, count: RegisterCount) -> RegisterCount:
        register, scale = count.register, self._scale
        if scale == 1:
            return count
        speed = register.max_counts_per_us / scale
        return replace(count, register=replace(register, step_mwh=register.step_mwh * scale, max_counts_per_us=speed))

    def _step_mwh(self, register: EnergyRegister) -> float:
        """The step of a register as a float: fractions take more time than all else that is done with a reading."""
        known = self._steps_mwh.get(register.name)
        if known is None or known[0] is not register:
            known = self._steps_mwh[register.name] = register, float(register.step_mwh)
        return known[1]

    def _restart(self) -> None:
        self._import_wh = self._export_wh = 0.0
        self._first: dict[str, int] = {}
        self._latest: dict[str, RegisterCount] = {}

    def _integrate(self, monotonic: float, watts: float | None) -> None:
        if self._at is not None:
            seconds = monotonic - self._at
            if seconds > MAX_BREAK_S or not (watts and self._watts):
                # Firmware without a sign shows 0 W while it exports, and its total rises all the same.
                self._restart()
            else:
                energy_wh = (self._watts + watts) / 2 * seconds / 3600
                self._import_wh += max(energy_wh, 0.0)
                self._export_wh += max(-energy_wh, 0.0)
        self._at, self._watts = monotonic, watts or 0.0

    def _compare(self, direction: Direction) -> None:
        energy_wh = self._energy_wh(direction)
        if energy_wh < MIN_WH:
            return
        latest = [count for count in self._latest.values() if count.register.direction is direction]
        steps = [self._step_mwh(count.register) for count in latest]
        rise_mwh = sum(
            step * (count.count - self._first[count.register.name]) for step, count in zip(steps, latest, strict=True)
        )
        if rise_mwh < max(steps, default=0.0) * MIN_COUNTS:
            return
        ratio = rise_mwh / 1000 / energy_wh
        if 1 / _FAR < ratio < _FAR:
            self._suspected.pop(direction, None)
            return
        # Once may be a total that somebody set, or that firmware restored late (Tasmota, until its clock is set).
        if self._suspected.get(direction) == (ratio > 1):
            self._conclude(f"registers of {direction} rose by {rise_mwh / 1000:.3f} Wh", ratio, energy_wh)
        self._suspected[direction] = ratio > 1
        self._restart()
        self._first = {count.register.name: count.count for count in latest}

    def _conclude(self, rose: str, ratio: float, energy_wh: float) -> None:
        way, factor = ("much", ratio) if ratio > 1 else ("little", 1 / ratio)
        text = f"{rose} where power says {energy_wh:.3f} Wh: {factor:.0f} times too {way}"
        if self._is_stated:
            remedy = "set unit= to the other of Wh and kWh"
        elif self._scale != 1:
            remedy = "drop energy_scale= from the URL"
        else:
            remedy = f"set energy_scale={'0.001' if ratio > 1 else '1000'}"
        if self._is_stated or ratio > 1:
            self._problem = UnexpectedReply(text, hint=f"{remedy}, then open the source again")
        else:
            self.advice = (f"{text}; {remedy}",)

    def _energy_wh(self, direction: Direction) -> float:
        counts_import, counts_export = _SIGNS[direction]
        return self._import_wh * counts_import + self._export_wh * counts_export
