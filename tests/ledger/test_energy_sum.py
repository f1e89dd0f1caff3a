"""What a sum of counts keeps between two questions never shows: it answers as a new one does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.rig import EPOCHS, start
from wattrail.ledger import Counts
from wattrail.ledger.energy_sum import EnergySum

ENTRY = start(datetime(2026, 6, 21, 12, tzinfo=UTC))
COUNTS = st.integers(-50, 1000)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([1, 2]), COUNTS, COUNTS, COUNTS, st.sampled_from([0, 0, 700]), st.booleans())
    )
)
def test_a_sum_that_was_asked_before_answers_as_a_new_one(
    steps: list[tuple[int, int, int, int, int, bool]],
) -> None:
    asked, made = EnergySum(), []
    for epoch, positive, negative, undirected, stated_mwh, is_asked in steps:
        made.append(
            replace(
                ENTRY, epoch=epoch, positive=positive, negative=negative, undirected=undirected, import_mwh=stated_mwh
            )
        )
        asked.add(made[-1])
        if is_asked:
            asked.energy(EPOCHS)
        fresh = EnergySum()
        for entry in made:
            fresh.add(entry)
        more = Counts(positive, 0, 3)
        assert asked.energy_with(epoch, more, EPOCHS) == fresh.energy_with(epoch, more, EPOCHS)
        assert asked.copy().energy(EPOCHS) == fresh.energy(EPOCHS)
    assert asked.energy(EPOCHS) is asked.energy(EPOCHS)
