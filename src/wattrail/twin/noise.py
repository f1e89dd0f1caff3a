"""Seeded chance as a function of an index: asked again, or in other portions, it gives the same deviates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "IntArray", "Noise"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BLOCK = 1024
"""Deviates drawn at once. Philox counts blocks, so any block can be drawn without those before it."""


class Noise:
    """Normal deviates, one row for each seed.

    A row depends on its own seed alone: a chip in a bank of a thousand sees the noise it would see by itself.
    """

    def __init__(self, seeds: Sequence[int], stream: int) -> None:
        self._keys = [np.array([seed % 2**64, stream], dtype=np.uint64) for seed in seeds]
        self._drawn: dict[int, FloatArray] = {}

    def normal(self, first: int, count: int) -> FloatArray:
        """Deviates ``first`` to ``first + count``, shape (rows, count), mean 0, deviation 1."""
        low, high = first // BLOCK, (first + count - 1) // BLOCK
        blocks = [self._block(number) for number in range(low, high + 1)]
        self._drawn = {high: blocks[-1]}
        joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        offset = first - low * BLOCK
        return joined[:, offset : offset + count]

    def at(self, index: IntArray) -> FloatArray:
        """The first row's deviates at any indices, in the shape of ``index``."""
        if not index.size:
            return np.zeros(index.shape)
        low, high = int(index.min()), int(index.max())
        found: FloatArray = self.normal(low, high - low + 1)[0][index - low]
        return found

    def _block(self, number: int) -> FloatArray:
        drawn = self._drawn.get(number)
        if drawn is not None:
            return drawn
        # The number of the block in the highest word: blocks cannot run into each other however many deviates one
        # takes.
        counter = [0, 0, 0, number % 2**64]
        rows = [np.random.Generator(np.random.Philox(key=key, counter=counter)) for key in self._keys]
        return np.stack([row.standard_normal(BLOCK) for row in rows])
