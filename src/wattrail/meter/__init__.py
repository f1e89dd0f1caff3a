"""A meter by URL: the chip's core times a carrier, in readings that can be trusted."""

from wattrail.meter.chip_client import Statistics
from wattrail.meter.meter import Meter
from wattrail.meter.opening import open_meter

__all__ = ["Meter", "Statistics", "open_meter"]
