"""What a reversal leaves in the registers.

A manual entry that was wrong is reversed by another one, with its numbers and the other sign, at the same time. So the
energy of every period is what it would be without the two. A register that was shown does not fall for that: what was
reversed stays in it, until what is stated later has used it up. See docs/adr/0053.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from wattrail.ledger.entries import Entry, EntryKind, Epoch
from wattrail.ledger.ledger_slice import Energy

__all__ = ["energy_of_entry", "left_in_registers", "reversals"]


def reversals(stated: Iterable[Entry]) -> dict[int, Entry]:
    """Which manual entry is reversed by which other, by the number of the first."""
    return {entry.about: entry for entry in stated if entry.kind is EntryKind.REVERSED}


def energy_of_entry(entry: Entry, epochs: Mapping[int, Epoch]) -> Energy:
    """The energy of one entry, counted and stated, exactly."""
    stated = Energy(Fraction(entry.import_mwh), Fraction(entry.export_mwh), Fraction(0))
    return Energy.of(entry, epochs[entry.epoch]).plus(stated)


def left_in_registers(stated: Iterable[Entry], epochs: Mapping[int, Epoch]) -> Energy:
    """The reversed energy that the registers still show: the most that was ever stated, less what holds of it."""
    ordered = sorted(stated, key=lambda entry: entry.sequence)
    if not reversals(ordered):
        return Energy()
    # The highest that was ever shown stays: Home Assistant takes a fall for a new meter and counts its whole register
    # again.
    sums = highest = (Fraction(0), Fraction(0))
    for entry in ordered:
        energy = energy_of_entry(entry, epochs)
        sums = sums[0] + energy.import_, sums[1] + energy.export
        highest = max(highest[0], sums[0]), max(highest[1], sums[1])
    return Energy(highest[0] - sums[0], highest[1] - sums[1])
