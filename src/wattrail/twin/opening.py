"""A board by its name, a chip on it, and options that do not contradict each other: a running twin.

numpy comes with the extra ``twin``, so what is built on it is imported once we know that it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.clock import Clock, SystemClock
from wattrail.errors import UrlError, needs_library
from wattrail.front_end import CurrentTransformer

if TYPE_CHECKING:
    from typing import Unpack

    from wattrail.twin.boards import BoardWiring
    from wattrail.twin.chip import ChipModel
    from wattrail.twin.options import TwinOptions
    from wattrail.twin.twin import Twin

__all__ = ["open_twin"]


def open_twin(
    name: str = "pziot-e01",
    *,
    clock: Clock | None = None,
    scenario: str | None = None,
    seed: int = 0,
    powered_for: float = 0.0,
    **options: Unpack[TwinOptions],
) -> Twin:
    """A twin of a board, running from now on.

    ``powered_for`` is how long, in seconds, the chip has had its supply already: 0 is a chip at power-on, which has
    measured nothing yet. ``scenario`` is a name or the path of a TOML file; left out it is ``house``, or ``bench`` if
    a steady state (``volts``, ``amps``, ``watts``, ``pf``, ``hertz``) is asked for. The other options are those of
    ``TwinOptions``. Raises UrlError for an unknown board or chip, or for options that contradict each other,
    ConfigError for the scenario, MissingExtra without numpy.
    """
    with needs_library("a digital twin", "numpy", extra="twin"):
        import numpy  # noqa: F401 - only whether it is there
    from difflib import get_close_matches

    from wattrail.twin.boards import BOARDS
    from wattrail.twin.chips import CHIP_MODELS
    from wattrail.twin.options import TwinOptions
    from wattrail.twin.twin import Twin

    known = TwinOptions.__annotations__
    if unknown := options.keys() - known:
        raise TypeError(f"a twin has no option {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")

    if name not in BOARDS:
        close = get_close_matches(name, BOARDS, n=1)
        hint = f"did you mean {close[0]}?" if close else None
        raise UrlError(f"no twin of a board {name!r}; known: {', '.join(BOARDS)}", hint=hint)
    board = BOARDS[name]
    model = CHIP_MODELS.get(options.get("chip", board.chip))
    if model is None:
        raise UrlError(f"no twin of a chip {options['chip']!r}; known: {', '.join(CHIP_MODELS)}")
    if fault := _contradiction(board, model, scenario, options):
        raise UrlError(f"twin {name}: {fault}")
    return Twin(
        board,
        model,
        clock=clock or SystemClock(),
        scenario=scenario,
        seed=seed,
        powered_for=powered_for,
        options=options,
    )


def _contradiction(board: BoardWiring, model: ChipModel, scenario: str | None, options: TwinOptions) -> str | None:
    """What is wrong with the options, or None."""
    from wattrail.twin.chips import CHIP_MODELS
    from wattrail.twin.options import STEADY

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
