"""What a benchmark found, as rows of one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Row", "markdown", "text"]

_TITLES = ("what", "wattrail", "beside it", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One number beside its peer's. ``met`` is None where there is no goal."""

    what: str
    ours: str
    peer: str
    ratio: str
    goal: str = ""
    met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        return self.what, self.ours, self.peer, self.ratio, self.goal, verdict


def text(rows: Iterable[Row]) -> str:
    """The table for a terminal."""
    table = [_TITLES, *(row.cells for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_TITLES))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def markdown(rows: Iterable[Row]) -> str:
    """The table for the README."""
    lines = ["| " + " | ".join(_TITLES) + " |", "|---" * len(_TITLES) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row.cells) + " |" for row in rows)])
