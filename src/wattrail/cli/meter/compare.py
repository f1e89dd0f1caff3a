"""``wattrail meter compare``."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from json import dumps
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import clock, output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.readings import read_once
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.target import MeterOptions, find, opened_any
from wattrail.errors import LinkError, PortError, WattrailError
from wattrail.meter import Meter
from wattrail.transport.replay import CaptureEnded
from wattrail.units import Reading

if TYPE_CHECKING:
    from wattrail.metrology.comparison import MeterComparison, MeterDeviation, MeterSeries
    from wattrail.sources.source_reader import SourceReader

_CHIP_PAUSE_S: Final = 1.0
_REPORT_EVERY_S: Final = 10.0
_WAIT_S: Final = 0.2
_JOIN_S: Final = 15.0
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
    if targets[0].url == targets[1].url:
        raise UsageError(f"both are {targets[0].url}", hint="name two meters that measure the same conductor")
    with ExitStack() as stack:
        meters = [stack.enter_context(opened_any(target, options)) for target in targets]
        if not json:
            for label, meter in zip(("reference", "compared"), meters, strict=True):
                print(f"{label}: {reading_view.heading(meter)}")
        series = _watch_both(meters, seconds, reports=not json)
        found = _compared(series)
    print(_as_json(found, meters, series) if json else _as_text(found))


def _compared(series: list[MeterSeries]) -> MeterComparison:
    from wattrail.metrology.comparison import compare as compare_series

    return compare_series(*series)


class _Reader:
    """Reads one meter in a thread, reading after reading, into a queue."""

    def __init__(self, index: int, meter: Meter | SourceReader, into: queue.SimpleQueue[_Item]) -> None:
        self._index = index
        self._meter = meter
        self._into = into
        self._stop = threading.Event()
        # A thread for each meter: both block in their own time, and a slow one must not thin out the other's series.
        self._thread = threading.Thread(target=self._run, name=f"compare {meter.url}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        # A wait on a network can be cancelled; a port comes back by its own deadline, for which _JOIN_S waits.
        if not isinstance(self._meter, Meter):
            self._meter.cancel()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        pause_s = _CHIP_PAUSE_S if isinstance(self._meter, Meter) else self._meter.pause_s
        while not self._stop.is_set():
            try:
                self._into.put((self._index, read_once(self._meter)))
            except WattrailError as error:
                self._into.put((self._index, error))
                if isinstance(error, CaptureEnded) or (isinstance(error, PortError) and isinstance(self._meter, Meter)):
                    return
            except CancelledError:
                return
            clock.CLOCK.sleep(pause_s)


_Item = tuple[int, Reading | WattrailError]


def _watch_both(meters: list[Meter | SourceReader], seconds: float | None, *, reports: bool) -> list[MeterSeries]:
    from wattrail.metrology.comparison import MeterSeries

    series = [MeterSeries(age_s=_age_s(meter)) for meter in meters]
    arrived: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    began = clock.CLOCK.monotonic()
    report_at = began + _REPORT_EVERY_S
    readers = [_Reader(index, meter, arrived) for index, meter in enumerate(meters)]
    try:
        with stop_quietly():
            while seconds is None or clock.CLOCK.monotonic() < began + seconds:
                with suppress(queue.Empty):
                    if not _take(*arrived.get(timeout=_WAIT_S), series, meters):
                        break
                if reports and clock.CLOCK.monotonic() >= report_at:
                    report_at = clock.CLOCK.monotonic() + _REPORT_EVERY_S
                    output.note(f"{clock.CLOCK.monotonic() - began:.0f} s: {_compared(series).verdict}")
    finally:
        for reader in readers:
            reader.stop()
    return series


def _take(
    index: int, item: Reading | WattrailError, series: list[MeterSeries], meters: list[Meter | SourceReader]
) -> bool:
    """A reading, or what came in its place; False at the end of a capture, behind which nothing can be compared.

    Raises the error of a meter that has never answered, or is lost.
    """
    if isinstance(item, Reading):
        series[index].add(item)
        return True
    if isinstance(item, CaptureEnded) and series[index].power:
        return False
    is_transient = isinstance(item, LinkError) or not isinstance(meters[index], Meter)
    if not series[index].power or not is_transient:
        raise item
    output.note(f"no reading of {meters[index].url}: {item}")
    return True


def _age_s(meter: Meter | SourceReader) -> float:
    return meter.chip.refresh_s if isinstance(meter, Meter) else meter.age_s


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
