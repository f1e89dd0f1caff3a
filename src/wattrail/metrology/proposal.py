"""A calibration before anybody has agreed to it, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wattrail.calibration import Calibration
from wattrail.chips.scaling import Scaling
from wattrail.metrology.calibrate import CalibrationFit, CalibrationPoint, Constant, Given, LoadCounts, Reference
from wattrail.metrology.calibration_checks import Finding

__all__ = ["Proposal", "constants", "evidence", "measured_constants", "relative_error", "toml_line"]

_NAMES: Final = ("counts_per_volt", "counts_per_amp", "counts_per_watt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would be kept: the constants, where they come from, and what speaks against them.

    ``origin`` is ``measured``, ``factory`` or ``settings``; ``before`` is what holds now.
    """

    meter: str
    origin: str
    reference: str
    simulated: bool
    before: Calibration
    after: Calibration
    scaling: Scaling
    turns: int = 1
    points: tuple[CalibrationPoint, ...] = ()
    fit: CalibrationFit | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether a finding forbids to keep it."""
        return any(finding.stops for finding in self.findings)


def evidence(proposal: Proposal) -> dict[str, object]:
    """What a calibration rests on, to be kept beside it: every count, the reference, and the findings."""
    fit = proposal.fit
    return {
        "reference": proposal.reference,
        "before": constants(proposal.before),
        "uncertainty": {name: relative_error(constant) for name, constant in measured_constants(fit)},
        "residuals": {name: list(constant.residuals) for name, constant in measured_constants(fit) if constant},
        "phase": {"degrees": fit.phase.degrees, "error": fit.phase.error} if fit and fit.phase else None,
        # The name that calibrations have been stored under since the first one.
        "doubts": [{"cause": d.cause.value, "text": d.text, "stops": d.stops} for d in proposal.findings],
        "points": [
            {"reference": _reference(point.reference), "counts": [_counts(sample) for sample in point.samples]}
            for point in proposal.points
        ],
    }


def constants(calibration: Calibration) -> dict[str, float | bool]:
    """The four fields of a calibration."""
    return {**{name: getattr(calibration, name) for name in _NAMES}, "inverted": calibration.inverted}


def toml_line(calibration: Calibration) -> str:
    """The lines for a ``[[meter]]`` of wattrail.toml."""
    fields = ", ".join(f"{name} = {getattr(calibration, name):.6f}" for name in _NAMES)
    return f"calibration = {{ {fields} }}" + ("\ninverted = true" if calibration.inverted else "")


def measured_constants(fit: CalibrationFit | None) -> Iterator[tuple[str, Constant | None]]:
    """Each constant by its name; None for one that was not measured."""
    values = (fit.volts, fit.amps, fit.watts) if fit else (None, None, None)
    yield from zip(_NAMES, values, strict=True)


def relative_error(constant: Constant | None) -> float | None:
    """The standard error of a constant as a fraction; None for one that was not measured."""
    return constant.error / constant.value if constant else None


def _reference(reference: Reference) -> dict[str, object]:
    return {
        "volts": _given(reference.volts),
        "amps": _given(reference.amps),
        "watts": _given(reference.watts),
        "vars": reference.vars,
        "load": reference.load.value,
    }


def _given(given: Given | None) -> dict[str, float] | None:
    return {"value": given.value, "error": given.error} if given else None


def _counts(sample: LoadCounts) -> list[int]:
    return [sample.v_rms, sample.i_rms, sample.watt]
