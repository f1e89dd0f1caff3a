"""Digital twins: a meter with a BL0942 or BL0940 that behaves as a real one, byte for byte, on a clock of your choice.

    twin = open_twin("pziot-e01", clock=ManualClock(), scenario="house", seed=7)
    with twin.carrier() as bus: ...

    board = Board(Path("firmware.bin"))  # a PZIOT-E01 with an emulated module that runs this firmware
    board.wait_for("Started", within=20)

What is documented, captured, inferred and guessed about it stands in docs/twin.md. The twin shares the chips' tables
with the drivers (registers, constants, parts) and none of their code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.twin.opening import open_twin

if TYPE_CHECKING:
    from wattrail.twin.cbu.board import Board

__all__ = ["Board", "open_twin"]


def __getattr__(name: str) -> object:
    """``Board`` comes when it is asked for: it needs the extra ``emulate``, and nothing else here does."""
    if name != "Board":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wattrail.twin.cbu.board import Board

    return Board
