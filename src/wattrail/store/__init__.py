"""The database: meters, calibration epochs, the ledger, and the readings of the last two weeks."""

from wattrail.store.buckets import Bucket
from wattrail.store.calibrations import KeptCalibration
from wattrail.store.gateway_lock import GatewayLock, LockHolder, running_gateway
from wattrail.store.read_only import StoreReader, open_to_read
from wattrail.store.rows import MeterRow
from wattrail.store.store import RETENTION, Store, open_store

__all__ = [
    "RETENTION",
    "Bucket",
    "GatewayLock",
    "KeptCalibration",
    "LockHolder",
    "MeterRow",
    "Store",
    "StoreReader",
    "open_store",
    "open_to_read",
    "running_gateway",
]
