"""A meter against a reference: wait until the load is steady, then read both in the same window.

The shell of ``metrology.calibrate``. After a step the chip's averages need a whole refresh to forget what was
before, and a heater needs longer to warm up; both are waited for, by the carrier's own clock, and not for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from wattrail.clock import Clock, Deadline
from wattrail.meter.meter import Meter
from wattrail.metrology.calibrate import (
    STEADY_WITHIN,
    CalibrationError,
    CalibrationPoint,
    Given,
    Load,
    LoadCounts,
    Reference,
    mean,
    unsteadiness,
)

__all__ = ["FEWEST_READINGS", "PATIENCE_S", "Probe", "counts_of", "measure", "reading_probe", "settle"]

FEWEST_READINGS: Final = 10
"""Fewer give no mean worth a standard error."""

PATIENCE_S: Final = 60.0
"""How long a load may take to become steady: a heater's wire warms up within it, a thermostat never stops."""

_ALIKE: Final = 3
_STEADIER: Final = (
    "take a load that holds still: a kettle, a heater without thermostat; and nothing else behind the meter"
)

Probe = Callable[[], Reference]
"""What a reference shows now."""


def counts_of(meter: Meter) -> LoadCounts:
    """One reading as the counts it came from. Raises as ``Meter.read``."""
    counts = meter.read().sample.counts
    return LoadCounts(v_rms=counts["v_rms"], i_rms=counts["i_rms"], watt=counts["watt"])


def settle(meter: Meter, clock: Clock) -> None:
    """Wait until the averages have forgotten the last step and the load holds still.

    Raises CalibrationError if it does not within ``PATIENCE_S``, with what moved; LinkError, PortError.
    """
    deadline = Deadline.after(PATIENCE_S, clock)
    clock.sleep(meter.settling_s)
    samples: list[LoadCounts] = []
    while True:
        samples = [*samples[1 - _ALIKE :], counts_of(meter)]
        moved = unsteadiness(samples) if len(samples) == _ALIKE else "too few readings"
        if moved is None:
            return
        if deadline.passed:
            raise CalibrationError(f"the load is not steady: after {PATIENCE_S:g} s {moved}", hint=_STEADIER)
        clock.sleep(meter.chip.refresh_s)


def measure(
    meter: Meter,
    clock: Clock,
    *,
    readings: int = FEWEST_READINGS,
    reference: Reference | Probe,
) -> CalibrationPoint:
    """One load: a reading from each of that many refreshes, and the reference in the same window.

    Raises CalibrationError for a load that moves, by more than a hundredth; LinkError, PortError.
    """
    if readings < FEWEST_READINGS:
        raise CalibrationError(f"{readings} readings are too few for a mean: {FEWEST_READINGS} at least")
    settle(meter, clock)
    samples: list[LoadCounts] = []
    shown: list[Reference] = []
    # Meter and reference by turns, so that both have seen the same window of the mains.
    for _ in range(readings):
        samples.append(counts_of(meter))
        if callable(reference):
            shown.append(reference())
        # One reading for each refresh: in between the registers repeat themselves. Source: bl0942-ds/registers
        clock.sleep(meter.chip.refresh_s)
    # Over the whole window once more: three readings that agree do not say that the load stays.
    if moved := unsteadiness(samples):
        raise CalibrationError(f"the load is not steady: {moved}", hint=_STEADIER)
    shown_at_once = reference if isinstance(reference, Reference) else averaged(shown)
    return CalibrationPoint(tuple(samples), shown_at_once, meter.chip.scaling)


def averaged(shown: Sequence[Reference]) -> Reference:
    """Many values of a reference as one, with its standard error. Raises CalibrationError if it moved."""
    merged = replace(
        shown[0],
        volts=_merged([one.volts for one in shown], "volts"),
        amps=_merged([one.amps for one in shown], "amps"),
        watts=_merged([one.watts for one in shown], "watts"),
    )
    reactive = [one.vars for one in shown if one.vars is not None]
    return replace(merged, vars=mean(reactive).value) if reactive else merged


def reading_probe(meter: Meter, load: Load = Load.RESISTIVE) -> Probe:
    """Another meter as the reference."""

    def probe() -> Reference:
        known = meter.read().quantities
        return Reference(volts=_given(known.volts), amps=_given(known.amps), watts=_given(known.watts), load=load)

    return probe


def _given(value: float | None) -> Given | None:
    return None if value is None else Given(value)


def _merged(values: Sequence[Given | None], name: str) -> Given | None:
    known = [given.value for given in values if given is not None]
    if not known:
        return None
    centre = mean(known)
    if max(known) - min(known) > STEADY_WITHIN * abs(centre.value) or not centre.value:
        raise CalibrationError(
            f"the reference is not steady: its {name} went from {min(known):.5g} to {max(known):.5g}", hint=_STEADIER
        )
    return Given(centre.value, centre.error)
