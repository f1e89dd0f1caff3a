"""Least squares through the origin: the constants, and the phase error, that suit the points best.

A constant is ``counts / quantity``. With several loads it is the line through the origin with the least squares, so
the largest load, where noise and rounding weigh least, has the most to say. The chip ties the three constants together
(``Scaling.watt_identity``): what was not measured follows from what was. Source: bl0942-ds/formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from wattrail.metrology.calibrate import (
    REACTIVE_BELOW,
    CalibrationError,
    CalibrationFit,
    CalibrationPoint,
    Constant,
    Given,
    Load,
    Mean,
    PhaseError,
    Reference,
    phase_of_one_load,
)

__all__ = ["fit"]

_REACTIVE_SHARE: Final = 0.4
"""Reactive over apparent power that a load needs before it can tell a phase error."""


def fit(points: Sequence[CalibrationPoint]) -> CalibrationFit:
    """The constants that suit the points best. Raises CalibrationError if no point has a reference, or no counts.

    Power is fitted from resistive loads; with a reactive one beside them, power and phase error are fitted together.
    With reactive loads alone the phase error follows from volts and amperes by the identity, and the constant from it.
    """
    per_volt = _constant([(ref, p.v_rms) for p in points if (ref := p.reference.volts)])
    per_amp = _constant([(ref, p.i_rms) for p in points if (ref := p.reference.amps)])
    inverted, sign = _direction(points)
    known = [p for p in points if p.reference.watts]
    reactive = [p for p in known if _share(p.reference) >= _REACTIVE_SHARE]
    resistive = [p for p in known if abs(p.reference.power_factor or 1.0) >= REACTIVE_BELOW]
    per_watt: Constant | None
    # A reactive load by itself cannot tell a wrong constant from a turned current: that takes a resistive one beside
    # it, or volts and amperes and the identity of the chip.
    phase: PhaseError | None = None
    if reactive and resistive:
        per_watt, phase = _power_and_phase(known, sign)
    elif reactive and per_volt and per_amp:
        per_watt, phase = _power_by_identity(reactive, per_volt, per_amp, sign)
    else:
        per_watt = _constant([(ref, _signed(p.watt, sign)) for p in resistive or known if (ref := p.reference.watts)])
    if not (per_volt or per_amp or per_watt):
        raise CalibrationError("no reference, no calibration", hint="give volts, amperes or watts, best all three")
    return CalibrationFit(per_volt, per_amp, per_watt, phase, inverted, points[0].scaling)


def _constant(pairs: Sequence[tuple[Given, Mean]]) -> Constant | None:
    """The line through the origin: counts over quantity."""
    if not pairs:
        return None
    square = math.fsum(given.value**2 for given, _ in pairs)
    slope = math.fsum(given.value * counts.value for given, counts in pairs) / square
    if slope <= 0:
        raise CalibrationError(
            "the chip counted nothing while the reference showed something",
            hint="is the load on, and does its wire pass the transformer? below a few tenths of a watt the chip sleeps",
        )
    lines = [slope * given.value for given, _ in pairs]
    residuals = tuple(counts.value / line - 1 for (_, counts), line in zip(pairs, lines, strict=True))
    known = math.fsum(given.value**2 * (c.error**2 + (slope * given.error) ** 2) for given, c in pairs) / square**2
    off = math.fsum((r * line) ** 2 for r, line in zip(residuals, lines, strict=True))
    scatter = off / ((len(pairs) - 1) * square) if len(pairs) > 1 else 0.0
    # The larger of two: what the readings know of themselves, and how far the loads lie off one line.
    return Constant(slope, math.sqrt(max(known, scatter)), residuals)


def _power_and_phase(points: Sequence[CalibrationPoint], sign: int) -> tuple[Constant, PhaseError]:
    """WATT = a P + b Q by least squares: a is the constant at power factor 1, b / a the tangent of the phase error."""
    rows = [(w.value, p.reference.reactive, _signed(p.watt, sign), w) for p in points if (w := p.reference.watts)]
    aa, ab, bb = _sums(rows, lambda p, q: p * p), _sums(rows, lambda p, q: p * q), _sums(rows, lambda p, q: q * q)
    determinant = aa * bb - ab * ab
    at_p = math.fsum(p * m.value for p, _, m, _ in rows)
    at_q = math.fsum(q * m.value for _, q, m, _ in rows)
    a, b = (bb * at_p - ab * at_q) / determinant, (aa * at_q - ab * at_p) / determinant
    weights = [((bb * p - ab * q) / determinant, (aa * q - ab * p) / determinant) for p, q, _, _ in rows]
    noise = [math.hypot(m.error, a * given.error) for _, _, m, given in rows]
    per_watt = math.sqrt(math.fsum((wa * n) ** 2 for (wa, _), n in zip(weights, noise, strict=True)))
    turn = math.sqrt(math.fsum(((a * wb - b * wa) * n) ** 2 for (wa, wb), n in zip(weights, noise, strict=True)))
    residuals = tuple(m.value / (a * p + b * q) - 1 for p, q, m, _ in rows)
    phase = PhaseError(math.degrees(math.atan2(b, a)), math.degrees(turn / (a * a + b * b)))
    return Constant(a, per_watt, residuals), phase


def _power_by_identity(
    points: Sequence[CalibrationPoint], per_volt: Constant, per_amp: Constant, sign: int
) -> tuple[Constant, PhaseError]:
    """Phase error from reactive loads alone, volts and amperes being known; then the constant at power factor 1."""
    angles, errors = [], []
    for point in points:
        true = point.reference.power_factor or 0.0
        load = Load.LAGGING if point.reference.reactive > 0 else Load.LEADING
        angles.append(phase_of_one_load(sign * point.power_factor, true, load))
        given, seen = point.reference, (point.watt, point.v_rms, point.i_rms)
        error = math.hypot(*map(_relative, (*seen, given.watts, given.volts, given.amps)))
        # A power factor of 1 says nothing of the angle; the floor keeps the division finite.
        errors.append(math.degrees(error * abs(true) / math.sqrt(max(1e-9, 1 - true**2))))
    phase = PhaseError(math.fsum(angles) / len(angles), max(errors))
    value = per_volt.value * per_amp.value * points[0].scaling.watt_identity * math.cos(math.radians(phase.degrees))
    error = math.hypot(per_volt.error / per_volt.value, per_amp.error / per_amp.value)
    return Constant(value, value * error, ()), phase


def _direction(points: Sequence[CalibrationPoint]) -> tuple[bool | None, int]:
    """Whether WATT and the reference differ in sign, by the largest load; and the sign that makes them alike."""
    products = [p.watt.value * p.reference.watts.value for p in points if p.reference.watts]
    if not products:
        return None, 1
    # By the largest: without load, noise pickup can give power either sign. Source: bl0942-ds/formulas
    largest = max(products, key=abs)
    return largest < 0, -1 if largest < 0 else 1


def _share(reference: Reference) -> float:
    watts = reference.watts.value if reference.watts else 0.0
    apparent = math.hypot(watts, reference.reactive)
    return abs(reference.reactive) / apparent if apparent else 0.0


def _signed(counts: Mean, sign: int) -> Mean:
    return Mean(sign * counts.value, counts.error)


def _relative(measured: Mean | Given | None) -> float:
    return abs(measured.error / measured.value) if measured and measured.value else 0.0


def _sums(rows: Sequence[tuple[float, float, Mean, Given]], of: Callable[[float, float], float]) -> float:
    return math.fsum(of(p, q) for p, q, _, _ in rows)
