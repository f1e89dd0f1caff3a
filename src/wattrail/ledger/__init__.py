"""From counters to energy: import and export as two registers that never fall. Pure, integer, append-only."""

from wattrail.ledger.entries import Entry, Epoch, Kind, Observation, Totals
from wattrail.ledger.ledger import Ledger

__all__ = ["Entry", "Epoch", "Kind", "Ledger", "Observation", "Totals"]
