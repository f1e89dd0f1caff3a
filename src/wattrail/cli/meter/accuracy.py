"""``wattrail meter accuracy``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter, validators

from wattrail.cli import output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.person import typed
from wattrail.cli.report.files import keep, refuse_existing
from wattrail.cli.target import MeterOptions, MeterTarget, Named, find, opened, twin_of
from wattrail.errors import NoAnswer
from wattrail.metrology.iec62053 import LoadPoint
from wattrail.urls import split

if TYPE_CHECKING:
    from wattrail.meter import Meter
    from wattrail.meter.accuracy import LoadSource
    from wattrail.twin.twin import Twin

__all__ = ["ManualLoads", "MeterReference", "TwinLoads", "accuracy", "asked"]


Wiring = Literal["line", "neutral", "both", "twice", "off-centre"]
_Amps = validators.Number(gt=0, lte=200)
_Percent = validators.Number(gte=0, lte=10)
_Seconds = validators.Number(gte=0, lte=86_400)


def accuracy(
    meter: Named = None,
    *,
    reference: Annotated[
        str | None, Parameter(help="URL of a meter to compare with; else you type what one shows.")
    ] = None,
    reference_error: Annotated[float | None, Parameter(help="Its uncertainty in per cent.", validator=_Percent)] = None,
    basic_amps: Annotated[float, Parameter(help="Basic current (5).", validator=_Amps)] = 5.0,
    max_amps: Annotated[
        float | None,
        Parameter(name=("--max-amps", "--most-amps"), help="Largest current; by the chip's range.", validator=_Amps),
    ] = None,
    energy_s: Annotated[
        float, Parameter(help="Seconds of counting a load, at least; 0 for none (60).", validator=_Seconds)
    ] = 60.0,
    standing: Annotated[bool, Parameter(help="Also starting current and no load.", negative="--no-standing")] = True,
    wiring: Annotated[Wiring | None, Parameter(help="Twin: what passes its transformer.")] = None,
    html: Annotated[Path | None, Parameter(help="Keep the report as a page in this file.")] = None,
    json: Json = False,
    options: MeterOptions | None = None,
) -> None:
    """Test a meter at the loads of IEC 62053-21.

    A twin ("twin", or a twin's URL) is tested by itself, in seconds. For a meter somebody sets each load and types what
    a reference shows, or names another meter by --reference; loads can be skipped. Errors of the power register and of
    the energy counter with their uncertainty, the class whose limits hold, starting current, and creep without load.
    """
    from wattrail.cli.report import accuracy_html, accuracy_text
    from wattrail.meter.accuracy import AccuracyPlan, run, usual_range

    refuse_existing(html)
    options = options or MeterOptions()
    target = _with_wiring(find("twin://pziot-e01" if meter == "twin" else meter, options), wiring)
    with ExitStack() as stack:
        device, loads = _opened(stack, target, options, reference, reference_error)
        range_ = usual_range(device.calibration, device.chip, basic_amps=basic_amps, max_amps=max_amps)
        plan = AccuracyPlan(range=range_, energy_s=energy_s, starts=standing, no_load=standing)
        report = run(device, loads, plan, progress=output.note)
    if json:
        print(accuracy_text.as_json(report))
    else:
        print(reading_view.heading(device))
        print(accuracy_text.as_text(report))
    if html:
        keep(html, accuracy_html.as_html(report))


def _with_wiring(target: MeterTarget, wiring: Wiring | None) -> MeterTarget:
    if wiring is None:
        return target
    if not target.url.startswith("twin:"):
        raise UsageError("--wiring is a twin's: on a meter the wires are where they are")
    return replace(target, url=f"{target.url}{'&' if '?' in target.url else '?'}wiring={wiring}")


def _opened(
    stack: ExitStack, target: MeterTarget, options: MeterOptions, reference: str | None, error: float | None
) -> tuple[Meter, LoadSource]:
    """The meter, connected, and who knows what really flows. A twin is put on a clock of its own, which runs free."""
    from wattrail.clock import ManualClock
    from wattrail.meter.opening import open_scaled

    if split(target.url).scheme == "twin":
        if reference is not None:
            raise UsageError("a twin is tested against its own truth: leave --reference out")
        # The clock is turned by hand: two hours of loads take a second.
        device = stack.enter_context(
            open_scaled(target.url, target.claims, address=target.address, chip=target.chip, clock=ManualClock())
        )
        twin = twin_of(device)
        if twin is None:
            raise UsageError(f"{target.url}: this twin is out of reach")
        device.connect()
        return device, TwinLoads(twin)
    device = stack.enter_context(opened(target, options))
    loads: LoadSource = ManualLoads(error, asked)
    if reference is not None:
        other = stack.enter_context(opened(find(reference, MeterOptions(config=options.config)), options))
        other.connect()
        loads = MeterReference(other, error, asked)
    device.connect()
    return device, loads


# ---- who sets the load, and knows what really flows


_SAMPLES: Final = "type the active power in watts that the reference shows, s to skip, q to end"


class TwinLoads:
    """A twin's mains, set by hand, and its own truth."""

    name = "the twin's own truth"
    uncertainty: float | None = 0.0

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def set_load(self, point: LoadPoint, _what: str) -> bool:
        """See ``LoadSource``."""
        phase = point.phase
        self._twin.set(volts=point.volts, amps=point.amps, pf=phase.power_factor, leading=phase.leads)
        return True

    def watts(self) -> float:
        """See ``LoadSource``."""
        return self._twin.truth.watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``."""
        return self._twin.truth.net_wh


@dataclass
class ManualLoads:
    """A person who sets the load and reads a reference."""

    uncertainty: float | None
    prompt: Callable[[str], str] = input
    name: str = "typed in by a person"
    _watts: float = 0.0

    def set_load(self, point: LoadPoint, what: str) -> bool:
        """See ``LoadSource``."""
        output.note(_wish(point, what))
        while True:
            typed = self.prompt("Enter when it is so" if not point.amps else _SAMPLES).strip().lower()
            if typed == "q":
                raise EOFError
            if typed == "s":
                return False
            if not point.amps:
                return True
            try:
                # With a comma too, as many people write decimals.
                self._watts = float(typed.removesuffix("w").replace(",", "."))
            except ValueError:
                output.note(f"{typed!r} is not a number of watts")
                continue
            if self._watts:
                return True
            output.note("0 W gives no error in per cent; s skips this load")

    def watts(self) -> float:
        """See ``LoadSource``: held steady by the person."""
        return self._watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``: power times time."""
        return None


class MeterReference:
    """A person who sets the load, and another meter that reads it."""

    def __init__(self, reference: Meter, uncertainty: float | None, prompt: Callable[[str], str] = input) -> None:
        self._reference, self._prompt = reference, prompt
        self.uncertainty = uncertainty
        self.name = f"{reference.url}{', SIMULATED' if reference.simulated else ''}"

    def set_load(self, point: LoadPoint, what: str) -> bool:
        """See ``LoadSource``."""
        output.note(_wish(point, what))
        typed = self._prompt("Enter when it is so, s to skip, q to end").strip().lower()
        if typed == "q":
            raise EOFError
        if typed == "s":
            return False
        # An error in per cent of no power would be a division by zero.
        if point.amps and not self._reference.read().watts:
            output.note("the reference sees no power: left out")
            return False
        return True

    def watts(self) -> float:
        """See ``LoadSource``."""
        if (watts := self._reference.read().watts) is None:
            raise NoAnswer(f"{self._reference.url}: the reference gives no power")
        return watts

    def watt_hours(self) -> float | None:
        """See ``LoadSource``: power times time; another counter would bring its own grain."""
        return None


def asked(question: str) -> str:
    """Ask on stderr, so that results stay apart. Raises UsageError without a terminal, EOFError at the end."""
    if not sys.stdin.isatty():
        raise UsageError(
            "somebody has to set the loads, and nobody sits at this terminal",
            hint="run it in a terminal, or test a twin: wattrail meter accuracy twin",
        )
    line = typed(f"{question}: ")
    if line is None:
        raise EOFError
    return line


def _wish(point: LoadPoint, what: str) -> str:
    if not point.amps:
        return f"{what}: {point.volts:g} V, and the wire open: no current at all"
    return f"{what}: {point.volts:g} V, {point.amps:g} A, power factor {point.phase} (about {point.watts:.1f} W)"
