"""What a benchmark found, as rows of one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["HEADLINES", "Row", "headlines", "markdown", "text"]

HEADLINES = (
    "`wattrail --help`",
    "a day of `house` (32 crossings), import",
    "a day of `house` (32 crossings), export",
    "wrong readings, SPI",
    "wrong readings, UART",
    "gateway: start",
    "images: adding block CRCs",
    "flash: read 2 MiB at 921600, chip works as real",
    "flash: write 2 MiB at 921600, chip works as real",
    "flash: write 2 MiB, 5 % changed at 921600, chip works as real",
)
"""How the rows that stand in the README begin; of several that begin alike, the first. docs/numbers.md has all."""

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


def headlines(rows: Iterable[Row]) -> list[Row]:
    """The rows for the README. Raises LookupError for a headline that no row has: it was renamed."""
    kept = list(rows)
    found = []
    for start in HEADLINES:
        row = next((row for row in kept if row.what.startswith(start)), None)
        if row is None:
            raise LookupError(f"no row of the benchmark begins with {start!r}")
        found.append(row)
    return found


def text(rows: Iterable[Row]) -> str:
    """The table for a terminal."""
    table = [_TITLES, *(row.cells for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_TITLES))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def markdown(rows: Iterable[Row]) -> str:
    """The table for a page."""
    lines = ["| " + " | ".join(_TITLES) + " |", "|---" * len(_TITLES) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row.cells) + " |" for row in rows)])
