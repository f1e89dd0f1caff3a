"""What can be asked of a twin."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypedDict

from wattrail.front_end import FrontEnd
from wattrail.twin.chip_tables import UartTiming
from wattrail.twin.front_end import Deviation

__all__ = ["STEADY", "THREADINGS", "Threading", "TwinOptions"]


class TwinOptions(TypedDict, total=False):
    """What can be asked of a twin besides its board, scenario and seed."""

    start: str
    """Time of day at the beginning, HH:MM; else the clock's."""
    volts: float
    amps: float
    watts: float
    pf: float
    hertz: float
    """A steady state in place of a scenario; pf and watts are signed, and negative exports."""
    tolerance: float
    """Per cent by which parts and chip gain may be off, drawn from the seed."""
    noise: float
    """Microvolts rms at the current pins."""
    deviation: Deviation
    """All of the front end's errors by hand; excludes tolerance and noise."""
    front_end: FrontEnd
    """Other parts than the board's."""
    chip: str
    """Another chip than the board's on the same parts."""
    sel: Literal["spi", "uart"]
    """The SEL strap, to rehearse a wrong one."""
    strap: int
    """BL0942 on UART: 4800 or 9600."""
    address: int
    """BL0942 on UART: 0 to 3."""
    heads: Literal["58", "50"]
    """BL0940: the variant of the chip, 58 and A8 or 50 and A0."""
    celsius: float
    """BL0940: what its internal temperature sensor is exposed to."""
    baud: int
    """UART: the host's rate; the chip's own if left out."""
    timing: UartTiming
    hz: int
    """SPI: the host's clock."""
    mode: int
    """SPI: the host's mode; only 1 is right."""
    overclocking: bool
    """SPI: frames fail above 800 kHz, half of them at 900 kHz."""
    errors: float
    """Bit error rate on the line, both ways."""
    samples: bool
    """Measure from every sample, not from rms quantities: slower."""
    wiring: Threading
    """Which wires pass the transformer, and how."""
    toggling: bool
    """BL0942: whether STATUS bit 5 moves by chance."""


Threading = Literal["line", "neutral", "both", "twice", "off-centre"]

THREADINGS: Final[Mapping[Threading, float]] = MappingProxyType(
    {"line": 1.0, "neutral": -1.0, "both": 0.0, "twice": 2.0, "off-centre": 0.997}
)
"""What a transformer sees of the line's current. The third of a per cent of a wire at the edge of the hole is a guess.

The neutral carries the same current back; line and neutral together cancel. What leaks to earth, and would be missing
from the neutral, is not modelled.
"""

STEADY: Final = ("volts", "amps", "watts", "pf", "hertz")
