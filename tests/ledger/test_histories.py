"""Seeded days of everything that happens to registers: nothing is invented, and little is lost."""

from __future__ import annotations

import pytest
from bench.histories import live
from bench.simulated_house import SOURCES, Source

every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name.replace(" ", "-"))


@every_source
def test_nothing_is_invented_however_much_happens_at_once(source: Source) -> None:
    # Happenings overlap: a reset behind a zero from a cache, a restart in a silence that the counter outgrows.
    for seed in range(1000, 1003):
        history = live(source, seed, days=2, haste=6)
        assert history.ledger.invented == 0
        assert history.ledger.lost <= history.flowed * 0.05


@every_source
def test_only_what_the_device_forgot_is_lost(source: Source) -> None:
    history = live(source, 7, days=4)
    assert history.ledger.invented == 0
    # Without power, a total that passes its former value in one step is taken for a late restore of it.
    assert history.ledger.lost <= (0 if source.has_power else 20_000)
    assert history.events > 3
