"""Metrics of all meters as a page for Prometheus and its relatives: OpenMetrics 1.0, and the older text format 0.0.4.

A meter that is not live has no values here, only ``wattrail_meter_live 0``: alert rules and graphs expect absence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from wattrail import __version__
from wattrail.gateway import MeterState, MeterView
from wattrail.publish.values import QUANTITIES, live_values

__all__ = ["OPENMETRICS_TYPE", "TEXT_TYPE", "metrics_page", "wants_openmetrics"]

OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Base units, as the format asks for; kWh are an addition for dashboards: OpenMetrics 1.0.0.
_JOULES_PER_MWH: Final = 3.6
_KWH_PER_MWH: Final = 1e-6

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric: ``kind`` is counter, gauge or info; samples are labels and a value."""

    name: str
    kind: str
    unit: str
    help: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)

    def lines(self, *, openmetrics: bool) -> Iterator[str]:
        """The family as text, without anything where it has no sample."""
        if not self.samples:
            return
        sample = self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")
        # The older format has no kind "info", and its TYPE names the sample with its suffix.
        name, kind = (
            (self.name, self.kind) if openmetrics else (sample, "counter" if self.kind == "counter" else "gauge")
        )
        yield f"# TYPE {name} {kind}"
        if openmetrics and self.unit:
            yield f"# UNIT {name} {self.unit}"
        yield f"# HELP {name} {self.help}"
        for labels, value in self.samples:
            written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{sample}{{{written}}} {value!r}" if written else f"{sample} {value!r}"


def metrics_page(views: Iterable[MeterView], *, has_kwh: bool = False, openmetrics: bool = True) -> str:
    """The page. ``has_kwh`` adds registers in kWh, which dashboards of other meters expect, to those in joules."""
    families = {
        name: MetricFamily(f"wattrail_{name}", kind, unit, help)
        for name, kind, unit, help in _families(has_kwh=has_kwh)
    }
    families["build"].samples.append(({"version": __version__}, 1.0))
    for view in views:
        _add(families, view, has_kwh=has_kwh)
    lines = [line for family in families.values() for line in family.lines(openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def wants_openmetrics(accept: str) -> bool:
    """Whether a client's Accept header asks for OpenMetrics."""
    return "application/openmetrics-text" in accept


def _families(*, has_kwh: bool) -> Iterator[tuple[str, str, str, str]]:
    yield "build", "info", "", "Version of this program."
    yield "meter", "info", "", "What a meter is."
    yield "meter_live", "gauge", "", "Whether a meter is read: 1, or 0."
    yield "last_reading_timestamp_seconds", "gauge", "seconds", "Time of the last reading, seconds since 1970."
    for way, words in (("import", "from the grid"), ("export", "to the grid")):
        yield f"energy_{way}_joules", "counter", "joules", f"Energy {words}."
        if has_kwh:
            yield f"energy_{way}_kwh", "counter", "kwh", f"Energy {words}, in kWh."
    for quantity in QUANTITIES:
        yield quantity.metric, "gauge", quantity.metric.rpartition("_")[2], quantity.help


def _add(families: Mapping[str, MetricFamily], view: MeterView, *, has_kwh: bool) -> None:
    meter = {"meter": view.name}
    marks = {"simulated": str(view.simulated).lower(), **({"estimated": "true"} if view.has_estimates else {})}
    families["meter"].samples.append(({**meter, **marks}, 1.0))
    families["meter_live"].samples.append((meter, float(view.state is MeterState.LIVE)))
    if view.reading is not None:
        families["last_reading_timestamp_seconds"].samples.append((meter, view.reading.at.timestamp()))
    if view.state is not MeterState.LIVE or view.reading is None:
        return
    if view.total is not None:
        for way, mwh in (("import", view.total.import_mwh), ("export", view.total.export_mwh)):
            families[f"energy_{way}_joules"].samples.append((meter, mwh * _JOULES_PER_MWH))
            if has_kwh:
                families[f"energy_{way}_kwh"].samples.append((meter, mwh * _KWH_PER_MWH))
    live = live_values(view.reading, view.link)
    for quantity in QUANTITIES:
        if quantity.key in live.values:
            families[quantity.metric].samples.append((meter, live.values[quantity.key]))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
