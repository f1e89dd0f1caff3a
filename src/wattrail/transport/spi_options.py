"""Options that all SPI buses share: chip select and clock."""

from __future__ import annotations

from typing import Final

from wattrail.urls import Option, boolean, number_in

__all__ = ["CS_OPTION", "HZ_OPTION", "MAX_HZ", "MODE", "hz_option"]

MODE: Final = 1
MAX_HZ: Final = 900_000
"""The BL0942's fastest clock by its datasheet."""


def hz_option(default: int) -> Option:
    """The clock option with a bus's own default, in hertz."""
    return Option("hz", number_in(int, 1_000, MAX_HZ), default, f"clock in hertz, 1000 to {MAX_HZ}")


# Not the datasheet's 900 kHz: one board was seen to get half its checksums wrong there, and none at 800 kHz.
HZ_OPTION: Final = hz_option(800_000)
CS_OPTION: Final = Option("cs", boolean, True, "cs=no for a chip whose select pin is tied to ground (three wires)")
