"""From the registers of a device to the one or two that are booked: import and export, in one common step.

Devices have import and export apart, or their sum and export, or their difference and export, each perhaps by phase.
Every one of these is a linear map to import and export, exact in the greatest step that divides all others. So an entry
needs two counts at most, and falls, restarts and gaps are judged where they matter: on what is booked.

    import, export      as they are         sum, export   import = sum - export       sum alone   split by power
    net, export         import = net + export             net alone   a chip only: seen too seldom, export cancels out
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import gcd
from typing import Final

from wattrail.energy_register import Direction, EnergyRegister, Persistence
from wattrail.errors import LedgerError

__all__ = ["Channels"]

Term = tuple[int, int]
"""Place of a register, and by how much its count is multiplied."""

_SIGN_OF_EXPORT: Final = {Direction.IMPORT: 0, Direction.SUM: -1, Direction.NET: 1}
"""What export adds to a register of that direction to make it import."""


@dataclass(frozen=True, slots=True)
class Channels:
    """The registers that are booked, and how their counts follow from those of the device."""

    registers: tuple[EnergyRegister, ...]
    _terms: tuple[tuple[Term, ...], ...]

    @classmethod
    def of(cls, registers: Sequence[EnergyRegister]) -> Channels:
        """How a device's registers are booked. Raises LedgerError where they do not give import and export."""
        if len(registers) == 1:
            return cls((_required(registers[0]),), (((0, 1),),))
        # Made one before they are judged: a register of net falls with every export, which looks like a reset by
        # itself.
        step = _common_step(registers)
        terms = [(place, int(register.step_mwh / step)) for place, register in enumerate(registers)]
        by_direction = {
            direction: [term for term in terms if registers[term[0]].direction is direction] for direction in Direction
        }
        exported = by_direction[Direction.EXPORT]
        main = next((one for one in (Direction.IMPORT, Direction.SUM, Direction.NET) if by_direction[one]), None)
        if main is None:
            return cls((_combined(registers, exported, step, Direction.EXPORT),), (tuple(exported),))
        if not exported:
            for place, _ in by_direction[main]:
                _required(registers[place])
            return cls((_combined(registers, by_direction[main], step, main),), (tuple(by_direction[main]),))
        sign = _SIGN_OF_EXPORT[main]
        imported = [*by_direction[main], *((place, sign * times) for place, times in exported if sign)]
        return cls(
            (
                _combined(registers, imported, step, Direction.IMPORT),
                _combined(registers, exported, step, Direction.EXPORT),
            ),
            (tuple(imported), tuple(exported)),
        )

    def counts(self, shown: Sequence[int]) -> tuple[int, ...]:
        """The counts that are booked, from those of the device in the order of its registers."""
        return tuple(sum(shown[place] * times for place, times in terms) for terms in self._terms)


def _required(register: EnergyRegister) -> EnergyRegister:
    # Between two readings minutes apart import and export cancel out in it, and neither can be had back.
    if register.direction is Direction.NET and not register.is_confirmed:
        raise LedgerError(
            f"register {register.name} is import less export, and no register of export is beside it",
            hint="name the export register too, or another that counts import alone",
        )
    return register


def _common_step(registers: Iterable[EnergyRegister]) -> Fraction:
    steps = [register.step_mwh for register in registers]
    common = steps[0]
    for step in steps[1:]:
        a, b = common, step
        common = Fraction(gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)
    return common


def _combined(
    registers: Sequence[EnergyRegister], terms: Sequence[Term], step: Fraction, direction: Direction
) -> EnergyRegister:
    """One register made of several: what bounds and what distrusts it is taken from all of them."""
    used = [(registers[place], abs(times)) for place, times in terms]
    is_difference = len({register.direction for register, _ in used}) > 1
    persistence = {register.persistence for register, _ in used}
    alone = used[0][0] if len(used) == 1 and used[0][1] == 1 else None
    return EnergyRegister(
        name="+".join(dict.fromkeys(register.name for register, _ in used)), step_mwh=step, direction=direction,
        persistence=persistence.pop() if len(persistence) == 1 else Persistence.UNKNOWN,
        max_counts_per_us=sum((register.max_counts_per_us * times for register, times in used), Fraction(0)),
        modulus=alone.modulus if alone else None,
        # each register is rounded down by itself, so a difference may fall by a count of each
        slack=sum(chain((register.slack * times for register, times in used), (t for _, t in used if is_difference))),
        is_confirmed=all(register.is_confirmed for register, _ in used),
        # net and export fall back to saves of different moments, and net rises where it falls back over an export
        may_rise=any(one.may_rise or (is_difference and one.direction is Direction.NET) for one, _ in used),
        is_estimated=any(register.is_estimated for register, _ in used),
    )  # fmt: skip
