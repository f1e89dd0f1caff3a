"""A virtual meter is derived again from pages of its members' entries, and comes out as from all of them at once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.rig import EPOCHS
from tests.ledger.test_virtual import BALANCE, PHASES, derived, history
from wattrail.ledger import Entry, LedgerSlice, MemberLedger, virtual
from wattrail.ledger.virtual import rederived
from wattrail.store import StoreReader, verification
from wattrail.store.rows import MeterRow

HOUSE = MeterRow(0, "house", BALANCE.url, False, EPOCHS[1])


class Pages(StoreReader):
    """The entries of some meters, as a reader of a database gives them."""

    def __init__(self, ledgers: Mapping[int, Sequence[Entry]]) -> None:
        self._ledgers = ledgers

    def entries_page(self, meter_id: int, after: int, limit: int) -> LedgerSlice:
        return LedgerSlice(entries=tuple(self._ledgers[meter_id][after:][:limit]), epochs=EPOCHS)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 2, 3, 7, 50]), st.sampled_from([1, 2, 5, 1440]))
def test_pages_of_any_size_give_what_the_members_booked(chance: random.Random, rows: int, together: int) -> None:
    books = {name: history(chance) for name in PHASES}
    entries = derived(BALANCE, **books)
    members = {name: MemberLedger(LedgerSlice(entries=(), epochs={})) for name in PHASES}
    by_id = dict(enumerate(PHASES, start=1))
    pages = Pages({0: entries, **{number: books[name] for number, name in by_id.items()}})
    with patch.object(verification, "PAGE_ROWS", rows), patch.object(virtual, "_ENTRIES_AT_ONCE", together):
        followed = verification._followed(pages, HOUSE, {number: members[name] for number, name in by_id.items()})
        for entry, energy in rederived(followed, {1: BALANCE}, members):
            booked = entry.positive, entry.negative, entry.undirected
            assert booked == (energy.import_mwh, energy.export_mwh, energy.undirected_mwh)
