"""What can be asked of a twin, and which options contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypedDict

from wattrail.front_end import CurrentTransformer, FrontEnd
from wattrail.twin.boards import Board
from wattrail.twin.chip_model import ChipModel
from wattrail.twin.chips import CHIP_MODELS
from wattrail.twin.front_end import Deviation
from wattrail.twin.uart_engine import UartTiming

__all__ = ["STEADY", "THREADINGS", "Threading", "TwinOptions", "contradiction"]


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


def contradiction(board: Board, model: ChipModel, scenario: str | None, options: TwinOptions) -> str | None:
    """What is wrong with the options, or None."""
    if "amps" in options and "watts" in options:
        return "amps and watts exclude each other"
    if "watts" in options and options.get("pf") == 0:
        return "at pf=0 no current makes watts: give amps"
    steady = [name for name in STEADY if name in options]
    if steady and scenario not in (None, "bench"):
        return f"{steady[0]} holds a steady state and excludes scenario={scenario}"
    if options.get("wiring", "line") != "line" and not isinstance(board.front_end.current, CurrentTransformer):
        return f"wiring={options['wiring']} needs a transformer, and {board.name} has a shunt"
    if "deviation" in options and ("tolerance" in options or "noise" in options):
        return "deviation says everything that tolerance and noise would"
    if board.interface == "spi" and not model.spi:
        return f"the board is wired by SPI, and the {model.title} is modelled on UART only: take lspa9 or bw-shp10"
    other = ("hz", "mode", "overclocking") if board.interface == "uart" else ("baud", "strap", "address", "timing")
    for name in other:
        if name in options:
            return f"{name} means nothing on {board.name}, which is wired by {board.interface.upper()}"
    foreign = {name for other in CHIP_MODELS.values() for name in other.options} - {*model.options}
    for name in sorted(foreign & {*options}):
        return f"{name} means nothing to its chip, a {model.title}"
    return None
