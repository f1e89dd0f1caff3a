"""The loads of a calibration, one by one: typed, asked for at a terminal, read from another meter, or a twin's.

Each way yields points; what they are worth is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.person import at_a_terminal, is_yes, typed
from wattrail.cli.target import MeterOptions, MeterTarget, find, opened, scale_before, twin_of
from wattrail.meter import Meter
from wattrail.meter.calibration import FEWEST_READINGS, Probe, measure, reading_probe
from wattrail.metrology.calibrate import CalibrationError, CalibrationPoint, Given, Load, Reference

if TYPE_CHECKING:
    from wattrail.twin.twin import Twin

__all__ = ["ReferenceOptions", "answer", "measured_loads"]

_SWITCH_ON: Final = (
    "Switch a steady load on, a kettle or a heater, the larger the better, and nothing else behind the meter."
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """What is true at the conductor, and how it is known."""

    volts: Annotated[str | None, Parameter(help="Volts that the reference shows, with all its digits.")] = None
    amps: Annotated[str | None, Parameter(help="Amperes that the reference shows.")] = None
    watts: Annotated[str | None, Parameter(help="Watts that the reference shows.")] = None
    load: Annotated[Load, Parameter(help="Kind of the load: resistive, lagging (motor) or leading (capacitor).")] = (
        Load.RESISTIVE
    )
    reference: Annotated[
        str | None,
        Parameter(help="Another meter, by URL or name; twin: what is true at a twin's conductor; ask: you are asked."),
    ] = None
    loads: Annotated[
        str | None, Parameter(help="Loads for a twin to take, in amperes, with power factor: 2,10,10@0.5.")
    ] = None
    readings: Annotated[
        int, Parameter(help="Readings of each load (10).", validator=validators.Number(gte=FEWEST_READINGS, lte=10_000))
    ] = FEWEST_READINGS

    @property
    def typed(self) -> Reference | None:
        """The values that were typed as options. Raises CalibrationError."""
        if not (self.volts or self.amps or self.watts):
            return None
        return Reference.typed(self.volts, self.amps, self.watts, self.load)

    @property
    def given(self) -> bool:
        """Whether there is a reference at all; ``ask`` is a person."""
        return bool(self.typed or self.reference)

    @property
    def words(self) -> str:
        """What the reference is, for the record."""
        if self.reference == "twin":
            return "the twin's own truth"
        return "typed by a person" if self.reference in {None, "ask"} else str(self.reference)

    def check(self) -> None:
        """Raises UsageError for wishes that contradict each other."""
        if self.reference and self.typed:
            raise UsageError("--reference and typed values exclude each other; keep one of them")
        if self.reference == "ask" and not at_a_terminal():
            raise UsageError("--reference ask needs a terminal to ask at")
        if self.loads and self.reference != "twin":
            raise UsageError("--loads switches the loads of a twin, and only with --reference twin")


def answer(question: str) -> str:
    """What a person types, on stderr and stdin. Raises UsageError where the input ends."""
    line = typed(f"{question} ")
    if line is None:
        raise UsageError("the input ended before the calibration did; nothing was kept")
    return line


def measured_loads(
    target: MeterTarget, wishes: ReferenceOptions, options: MeterOptions
) -> tuple[tuple[CalibrationPoint, ...], bool]:
    """Every load, measured, and whether the meter is simulated.

    Raises CalibrationError, UsageError, LinkError, PortError.
    """
    if wishes.reference == "twin":
        with _rehearsal(target) as (meter, twin):
            meter.connect()
            return tuple(_twin_loads(meter, twin, wishes)), True
    with opened(target, options) as meter:
        meter.connect()
        if wishes.typed:
            return (_one(meter, wishes, wishes.typed),), meter.simulated
        if wishes.reference not in {None, "ask"}:
            with _other_meter(wishes, options) as probe:
                return tuple(_with_probe(meter, wishes, probe)), meter.simulated
        return tuple(_asked(meter, wishes)), meter.simulated


def _twin_loads(meter: Meter, twin: Twin, wishes: ReferenceOptions) -> Iterator[CalibrationPoint]:
    for amps, power_factor in _wanted(wishes.loads) if wishes.loads else [(None, None)]:
        if amps is not None:
            twin.set(amps=amps, pf=power_factor)
        yield _one(meter, wishes, _truth(twin))


def _with_probe(meter: Meter, wishes: ReferenceOptions, probe: Probe) -> Iterator[CalibrationPoint]:
    while True:
        if at_a_terminal():
            answer(f"{_SWITCH_ON} Enter when it runs.")
        yield _one(meter, wishes, probe)
        if not (at_a_terminal() and _yes("Another load?")):
            return


def _asked(meter: Meter, wishes: ReferenceOptions) -> Iterator[CalibrationPoint]:
    """Measure first, then ask what was true meanwhile: the person watches the reference, not the keyboard."""
    while True:
        answer(f"{_SWITCH_ON} Enter when it runs.")
        output.note("watch the reference from now on, until the next question")
        point = _one(meter, wishes, Reference())
        yield replace(point, reference=_stated_reference(wishes.load))
        if not _yes("Another load?"):
            return


def _stated_reference(load: Load) -> Reference:
    while True:
        values = [answer(f"{what} that the reference showed (empty: unknown):") for what in ("Volts", "Amps", "Watts")]
        kind = answer(f"Kind of load: resistive, lagging (motor) or leading (capacitor) [{load}]:")
        try:
            return Reference.typed(values[0], values[1], values[2], Load(kind or load))
        except (CalibrationError, ValueError) as error:
            output.note(f"{error}; once more, please")


def _one(meter: Meter, wishes: ReferenceOptions, reference: Reference | Probe) -> CalibrationPoint:
    output.note(f"waiting for the load to settle, then {wishes.readings} readings")
    return measure(meter, clock.CLOCK, readings=wishes.readings, reference=reference)


def _wanted(text: str) -> list[tuple[float, float]]:
    wanted = []
    for part in text.split(","):
        amps, _, power_factor = part.partition("@")
        try:
            wanted.append((float(amps), float(power_factor or 1.0)))
        except ValueError:
            raise UsageError(
                f"{part!r} is not a load", hint="amperes, and a power factor after @: 2,10,10@0.5"
            ) from None
        if not (0 < wanted[-1][0] <= 200 and 0 < abs(wanted[-1][1]) <= 1):
            raise UsageError(f"{part!r} is not a load: amperes from 0 to 200, a power factor from -1 to 1 without 0")
    return wanted


def _truth(twin: Twin) -> Probe:
    def probe() -> Reference:
        now = twin.truth.state
        return Reference(
            volts=Given(float(now.volts[0])),
            amps=Given(float(now.amps[0])),
            watts=Given(float(now.watts[0])),
            vars=float(now.vars[0]),
        )

    return probe


@contextmanager
def _rehearsal(target: MeterTarget) -> Iterator[tuple[Meter, Twin]]:
    """A twin with both ends in hand: the cable, and what is true behind it."""
    from wattrail.meter.opening import open_scaled
    from wattrail.metrology.scale_origin import ScaleClaims

    if not target.url.startswith("twin:"):
        raise UsageError(
            f"--reference twin: {target.url} is not a twin:// URL", hint="nobody knows the truth elsewhere"
        )
    with open_scaled(
        target.url, ScaleClaims(given=scale_before(target)), address=target.address, chip=target.chip, clock=clock.CLOCK
    ) as meter:
        twin = twin_of(meter)
        assert twin is not None  # its URL says so
        yield meter, twin


@contextmanager
def _other_meter(wishes: ReferenceOptions, options: MeterOptions) -> Iterator[Probe]:
    other = find(wishes.reference, MeterOptions(config=options.config))
    with opened(other, options) as meter:
        meter.connect()
        yield reading_probe(meter, wishes.load)


def _yes(question: str) -> bool:
    return is_yes(answer(f"{question} [y/N]"))
