"""``wattrail meter calibrate``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from json import dumps
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.calibration import Calibration
from wattrail.cli import clock, output
from wattrail.cli.calibration.loads import ReferenceOptions, answer, measured_loads
from wattrail.cli.calibration_store import CalibrationStore, find_calibrations
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import DatabaseOption, Json
from wattrail.cli.output import with_options
from wattrail.cli.person import at_a_terminal, is_yes, person
from wattrail.cli.reading_view import SIMULATED
from wattrail.cli.target import MeterOptions, MeterTarget, Named, find_written, is_twin, scale_before, with_kept
from wattrail.meter.opening import chip_of
from wattrail.metrology.calibrate import (
    CalibrationError,
    CalibrationPoint,
    factory_calibration,
    flipped,
    phase_error_of_power,
    turned,
)
from wattrail.metrology.calibration_checks import AGREES_WITHIN, NOTES, Finding, FindingCause, diagnose, other_parts
from wattrail.metrology.fitting import fit
from wattrail.metrology.proposal import (
    Proposal,
    constants,
    evidence,
    measured_constants,
    relative_error,
    toml_line,
)
from wattrail.metrology.scale_origin import ScaleClaims

# Notes stop nothing, so there is nothing to allow.
_STOPPING: Final = tuple(cause.value for cause in FindingCause if cause not in NOTES)

_FACTORY_HINT: Final = "four whole numbers: --factory 15968,12418,3091,2653"
_NO_REFERENCE = (
    "type what a reference shows (--volts 230.4 --amps 4.35 --watts 1001), name another meter (--reference URL), "
    "rehearse on a twin (--reference twin), or sit at a terminal and be asked"
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SettingOptions:
    """What can be set without measuring."""

    factory: Annotated[
        str | None, Parameter(help="Constants of a stock device, data points 22 to 25: 15968,12418,3091,2653.")
    ] = None
    turns: Annotated[
        int | None,
        Parameter(help="How often the wire passes the hole, 1 to 20.", validator=validators.Number(gte=1, lte=20)),
    ] = None
    invert: Annotated[bool, Parameter(help="The wire passes the hole the other way than until now.")] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class KeepingOptions:
    """Whether, where and how the result is kept."""

    apply: Annotated[bool, Parameter(help="Keep the result without asking.")] = False
    dry_run: Annotated[bool, Parameter(help="Measure and show, ask nothing, keep nothing.")] = False
    allow: Annotated[
        tuple[str, ...],
        Parameter(help=f"Keep it in spite of this finding, a word each time: {', '.join(_STOPPING)}."),
    ] = ()
    name: Annotated[str | None, Parameter(help="Name under which it is kept; the configured one if left out.")] = None
    by: Annotated[str | None, Parameter(help="Who calibrates; else your user name.")] = None
    note: Annotated[str, Parameter(help="Remark to keep with it: which reference, which load.")] = ""
    database: DatabaseOption = None

    @property
    def allowed(self) -> frozenset[str]:
        """The findings that somebody answers for. Raises UsageError for a word that is none."""
        if unknown := sorted(set(self.allow) - set(_STOPPING)):
            raise UsageError(f"--allow {unknown[0]}: no such finding; known: {', '.join(_STOPPING)}")
        return frozenset(self.allow)


def calibrate(
    meter: Named = None,
    *,
    reference: ReferenceOptions | None = None,
    setting: SettingOptions | None = None,
    keeping: KeepingOptions | None = None,
    json: Json = False,
    options: MeterOptions | None = None,
) -> int:
    """Calibrate a meter against a reference.

    Measures one load or several, says what looks wrong and why, and shows the constants before and after. It is kept
    with --apply, or when you agree at a terminal. 'wattrail reload' applies it to a gateway that runs; the past keeps
    its own.
    """
    reference, setting, keeping = (
        reference or ReferenceOptions(),
        setting or SettingOptions(),
        keeping or KeepingOptions(),
    )
    options = options or MeterOptions()
    target = find_written(meter, options)
    calibrations = find_calibrations(meter, name=keeping.name, config=options.config, database=keeping.database)
    _check(reference, setting, keeping, calibrations)
    _check_mains(reference, setting, options)
    proposal = _propose(target, calibrations, reference, setting, options)
    refused = sorted({finding.cause for finding in proposal.findings if finding.stops} - keeping.allowed)
    if not json:
        print(_as_text(proposal))
    number = (
        None if refused or not _agreed(calibrations, keeping, json=json) else _keep(calibrations, proposal, keeping)
    )
    if json:
        print(dumps({**_as_fields(proposal), "kept": number}))
    if refused:
        output.error("findings speak against this calibration; nothing was kept")
        words = " ".join(f"--allow {cause}" for cause in refused)
        output.hint(f"correct what they name and measure again; where the parts really are so, keep it with {words}")
    return Exit.FAILED if refused else Exit.DONE


def _check(
    reference: ReferenceOptions, setting: SettingOptions, keeping: KeepingOptions, calibrations: CalibrationStore
) -> None:
    reference.check()
    _ = keeping.allowed  # said before a load is switched on
    if keeping.apply and keeping.dry_run:
        raise UsageError("--apply and --dry-run exclude each other; keep one of them")
    if keeping.apply and calibrations.name is None:
        raise UsageError("under which name? this URL stands in no wattrail.toml", hint="add --name NAME")
    if setting.factory and reference.given:
        raise UsageError("--factory and a reference exclude each other; keep one of them")
    if not (reference.given or setting.factory or setting.turns or setting.invert or at_a_terminal()):
        raise UsageError("nothing to calibrate against", hint=_NO_REFERENCE)


def _check_mains(reference: ReferenceOptions, setting: SettingOptions, options: MeterOptions) -> None:
    measuring = reference.given or not (setting.factory or setting.turns or setting.invert)
    # The twin has no mains to be off.
    if options.mains_off and measuring and reference.reference != "twin":
        raise UsageError(
            "--mains-off: without mains there are no volts and no amperes to calibrate",
            hint="measure through an isolator (--isolated, docs/safety.md), or take --factory constants",
        )


def _propose(
    target: MeterTarget,
    calibrations: CalibrationStore,
    reference: ReferenceOptions,
    setting: SettingOptions,
    options: MeterOptions,
) -> Proposal:
    kept = calibrations.newest()
    simulated = kept.simulated if kept else target.url.startswith("twin:")
    target = with_kept(target, kept) if kept else target
    before = scale_before(target)
    # The turns that were kept count only where the kept constants do.
    turns_before = kept.turns if kept and target.claims.holds_kept(simulated=is_twin(target)) else 1
    turns = setting.turns or turns_before
    wanted = turned(before, turns, before=turns_before)
    wanted = flipped(wanted) if setting.invert else wanted
    draft = Proposal(
        meter=calibrations.name or target.url, origin="settings", reference="none: only what was set",
        simulated=simulated, before=before, after=wanted, turns=turns,
        scaling=chip_of(target.url, given=target.chip).scaling,
    )  # fmt: skip
    if setting.factory:
        return _from_factory(draft, setting.factory)
    if (setting.turns or setting.invert) and not reference.given:
        return draft
    points, simulated = measured_loads(replace(target, claims=ScaleClaims(given=before)), reference, options)
    found = fit(points)
    with _possible("the reference cannot be right", "type what it shows, in volts, amperes and watts"):
        after = found.completed(wanted)
    return replace(
        draft, origin="measured", reference=reference.words, simulated=simulated, after=after,
        points=points, fit=found, findings=diagnose(points, found, before=wanted, turns=turns),
    )  # fmt: skip


@contextmanager
def _possible(what: str, hint: str) -> Iterator[None]:
    """Around what makes a calibration of typed numbers. Raises UsageError where its constants are out of all bounds."""
    try:
        yield
    except CalibrationError:
        raise
    except ValueError as error:
        raise UsageError(f"{what}: {error}", hint=hint) from error


def _from_factory(draft: Proposal, text: str) -> Proposal:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"{text!r} is not a factory set", hint=_FACTORY_HINT)
    per_volt, per_amp, per_watt, per_kwh = (int(part) for part in parts)
    with _possible(f"{text!r} is not a factory set", _FACTORY_HINT):
        # The factory measured with one turn.
        after = turned(factory_calibration(per_volt, per_amp, per_watt, per_kwh, scaling=draft.scaling), draft.turns)
    after = replace(after, inverted=draft.after.inverted)
    return replace(
        draft, origin="factory", reference=f"factory set {text}", after=after, findings=_compared(draft.after, after)
    )


def _compared(wanted: Calibration, after: Calibration) -> tuple[Finding, ...]:
    ratios = {
        "volts": after.counts_per_volt / wanted.counts_per_volt,
        "amps": after.counts_per_amp / wanted.counts_per_amp,
        "watts": after.counts_per_watt / wanted.counts_per_watt,
    }
    return tuple(finding for name, ratio in ratios.items() if (finding := other_parts(name, ratio)))


def _agreed(calibrations: CalibrationStore, keeping: KeepingOptions, *, json: bool) -> bool:
    if keeping.apply or keeping.dry_run:
        return keeping.apply
    if calibrations.name is None:
        output.note("nothing was kept: give it a --name to keep it under")
        return False
    # Nobody is there to be asked.
    if json or not at_a_terminal():
        output.note("nothing was kept: --apply keeps it")
        return False
    return is_yes(answer(f"Keep it for {calibrations.name}? [y/N]"))


def _keep(calibrations: CalibrationStore, proposal: Proposal, keeping: KeepingOptions) -> int:
    assert calibrations.name is not None
    with calibrations.opened() as store:
        kept = store.keep_calibration(
            calibrations.name, proposal.after, simulated=proposal.simulated, origin=proposal.origin,
            turns=proposal.turns, at=clock.CLOCK.now(), by=keeping.by or person(),
            note=keeping.note, evidence=dumps(evidence(proposal)),
        )  # fmt: skip
    output.note(f"kept as calibration {kept.number} of {calibrations.name} in {calibrations.database}")
    output.note(calibrations.words_of_the_gateway())
    for words in calibrations.words_of_the_file(proposal.after):
        output.note(f"note: {words}")
    return kept.number


# ---- a calibration before anybody has agreed to it, for people and for programs


def _as_text(proposal: Proposal) -> str:
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
    lines += [
        f"{'finding' if finding.stops else 'note'}: {with_options(finding.text)}" for finding in proposal.findings
    ]
    lines.append("for wattrail.toml, if you prefer it there:")
    lines.append(toml_line(proposal.after))
    return "\n".join(lines)


def _as_fields(proposal: Proposal) -> dict[str, object]:
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
