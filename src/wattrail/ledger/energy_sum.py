"""Counts of many entries added up as integers, by epoch; energy is made of them once, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from wattrail.ledger.entries import Entry, Epoch
from wattrail.ledger.ledger_slice import Counts, Energy

__all__ = ["EnergySum"]

_NOTHING: Final[Mapping[int, Counts]] = MappingProxyType({})


class EnergySum:
    """Counts by epoch, and milliwatt-hours that a person stated."""

    def __init__(self, counts: Mapping[int, Counts] = _NOTHING) -> None:
        self._counts = {number: list(row) for number, row in counts.items()}
        self._import_mwh = self._export_mwh = 0
        self._energy: Energy | None = None
        """What was derived last; None since something was added."""

    def copy(self) -> EnergySum:
        """The same sum, to go on from."""
        copied = EnergySum(self.counts())
        copied._import_mwh, copied._export_mwh = self._import_mwh, self._export_mwh
        return copied

    def add(self, entry: Entry) -> None:
        """Add an entry, with what it states."""
        self.add_counts(entry.epoch, entry.positive, entry.negative, entry.undirected)
        self._import_mwh += entry.import_mwh
        self._export_mwh += entry.export_mwh

    def add_counts(self, epoch: int, positive: int, negative: int, undirected: int) -> None:
        """Add counts of an epoch; negative ones take away."""
        row = self._counts.get(epoch)
        if row is None:
            row = self._counts[epoch] = [0, 0, 0]
        self._energy = None
        row[0] += positive
        row[1] += negative
        row[2] += undirected

    def counts(self) -> dict[int, Counts]:
        """The counts by epoch."""
        return {number: Counts(*row) for number, row in self._counts.items()}

    def energy(self, epochs: Mapping[int, Epoch]) -> Energy:
        """The energy of all of it, exactly; ``epochs`` are always those of one meter."""
        if self._energy is None:
            energy = Energy(Fraction(self._import_mwh), Fraction(self._export_mwh))
            for number, row in self._counts.items():
                energy = energy.plus(Energy.of(Counts(*row), epochs[number]))
            self._energy = energy
        return self._energy
