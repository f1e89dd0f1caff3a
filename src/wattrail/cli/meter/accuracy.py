"""``wattrail meter accuracy``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from wattrail.cli import output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.report.files import keep, refuse_existing
from wattrail.cli.target import MeterOptions, MeterTarget, Named, find, opened
from wattrail.urls import split

if TYPE_CHECKING:
    from wattrail.meter import Meter
    from wattrail.meter.accuracy import LoadSource

Wiring = Literal["line", "neutral", "both", "twice", "off-centre"]
_Amps = validators.Number(gt=0, lte=200)
_Percent = validators.Number(gte=0, lte=10)


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
    energy_s: Annotated[float, Parameter(help="Seconds of counting a load, at least; 0 for none (60).")] = 60.0,
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
    from wattrail.cli.report.load_source import ManualLoads, MeterReference, TwinLoads, asked, twin_of
    from wattrail.clock import ManualClock
    from wattrail.meter.opening import open_scaled

    if split(target.url).scheme == "twin":
        if reference is not None:
            raise UsageError("a twin is tested against its own truth: leave --reference out")
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
