"""Digital twins: a meter with a BL0942 or BL0940 that behaves as a real one, byte for byte, on a clock of your choice.

    twin = open_twin("pziot-e01", clock=ManualClock(), scenario="house", seed=7)
    with twin.carrier() as bus: ...

What is documented, captured, inferred and guessed about it stands in docs/twin.md. The twin shares the chips' tables
with the drivers (registers, constants, parts) and none of their code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.clock import Clock, SystemClock
from wattrail.errors import MissingExtra, UrlError

if TYPE_CHECKING:
    from typing import Unpack

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
    try:
        import numpy  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtra("a digital twin", library="numpy", extra="twin") from error
    from difflib import get_close_matches

    from wattrail.twin.boards import BOARDS
    from wattrail.twin.chips import CHIP_MODELS
    from wattrail.twin.options import TwinOptions, contradiction
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
    if fault := contradiction(board, model, scenario, options):
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
