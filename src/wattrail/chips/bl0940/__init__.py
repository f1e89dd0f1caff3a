"""The BL0940 energy-metering chip: registers, frames, scaling. Pure: no port, no clock."""

from wattrail.chips.bl0940.chip import BL0940
from wattrail.chips.bl0940.sample import Bl0940Sample

__all__ = ["BL0940", "Bl0940Sample"]
