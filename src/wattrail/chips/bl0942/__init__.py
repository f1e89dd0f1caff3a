"""The BL0942 energy-metering chip: registers, frames, scaling. Pure: no port, no clock."""

from wattrail.chips.bl0942.parts import FRONT_ENDS, FrontEnd
from wattrail.chips.bl0942.registers import REGISTERS
from wattrail.chips.bl0942.scaling import Calibration
from wattrail.chips.bl0942.snapshot import Snapshot
from wattrail.chips.bl0942.spi import SpiLink
from wattrail.chips.bl0942.uart import UartLink

__all__ = ["FRONT_ENDS", "REGISTERS", "Calibration", "FrontEnd", "Snapshot", "SpiLink", "UartLink"]
