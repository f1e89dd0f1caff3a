"""The BL0942 energy-metering chip: registers, frames, scaling. Pure: no port, no clock."""

from wattrail.chips.bl0942.chip import BL0942
from wattrail.chips.bl0942.sample import Bl0942Sample

__all__ = ["BL0942", "Bl0942Sample"]
