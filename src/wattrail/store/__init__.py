"""The database: meters, calibration epochs, the ledger, and the readings of the last two weeks."""

from wattrail.store.buckets import Bucket
from wattrail.store.rows import MeterRow
from wattrail.store.store import RETENTION, Store, open_store

__all__ = ["RETENTION", "Bucket", "MeterRow", "Store", "open_store"]
