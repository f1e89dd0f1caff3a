"""The database: meters, calibration epochs, the ledger, the readings of the last two weeks, and their rollups."""

from wattrail.store.calibrations import KeptCalibration
from wattrail.store.gateway_holder import LockHolder, ReloadOutcome
from wattrail.store.gateway_lock import GatewayLock, lock_holder
from wattrail.store.read_only import StoreReader, open_to_read
from wattrail.store.rows import MeterRow
from wattrail.store.series import Bucket
from wattrail.store.store import DEFAULT_RETENTION, Store, open_store
from wattrail.store.tiers import Retention, SeriesQuantity

__all__ = [
    "DEFAULT_RETENTION",
    "Bucket",
    "GatewayLock",
    "KeptCalibration",
    "LockHolder",
    "MeterRow",
    "ReloadOutcome",
    "Retention",
    "SeriesQuantity",
    "Store",
    "StoreReader",
    "lock_holder",
    "open_store",
    "open_to_read",
]
