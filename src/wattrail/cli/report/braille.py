"""A curve in a few lines of text: eight dots a character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["plot"]

_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots in a braille cell, by row and column."""


def plot(values: Sequence[float], *, width: int, height: int, peak: float) -> list[str]:
    """Lines of ``width`` characters; the middle of the picture is zero, its upper edge ``peak``."""
    rows, columns = 4 * height, 2 * width
    cells = [[0] * width for _ in range(height)]

    def row_of(value: float) -> int:
        return min(rows - 1, max(0, round((1 - value / (peak or 1.0)) / 2 * (rows - 1))))

    before = None
    for column in range(columns):
        row = row_of(values[column * len(values) // columns])
        first, last = sorted((row, row if before is None else before))
        for y in range(first, last + 1):
            if y != before or y == row:  # the column before has that dot already
                cells[y // 4][column // 2] |= _DOTS[y % 4][column % 2]
        before = row
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]
