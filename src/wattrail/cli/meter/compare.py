"""``wattrail meter compare``."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from json import dumps
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import clock, output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.readings import read_once
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, find, opened_any
from wattrail.meter import Meter
from wattrail.meter.side_by_side import ComparedMeter, SideBySide
from wattrail.metrology.comparison import MeterComparison, MeterDeviation, MeterSeries
from wattrail.metrology.comparison import compare as compare_series

if TYPE_CHECKING:
    from wattrail.sources.source_reader import SourceReader

_CHIP_PAUSE_S: Final = 1.0
_REPORT_EVERY_S: Final = 10.0
_Seconds = validators.Number(gte=1, lte=10**7)


def compare(
    reference: Annotated[str, Parameter(help="URL or name of the meter to compare with.")],
    other: Annotated[str, Parameter(help="URL or name of the meter that is compared.")],
    *,
    seconds: Annotated[
        float | None, Parameter(help="Stop after so many seconds; else Ctrl-C.", validator=_Seconds)
    ] = None,
    json: Json = False,
    options: MeterOptions | None = None,
) -> None:
    """Compare two meters side by side.

    Both measure the same conductor, each by any scheme: a chip by its wire and its firmware over Wi-Fi, the meter of
    the house and your own. Deviation of power and energy with its uncertainty (95 %: steps, age of values, noise), and
    a verdict. It takes minutes under load: an energy register needs many steps.
    """
    options = options or MeterOptions()
    targets = [find(name, options, takes_network=True) for name in (reference, other)]
    # A meter agrees with itself, which proves nothing.
    if targets[0].url == targets[1].url:
        raise UsageError(f"both are {targets[0].url}", hint="name two meters that measure the same conductor")
    with ExitStack() as stack:
        meters = [stack.enter_context(opened_any(target, options)) for target in targets]
        if not json:
            for label, meter in zip(("reference", "compared"), meters, strict=True):
                print(f"{label}: {reading_view.heading(meter)}")
        series = _watch_both(meters, seconds, reports=not json)
        found = compare_series(*series)
    print(_as_json(found, meters, series) if json else _as_text(found))


def _watch_both(meters: list[Meter | SourceReader], seconds: float | None, *, reports: bool) -> list[MeterSeries]:
    report_at = _REPORT_EVERY_S
    with (
        SideBySide([_compared_meter(one) for one in meters], clock=clock.CLOCK, note=output.note) as both,
        stop_quietly(),
    ):
        while (seconds is None or both.seconds < seconds) and both.take():
            if reports and both.seconds >= report_at:
                report_at = both.seconds + _REPORT_EVERY_S
                output.note(f"{both.seconds:.0f} s: {compare_series(*both.series).verdict}")
    return both.series


def _compared_meter(meter: Meter | SourceReader) -> ComparedMeter:
    read = partial(read_once, meter)
    if isinstance(meter, Meter):
        return ComparedMeter(url=meter.url, read=read, pause_s=_CHIP_PAUSE_S, age_s=meter.chip.refresh_s)
    return ComparedMeter(url=meter.url, read=read, pause_s=meter.pause_s, age_s=meter.age_s, cancel=meter.cancel)


def _as_text(found: MeterComparison) -> str:
    lines = [f"{found.seconds:.0f} s side by side"]
    lines += [_row("Power", found.power, "W", 1), _row("Energy", found.energy, "Wh", 3)]
    return "\n".join([*filter(None, lines), *found.reasons, f"Verdict: {found.verdict}"])


def _row(label: str, one: MeterDeviation | None, unit: str, decimals: int) -> str:
    if one is None:
        return ""
    values = f"{one.reference:.{decimals}f} {unit} and {one.other:.{decimals}f} {unit}"
    difference = f"{one.difference:+.{decimals}f} ± {one.uncertainty:.{decimals}f} {unit}"
    percent = "" if one.percent is None else f" ({one.percent:+.2f} % ± {one.uncertainty_percent:.2f} %)"
    return f"{label:<8}{values}: {difference}{percent}, E_n {one.normalised:.2f}"


def _as_json(found: MeterComparison, meters: list[Meter | SourceReader], series: list[MeterSeries]) -> str:
    return dumps(
        {
            "reference": meters[0].url,
            "compared": meters[1].url,
            "simulated": any(meter.simulated for meter in meters),
            "seconds": round(found.seconds, 3),
            "readings": [len(one.power) for one in series],
            "power": _fields(found.power),
            "energy": _fields(found.energy),
            "reasons": list(found.reasons),
            "agreement": found.agreement,
            "verdict": found.verdict,
        }
    )


def _fields(one: MeterDeviation | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {
        "reference": one.reference,
        "compared": one.other,
        "difference": one.difference,
        "percent": one.percent,
        "uncertainty": one.uncertainty,
        "uncertainty_percent": one.uncertainty_percent,
        "normalised_error": one.normalised if one.uncertainty else None,
        "samples": one.samples,
    }
