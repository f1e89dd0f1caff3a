"""The BL0940 energy-metering chip: registers, frames, scaling. Pure: no port, no clock."""
