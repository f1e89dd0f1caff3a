"""Counts of many entries added up as integers, by epoch; energy is made of them once, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from wattrail.ledger.entries import Entry, Epoch
from wattrail.ledger.ledger_slice import Counts, Energy

__all__ = ["EnergySum"]

_NO_COUNTS: Final = Counts(0, 0, 0)
_NOTHING: Final[Mapping[int, Counts]] = MappingProxyType({})


class EnergySum:
    """Counts by epoch, and milliwatt-hours that a person stated."""

    def __init__(self, counts: Mapping[int, Counts] = _NOTHING) -> None:
        self._counts = {number: list(row) for number, row in counts.items()}
        self._import_mwh = self._export_mwh = 0
        self._rest: tuple[int, Energy] | None = None
        """An epoch, and the energy of all the others; None since something was added to these."""
        self._energy: Energy | None = None
        """The energy of all of it; None since something was added."""
        self._latest = next(reversed(self._counts), 0)
        """The epoch to which counts were added last, which as a rule is the next to get some."""

    def copy(self) -> EnergySum:
        """The same sum, to go on from."""
        copied = EnergySum(self.counts())
        copied._import_mwh, copied._export_mwh = self._import_mwh, self._export_mwh
        copied._latest = self._latest
        return copied

    def add(self, entry: Entry) -> None:
        """Add an entry, with what it states."""
        self.add_counts(entry.epoch, entry.positive, entry.negative, entry.undirected)
        if entry.import_mwh or entry.export_mwh:
            self._import_mwh += entry.import_mwh
            self._export_mwh += entry.export_mwh
            self._rest = None

    def add_counts(self, epoch: int, positive: int, negative: int, undirected: int) -> None:
        """Add counts of an epoch; negative ones take away."""
        row = self._counts.get(epoch)
        if row is None:
            row = self._counts[epoch] = [0, 0, 0]
        if self._rest is not None and self._rest[0] != epoch:
            self._rest = None
        self._energy, self._latest = None, epoch
        row[0] += positive
        row[1] += negative
        row[2] += undirected

    def counts(self) -> dict[int, Counts]:
        """The counts by epoch."""
        return {number: Counts(*row) for number, row in self._counts.items()}

    def energy(self, epochs: Mapping[int, Epoch]) -> Energy:
        """The energy of all of it, exactly: the same object until something is added."""
        if self._energy is None:
            self._energy = self.energy_with(self._latest, _NO_COUNTS, epochs) if self._counts else Energy()
        return self._energy

    def energy_with(self, number: int, more: Counts, epochs: Mapping[int, Epoch]) -> Energy:
        """As ``energy``, with more counts of one epoch: what a meter asks at each reading, so all else is kept."""
        # Kept, for it is asked at each reading: fractions of all epochs, derived each time, were a good part of what
        # one cost (ADR 45).
        if self._rest is None or self._rest[0] != number:
            self._rest = number, self._without(number, epochs)
        positive, negative, undirected = self._counts.get(number, (0, 0, 0))
        counts = Counts(positive + more.positive, negative + more.negative, undirected + more.undirected)
        return Energy.of(counts, epochs[number]).plus(self._rest[1])

    def _without(self, left_out: int, epochs: Mapping[int, Epoch]) -> Energy:
        stated = Energy(Fraction(self._import_mwh), Fraction(self._export_mwh))
        energy = stated if any(stated) else Energy()
        for number, row in self._counts.items():
            if number != left_out:
                energy = energy.plus(Energy.of(Counts(*row), epochs[number]))
        return energy
