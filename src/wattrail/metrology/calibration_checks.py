"""What may be wrong with a calibration, by its numbers. Each diagnosis is a pure function of a few of them.

Two comparisons carry it all. A measured constant over the expected one says by what factor a quantity is off: parts are
off by some per cent, a wire through the hole twice by 2, a slipped decimal point by 10. And the power factor by the
chip's counts, in which no constant takes part, over the one of the reference says whether both looked at one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.scaling import Scaling
from wattrail.metrology.calibrate import (
    REACTIVE_BELOW,
    CalibrationFit,
    CalibrationPoint,
    Constant,
    Load,
    phase_of_one_load,
)

__all__ = [
    "AGREES_WITHIN",
    "MAX_OFF",
    "MAX_UNCERTAINTY",
    "NOTES",
    "Finding",
    "FindingCause",
    "contradiction",
    "diagnose",
    "impossible_power",
    "other_parts",
    "overload",
    "phase_error",
    "reactive_load",
    "slipped_decimal",
    "small_load",
    "two_ways",
    "uncertain",
    "volt_amperes",
    "wrong_turns",
    "wrong_way",
]  # fmt: skip

AGREES_WITHIN: Final = 0.01
"""How far the three constants may be from the chip's identity."""

_PARTS_WITHIN: Final = 0.10
"""Parts, and what we inferred of a board, are hardly further off: said as a note."""

_CHIP_GAIN: Final = 0.01
"""Spread of the chip's gain, which is trimmed in the factory. Source: bl0942-ds/formulas"""

_COARSE_RESISTOR: Final = 0.05
"""The coarsest resistors that are sold; those of meters are five times better."""

_COARSE_TRANSFORMER: Final = 0.05
"""A current transformer of a bad class, its ratio and its burdened magnetisation together."""

_INFERRED_BURDEN: Final = 0.10
"""What a burden that nobody has measured on a board may be off from the one we inferred."""

MAX_OFF: Final[Mapping[str, float]] = MappingProxyType(
    {
        "volts": _CHIP_GAIN + 2 * _COARSE_RESISTOR,
        "amps": _CHIP_GAIN + _COARSE_RESISTOR + _COARSE_TRANSFORMER + _INFERRED_BURDEN,
        "watts": 2 * _CHIP_GAIN + 3 * _COARSE_RESISTOR + _COARSE_TRANSFORMER + _INFERRED_BURDEN,
    }
)
"""How far a constant can be from what its parts give, with all of them at their worst and on one side."""

MAX_UNCERTAINTY: Final = 0.02
"""One standard error, as a fraction. A board of 1 % parts is within 2 % before anybody calibrates it, so constants that
are less certain than that make a meter worse. Source: bl0942-ds/formulas"""

_MAX_PHASE: Final = 6.0
"""Degrees; a current transformer that is worse is broken."""

_MAX_TURNS: Final = 9
_SMALL: Final = 0.10


class FindingCause(StrEnum):
    """What a finding is about."""

    WRONG_WAY = "wrong-way"
    TWO_WAYS = "two-ways"
    TURNS = "turns"
    DECIMAL = "decimal"
    IMPOSSIBLE = "impossible"
    VOLT_AMPERES = "volt-amperes"
    REACTIVE = "reactive"
    PHASE = "phase"
    CONTRADICTION = "contradiction"
    PARTS = "parts"
    UNCERTAIN = "uncertain"
    SMALL = "small"
    OVERLOAD = "overload"


NOTES: Final = frozenset({FindingCause.WRONG_WAY, FindingCause.PHASE, FindingCause.SMALL})
"""Causes that are only notes, and never stop."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong, and how to correct it. ``stops``: it is kept only if a person allows its cause."""

    cause: FindingCause
    text: str
    stops: bool = True


def wrong_way(watt_counts: float, true_watts: float, *, inverted: bool) -> Finding | None:
    """Power has another sign than it would have the way the meter is set now: no fault, the sign is set right."""
    against = watt_counts * true_watts < 0
    if against == inverted or not watt_counts * true_watts:
        return None
    return Finding(
        FindingCause.WRONG_WAY,
        "the wire passes the hole the other way than it was set: import reads as export; "
        + ("inverted is now true" if against else "inverted is now false"),
        stops=False,
    )


def two_ways(products: Sequence[float]) -> Finding | None:
    """WATT times true watts by point: some positive, some negative."""
    if all(product >= 0 for product in products) or all(product <= 0 for product in products):
        return None
    return Finding(
        FindingCause.TWO_WAYS,
        "power agrees in direction with the reference at one load and not at another: a sign was left out, or the wire "
        "was turned in between",
    )


def wrong_turns(amps_ratio: float, watts_ratio: float | None, turns: int) -> Finding | None:
    """Current, and power if it was measured, off by one whole factor: the wire passes the hole more or less often."""
    for times in range(1, _MAX_TURNS + 1):
        factor = times / turns
        # Half of what parts may be off by: eight turns and nine are only an eighth apart.
        alike = _near(amps_ratio, factor, _PARTS_WITHIN / 2)
        if times == turns or not alike or not (watts_ratio is None or _near(watts_ratio, factor, _PARTS_WITHIN)):
            continue
        return Finding(
            FindingCause.TURNS,
            f"current reads {amps_ratio:.3g} times what it should if the wire passes the hole {_times(turns)}: does it "
            f"pass {_times(times)}? then say turns={times}. Else the reference counts the wire more than once",
        )
    if turns == 1 and amps_ratio < 1:
        for times in range(2, _MAX_TURNS + 1):
            if _near(amps_ratio, 1 / times, _PARTS_WITHIN / 2):
                return Finding(
                    FindingCause.TURNS,
                    f"current reads 1/{times} of what it should: does the wire pass the reference {_times(times)}"
                    ", or was the calibration before this one made with more turns?",
                )
    return None


def slipped_decimal(name: str, ratio: float) -> Finding | None:
    """A constant off by a power of ten: a decimal point, or milliamperes, or kilowatts."""
    for power in (-3, -2, -1, 1, 2, 3):
        if _near(ratio, 10.0**power, 0.15):
            said = f"{10 ** abs(power)} times too {'small' if power > 0 else 'large'}"
            return Finding(
                FindingCause.DECIMAL,
                f"the {name} of the reference seem {said}: look at the decimal point, and at the unit it shows",
            )
    return None


def impossible_power(reference: float) -> Finding | None:
    """More watts than volts times amperes."""
    if abs(reference) <= 1 + AGREES_WITHIN:
        return None
    return Finding(
        FindingCause.IMPOSSIBLE,
        f"the reference shows {abs(reference):.3f} times as many watts as volts times amperes, and no load does that: "
        "a value was misread, or the three are not of one moment",
    )


def volt_amperes(chip: float, reference: float) -> Finding | None:
    """The reference's watts are volts times amperes, and the chip sees a reactive load."""
    # The chip knows better: its power factor comes from counts alone, and no constant takes part.
    if abs(reference) < 1 - AGREES_WITHIN / 2 or abs(chip) >= 0.97:
        return None
    return Finding(
        FindingCause.VOLT_AMPERES,
        f"the chip sees a power factor of {abs(chip):.3f}, the reference's watts are volts times amperes: does it show "
        "VA in place of W? else it does not measure the same load",
    )


def reactive_load(chip: float, reference: float | None, load: Load) -> Finding | None:
    """The load is not resistive, and nobody said which way its current is off."""
    seen = abs(chip if reference is None else reference)
    if load is not Load.RESISTIVE or seen >= REACTIVE_BELOW:
        return None
    return Finding(
        FindingCause.REACTIVE,
        f"the load is not resistive, its power factor is {seen:.3f}: the phase error of the transformer would go into "
        "the watts. Take a kettle or a heater; or say load=lagging (motor, coil) or load=leading (capacitor)",
    )


def phase_error(chip: float, reference: float, load: Load) -> Finding | None:
    """Power factors that differ as a transformer's phase error lets them: no fault, it is measured."""
    # A transformer turns the current by tenths of a degree to a few; a larger angle is another mistake.
    degrees = phase_of_one_load(chip, reference, load)
    if abs(degrees) > _MAX_PHASE or abs(abs(chip) / abs(reference) - 1) <= AGREES_WITHIN:
        return None
    return Finding(
        FindingCause.PHASE,
        f"at a power factor of {abs(reference):.3f} the chip sees {abs(chip):.3f}: the transformer turns the current "
        f"by {degrees:+.1f} degrees, and power of reactive loads will be wrong accordingly",
        stops=False,
    )


def contradiction(disagreement: float) -> Finding | None:
    """The three constants contradict the chip's identity, and nothing above explains it."""
    if abs(disagreement) <= AGREES_WITHIN:
        return None
    return Finding(
        FindingCause.CONTRADICTION,
        f"the three constants disagree by {100 * disagreement:+.1f} %, {100 * AGREES_WITHIN:g} % is allowed: the "
        "reference sits at another point (is something else on behind one of them?), the load is not resistive, or a "
        "value was misread",
    )


def other_parts(name: str, ratio: float) -> Finding | None:
    """A constant further off than parts are: other parts, or a reference at another point.

    ``name`` is volts, amps or watts. Beyond ``MAX_OFF`` no parts of the kind explain it, and it stops.
    """
    if abs(ratio - 1) <= _PARTS_WITHIN:
        return None
    stops = abs(ratio - 1) > MAX_OFF[name]
    limit = f", and {100 * MAX_OFF[name]:.0f} % is the most that parts at their worst can be off" if stops else ""
    return Finding(
        FindingCause.PARTS,
        f"{name}: {100 * (ratio - 1):+.0f} % from what was expected{limit}: another front end than assumed, or a "
        "reference that sits at another point or was misread",
        stops=stops,
    )


def uncertain(name: str, error: float) -> Finding | None:
    """A constant whose standard error, as a fraction, is beyond ``MAX_UNCERTAINTY``."""
    if error <= MAX_UNCERTAINTY:
        return None
    return Finding(
        FindingCause.UNCERTAIN,
        f"{name}: uncertain by {100 * error:.1f} %, and {100 * MAX_UNCERTAINTY:g} % is allowed: parts are better than "
        "that without a calibration. Take a larger load, and type every digit that the reference shows",
    )


def small_load(i_rms: float, scaling: Scaling) -> Finding | None:
    """The largest load is small for the chip; ``i_rms`` in counts."""
    share = i_rms / scaling.i_full_scale
    if share >= _SMALL:
        return None
    return Finding(
        FindingCause.SMALL,
        f"the largest load is {100 * share:.1f} % of the chip's range: above {100 * _SMALL:.0f} % noise and rounding "
        "weigh less",
        stops=False,
    )


def overload(v_rms: float, i_rms: float, scaling: Scaling) -> Finding | None:
    """A quantity beyond the range for which the chip is specified, in counts."""
    over = [
        name
        for name, share in (("voltage", v_rms / scaling.v_full_scale), ("current", i_rms / scaling.i_full_scale))
        if share > 1
    ]
    if not over:
        return None
    return Finding(FindingCause.OVERLOAD, f"{' and '.join(over)} beyond the range of the chip: its input clips there")


def diagnose(
    points: Sequence[CalibrationPoint], found: CalibrationFit, *, before: Calibration, turns: int = 1
) -> tuple[Finding, ...]:
    """Everything that looks wrong, the gravest first. ``before`` is what was expected, for that many turns."""
    after = found.completed(before)
    ratios = {
        "volts": _ratio(found.volts, before.counts_per_volt),
        "amps": _ratio(found.amps, before.counts_per_amp),
        "watts": _ratio(found.watts, before.counts_per_watt),
    }
    findings = _of_ratios(ratios, turns)
    explained = any(finding.cause in {FindingCause.TURNS, FindingCause.DECIMAL} for finding in findings)
    findings += _of_signs(points, before)
    for point in points:
        findings += _of_point(point, explained=explained)
    # Only where nothing else explains it: each of the mistakes above makes the three constants disagree too.
    if not any(finding.stops for finding in findings) and (finding := contradiction(found.scaling.disagreement(after))):
        findings.append(finding)
    largest = max(point.i_rms.value for point in points)
    if (found.amps or found.watts) and (finding := small_load(largest, found.scaling)):
        findings.append(finding)
    for name, constant in (("volts", found.volts), ("amps", found.amps), ("watts", found.watts)):
        if constant is not None and (finding := uncertain(name, constant.error / abs(constant.value))):
            findings.append(finding)
    unique = {finding.text: finding for finding in findings}
    return tuple(sorted(unique.values(), key=lambda finding: not finding.stops))


def _of_ratios(ratios: dict[str, float | None], turns: int) -> list[Finding]:
    amps, watts = ratios["amps"], ratios["watts"]
    # Before the others: a turn more explains the power as well, and decimals and parts would blame it twice.
    if amps is not None and (finding := wrong_turns(amps, watts, turns)):
        return [finding]
    findings: list[Finding] = []
    for name, ratio in ratios.items():
        if ratio is not None and (finding := slipped_decimal(name, ratio) or other_parts(name, ratio)):
            told_better = finding.cause is FindingCause.PARTS and name == "watts" and all(ratios.values())
            findings.append(replace(finding, stops=False) if told_better else finding)  # by the power factor
    return findings


def _of_signs(points: Sequence[CalibrationPoint], before: Calibration) -> list[Finding]:
    pairs = [(p.watt.value, p.reference.watts.value) for p in points if p.reference.watts]
    if not pairs:
        return []
    # Then no load says which way the wire goes.
    if finding := two_ways([counts * watts for counts, watts in pairs]):
        return [finding]
    finding = wrong_way(*max(pairs, key=lambda pair: abs(pair[1])), inverted=before.inverted)
    return [finding] if finding else []


def _of_point(point: CalibrationPoint, *, explained: bool) -> list[Finding]:
    """What one load says by itself; ``explained``: a factor already accounts for watts that do not fit."""
    reference, chip = point.reference, point.power_factor
    true = reference.power_factor
    if finding := overload(point.v_rms.value, point.i_rms.value, point.scaling):
        return [finding]
    if reference.watts is None or explained:
        return []
    finding = None
    if true is not None:
        load = _kind(point)
        finding = impossible_power(true) or volt_amperes(chip, true)
        finding = finding or (phase_error(chip, true, load) if load is not Load.RESISTIVE else None)
    if not finding and reference.vars is None:
        finding = reactive_load(chip, true, reference.load)
    if not finding and true:
        finding = contradiction(abs(chip) / abs(true) - 1)
    return [finding] if finding else []


def _kind(point: CalibrationPoint) -> Load:
    if not point.reference.reactive or abs(point.reference.power_factor or 1.0) >= REACTIVE_BELOW:
        return Load.RESISTIVE
    return Load.LAGGING if point.reference.reactive > 0 else Load.LEADING


def _ratio(constant: Constant | None, expected: float) -> float | None:
    return constant.value / expected if constant else None


def _near(value: float, target: float, within: float) -> bool:
    return abs(value / target - 1) <= within


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
