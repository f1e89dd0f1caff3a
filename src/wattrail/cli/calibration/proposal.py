"""A calibration before anybody has agreed to it: for people, for programs, and for a configuration file."""

from __future__ import annotations

from collections.abc import Iterator

from wattrail.cli.output import with_options
from wattrail.cli.reading_view import SIMULATED
from wattrail.metrology.calibrate import CalibrationPoint, phase_error_of_power
from wattrail.metrology.calibration_checks import AGREES_WITHIN
from wattrail.metrology.proposal import (
    Proposal,
    constants,
    evidence,
    measured_constants,
    relative_error,
    toml_line,
)

__all__ = ["as_fields", "as_text"]


def as_text(proposal: Proposal) -> str:
    """The loads, the constants before and after, and every finding."""
    lines = [proposal.meter]
    if proposal.simulated:
        lines.append(f"{SIMULATED}: this calibrates a digital twin, not a meter")
    lines.append(f"reference: {proposal.reference}")
    lines += [f"load {number}: {_load_words(point)}" for number, point in enumerate(proposal.points, start=1)]
    off_line = "  off the line, by load" if len(proposal.points) > 1 else ""
    lines.append(f"{'':<16}{'before':>12}{'after':>12}{'change':>10}{'uncertain by':>14}{off_line}")
    lines += _rows(proposal)
    lines.append(_direction_words(proposal))
    apart = abs(proposal.scaling.disagreement(proposal.after))
    verdict = "agree with each other within" if apart <= AGREES_WITHIN else "disagree with each other by"
    lines.append(f"the three {verdict} {100 * apart:.2f} %")
    if proposal.fit and (phase := proposal.fit.phase):
        lines.append(_phase_words(phase.degrees, phase.error))
    lines += [f"{'doubt' if finding.stops else 'note'}: {with_options(finding.text)}" for finding in proposal.findings]
    lines.append("for wattrail.toml, if you prefer it there:")
    lines.append(toml_line(proposal.after))
    return "\n".join(lines)


def as_fields(proposal: Proposal) -> dict[str, object]:
    """The same for programs; the fields are listed in docs/cli.md."""
    return {
        "meter": proposal.meter,
        "simulated": proposal.simulated,
        "origin": proposal.origin,
        "turns": proposal.turns,
        "before": constants(proposal.before),
        "after": constants(proposal.after),
        "acceptable": not proposal.stopped,
        "evidence": evidence(proposal),
        "toml": toml_line(proposal.after),
    }


def _rows(proposal: Proposal) -> Iterator[str]:
    several = len(proposal.points) > 1
    for name, constant in measured_constants(proposal.fit):
        before, after = getattr(proposal.before, name), getattr(proposal.after, name)
        uncertain = relative_error(constant)
        known = f"{100 * uncertain:.3f} %" if uncertain is not None else "not measured"
        off = "  ".join(f"{_percent(residual, 3)} %" for residual in constant.residuals) if constant and several else ""
        row = f"{name.replace('_', ' '):<16}{before:>12.2f}{after:>12.2f}{_percent(after / before - 1, 2):>8} %"
        yield f"{row}{known:>14}  {off}".rstrip()


def _load_words(point: CalibrationPoint) -> str:
    reference = point.reference
    given = (("V", reference.volts), ("A", reference.amps), ("W", reference.watts))
    shown = ", ".join(f"{one.value:.6g} {unit}" for unit, one in given if one)
    return f"{len(point.samples)} readings, reference {shown}; power factor by the chip {abs(point.power_factor):.3f}"


def _direction_words(proposal: Proposal) -> str:
    now = "inverted: power is counted the other way round" if proposal.after.inverted else "direction as wired"
    turns = f", {proposal.turns} turns through the hole" if proposal.turns > 1 else ""
    return now + ("" if proposal.after.inverted == proposal.before.inverted else ", which is new") + turns


def _phase_words(degrees: float, error: float) -> str:
    at = ", ".join(f"{_percent(phase_error_of_power(degrees, pf), 1)} % at {pf}" for pf in (0.9, 0.8, 0.5))
    return (
        f"the transformer turns the current by {degrees:+.2f} degrees (uncertain by {error:.2f}): power and energy are "
        f"off by {at} lagging, by the opposite leading, and right at 1.0"
    )


def _percent(fraction: float, decimals: int) -> str:
    """With its sign; nothing has none below zero."""
    text = f"{100 * fraction:+.{decimals}f}"
    return text if float(text) else text.replace("-", "+")
