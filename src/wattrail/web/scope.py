"""The oscilloscope page of one meter: curves, harmonics, powers. It asks the gateway only while it is open."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from nicegui import ui

from wattrail.bl0942.waveform import Curve
from wattrail.gateway import Feed, MeterView, ScopeView
from wattrail.meter.wave import Oscillogram
from wattrail.web import words
from wattrail.web.card import text

__all__ = ["scope_page"]

_ASSETS = files(__package__) / "assets"
_HEAD = (
    f"<style>{(_ASSETS / 'dashboard.css').read_text(encoding='utf-8')}"
    f"{(_ASSETS / 'scope.css').read_text(encoding='utf-8')}</style>"
    f"<script>{(_ASSETS / 'scope.js').read_text(encoding='utf-8')}</script>"
)

REFRESH_S = 1.0
_POINTS = 180

_FACTS = (
    "Frequency",
    "Voltage",
    "Current",
    "Active power",
    "Reactive power",
    "Apparent power",
    "Power factor",
    "Reads",
)


def scope_page(feed: Feed, name: str) -> None:
    """Build the page for one visitor, and keep it fresh."""
    ui.add_head_html(_HEAD)
    ui.page_title(f"{name} – oscilloscope")
    view = feed.view(name)
    with ui.element("div").classes("page scope"):
        with ui.element("header").classes("top"):
            text("a", "All meters", classes="back").props('href="/"')
        if view is None:
            text("h1", f"There is no meter {name!r}")
            return
        page = _Page(view)

    def refresh() -> None:
        page.show(feed.view(name) or view, feed.scopes.watch(name))

    refresh()
    ui.timer(REFRESH_S, refresh)


class _Page:
    def __init__(self, view: MeterView) -> None:
        self._shown: Oscillogram | None = None
        with ui.element("article").classes("meter"):
            with ui.element("header"):
                with ui.element("div").classes("who"):
                    text("h2", f"Oscilloscope of {view.name}")
                    text("p", view.url, classes="url")
                if view.simulated:
                    with ui.element("div").classes("marks"):
                        text("span", words.SIMULATED, classes="badge")
            with ui.element("div").classes("notice").props('role="status"') as self._notice:
                self._why = text("p", "Capturing…", classes="error")
                self._hint = text("p", classes="hint")
            with ui.element("div").classes("curves") as self._body:
                self._curves = _chart(f"Voltage and current of {view.name} over two periods")
                self._facts = {}
                with ui.element("dl").classes("facts"):
                    for name in _FACTS:
                        with ui.element("div"):
                            text("dt", name)
                            value = text("dd")
                            self._facts[name] = (value, text("dd", classes="more"))
                self._bars = _chart(f"Harmonics of {view.name} in per cent of the first")
        self._body.set_visibility(False)

    def show(self, view: MeterView, scope: ScopeView | None) -> None:
        """Bring the page up to date; nothing is sent if nothing is new."""
        why = (scope.why_not if scope else None) or view.error or ("" if scope else "Capturing…")
        self._notice.set_visibility(bool(why))
        self._why.text = why
        self._hint.text = (scope.hint if scope and scope.why_not else view.hint) or ""
        found = scope.found if scope else None
        if found is None or found is self._shown:
            return
        self._shown = found
        self._body.set_visibility(True)
        for name, (value, more) in _facts(found).items():
            self._facts[name][0].text, self._facts[name][1].text = value.replace("-", "−"), more.replace("-", "−")
        ui.run_javascript(f"wattrailScope.draw({self._curves.id}, {self._bars.id}, {json.dumps(_drawn(found))});")


def _chart(label: str) -> ui.echart:
    with ui.element("div").classes("plot").props(f'role="img" aria-label="{label}"'):
        return ui.echart({"animation": False, "series": []})


def _facts(found: Oscillogram) -> dict[str, tuple[str, str]]:
    wave, sampling = found.waveform, found.waveform.sampling
    known = wave.amps_known
    shapes = [_shape(curve) for curve in (wave.volts, wave.amps)]
    return {
        "Frequency": (f"{wave.hertz:.2f} Hz", ""),
        "Voltage": (f"{wave.volts.rms:.1f} V", shapes[0]),
        "Current": (f"{wave.amps.rms:.3f} A", shapes[1]) if known else ("No load", "below the chip's threshold"),
        "Active power": (f"{wave.watts:.1f} W", "export" if wave.watts < 0 else "import") if known else ("–", ""),
        "Reactive power": (f"{wave.vars:.1f} var", "of the fundamental") if known else ("–", ""),
        "Apparent power": (f"{wave.volt_amps:.1f} VA", "") if known else ("–", ""),
        "Power factor": (f"{wave.power_factor or 0:.3f}", "") if known else ("–", ""),
        "Reads": (f"{sampling.hertz:.0f} / s", f"for each curve; longest gap {1000 * sampling.longest_gap_s:.1f} ms"),
    }


def _shape(curve: Curve) -> str:
    crest = f"crest factor {curve.crest or 0:.2f}"
    if curve.thd is None:
        return crest
    return f"THD {100 * curve.thd:.1f} ± {100 * (curve.thd_uncertainty or 0):.1f} %, {crest}"


def _drawn(found: Oscillogram) -> dict[str, Any]:
    """What the browser draws: two periods as [milliseconds, value], harmonics in per cent."""
    wave = found.waveform
    step = 1000 / wave.hertz / _POINTS

    def points(values: list[float]) -> list[list[float]]:
        return [[round(n * step, 3), round(v, 4)] for n, v in enumerate([*values, *values, values[0]])]

    def shares(phasors: tuple[complex, ...]) -> list[float]:
        return [round(100 * abs(p) / abs(phasors[1]), 3) if phasors[1] else 0.0 for p in phasors[2:]]

    return {
        "volts": points(wave.volts.cycle(_POINTS)),
        "amps": points(wave.amps.cycle(_POINTS)),
        "unit": "A" if wave.amps_known else "counts",
        "voltsHarmonics": shares(wave.volts.phasors),
        "ampsHarmonics": shares(wave.amps.phasors),
    }
