"""Harmonics of something periodic, by least squares, from values at uneven moments.

Theory of operation. I_WAVE and V_WAVE hold the last of 7812.5 samples a second. A host reads them one after the
other, whenever its bus lets it, so the two channels are never seen at the same moment and no read stands on a grid.
Interpolating both onto a grid would need a bandwidth guarantee that uneven reads do not give, and would smear their
errors into each other. But mains repeat themselves: the model is a sum of harmonics of one frequency,

    x(t) = sum over k = -H..H of c[k] exp(2 pi i k f t)        c[-k] = conj(c[k])

and least squares fits it to the moments as they are. Its normal equations are a Hermitian Toeplitz matrix of sums of
exp(i m theta), so a fit costs one pass over the reads and a small system. The frequency, which FREQ tells to 0.02 Hz
only, is refined by Gauss-Newton. The uncertainty of each harmonic follows from what the model leaves unexplained. What
is not periodic (an inrush, flicker) cannot be seen this way, and shows as residual.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

__all__ = ["HIGHEST_HZ", "HarmonicFit", "fit", "frequency", "resolved"]

LOWEST_HZ: Final = 44.0
HIGHEST_HZ: Final = 66.0
"""Mains are looked for between these where nothing says where."""

_SCAN_STEP_HZ = 0.5
_REFINING_ORDERS = 3
_REFINEMENTS = 6
_FULL_REFINEMENTS = 2
"""Steps of the frequency, and how many of them, at the end, with every harmonic."""

_READS_PER_UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class HarmonicFit:
    """Coefficients 0 to H, the standard uncertainty of the rms of each, and the rms of what is left."""

    coefficients: tuple[complex, ...]
    sigmas: tuple[float, ...]
    residual: float


def resolved(times: Sequence[float], hertz: float) -> int:
    """The highest harmonic that reads at these moments tell from its aliases, and that they outnumber well."""
    if len(times) < _READS_PER_UNKNOWN * 3:
        return 0
    usual = median(after - before for before, after in pairwise(times))  # a gap makes the other reads no slower
    if usual <= 0:
        return 0  # a clock too coarse to tell reads apart
    return min(int(1 / usual / 2 / hertz), (len(times) // _READS_PER_UNKNOWN - 1) // 2)


def frequency(times: Sequence[float], values: Sequence[float], *, near: float | None, orders: int) -> float:
    """The frequency that explains most, from a rough one or from none.

    Gauss-Newton on the frequency alone: with time counted from the middle it hardly touches the coefficients.
    """
    hertz = near or _scanned(times, values)
    middle = (times[0] + times[-1]) / 2
    centred = [t - middle for t in times]
    for turn in range(_REFINEMENTS):
        few = orders if turn >= _REFINEMENTS - _FULL_REFINEMENTS else min(orders, _REFINING_ORDERS)
        model = _solve(centred, values, hertz, few)[0]
        over, under = 0.0, 0.0
        for t, x in zip(centred, values, strict=True):
            value, slope = _at(model, cmath.exp(2j * math.pi * hertz * t))
            derivative = -4 * math.pi * t * slope
            over += (x - value) * derivative
            under += derivative * derivative
        # Not further at once than the scan steps: a poor slope must not throw it out of the mains.
        hertz += max(-0.5, min(0.5, over / under if under else 0.0))
    return hertz


def fit(times: Sequence[float], values: Sequence[float], hertz: float, orders: int) -> HarmonicFit:
    """Harmonics 0 to ``orders`` of a known frequency. Raises ValueError if the reads do not tell them apart."""
    model, variances = _solve(times, values, hertz, orders)
    squares = 0.0
    for t, x in zip(times, values, strict=True):
        squares += (x - _at(model, cmath.exp(2j * math.pi * hertz * t))[0]) ** 2
    # Less the unknowns: that many reads the model would explain whatever they were.
    residual = math.sqrt(squares / max(1, len(times) - 2 * orders - 1))
    sigmas = tuple(residual * math.sqrt(max(0.0, variance)) for variance in variances)
    return HarmonicFit(tuple(model), sigmas, residual)


def _at(model: Sequence[complex], turn: complex) -> tuple[float, float]:
    """The value at an angle of the fundamental, and the imaginary part of its slope."""
    carrier, value, slope = 1 + 0j, 0j, 0j
    for order in range(1, len(model)):
        carrier *= turn
        part = model[order] * carrier
        value += part
        slope += order * part
    return model[0].real + 2 * value.real, slope.imag


def _scanned(times: Sequence[float], values: Sequence[float]) -> float:
    """The frequency of mains at which a plain sine explains most."""
    steps = int((HIGHEST_HZ - LOWEST_HZ) / _SCAN_STEP_HZ)
    candidates = [LOWEST_HZ + n * _SCAN_STEP_HZ for n in range(steps + 1)]
    return max(
        candidates,
        key=lambda f: abs(sum(x * cmath.exp(-2j * math.pi * f * t) for t, x in zip(times, values, strict=True))),
    )


def _solve(
    times: Sequence[float], values: Sequence[float], hertz: float, orders: int
) -> tuple[list[complex], list[float]]:
    """Coefficients 0..orders, and the diagonal of the inverse of the normal matrix."""
    sums = [0j] * (2 * orders + 1)
    right = [0j] * (orders + 1)
    for t, x in zip(times, values, strict=True):
        turn, carrier = cmath.exp(2j * math.pi * hertz * t), 1 + 0j
        for m in range(2 * orders + 1):
            sums[m] += carrier
            if m <= orders:
                right[m] += x * carrier.conjugate()
            carrier *= turn
    size = 2 * orders + 1
    matrix = [[sums[k - j] if k >= j else sums[j - k].conjugate() for k in range(size)] for j in range(size)]
    inverse = _inverse(matrix)
    whole = [right[-k].conjugate() if k < 0 else right[k] for k in range(-orders, orders + 1)]
    solution = [sum((a * b for a, b in zip(row, whole, strict=True)), 0j) for row in inverse]
    return solution[orders:], [inverse[k][k].real for k in range(orders, size)]


# By hand: numpy gives the same to 4e-14, in 3 ms instead of 24, after an import of 150 ms. It is 73 MB on a board that
# reads waveforms by SPI and has no other use for it (ADR 29).
def _inverse(matrix: list[list[complex]]) -> list[list[complex]]:
    """Gauss-Jordan. The matrix is Hermitian and positive: without pivoting it stays so. Raises ValueError if not."""
    size = len(matrix)
    rows = [[*row, *(1 + 0j if n == j else 0j for n in range(size))] for j, row in enumerate(matrix)]
    for j in range(size):
        pivot = rows[j][j]
        # Against its own size: the sums grow with the number of reads.
        if abs(pivot) < 1e-9 * abs(matrix[j][j]):
            raise ValueError("the reads fall on too few phases of the mains to tell its harmonics apart")
        rows[j] = own = [value / pivot for value in rows[j]]
        for i in range(size):
            if i != j and (factor := rows[i][j]):
                rows[i] = [a - factor * b for a, b in zip(rows[i], own, strict=True)]
    return [row[size:] for row in rows]
