"""Seeded months of everything that happens to registers: nothing is invented, and little is lost."""

from __future__ import annotations

import pytest
from bench.histories import live
from bench.simulated_house import SOURCES, Source

SEEDS = 3
STEPS_LOST_WITHOUT_POWER = 20_000
"""Milliwatt-hours: without power, a total that passes its former value in one step is taken for a late restore."""


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name.replace(" ", "-").replace(",", ""))
def test_nothing_is_invented_and_only_what_the_device_forgot_is_lost(source: Source) -> None:
    for seed in range(SEEDS):
        history = live(source, 1000 + seed, days=6)
        assert history.ledger.invented == 0
        assert history.ledger.lost <= (0 if source.has_power else STEPS_LOST_WITHOUT_POWER)
        assert history.flowed > 100_000_000
