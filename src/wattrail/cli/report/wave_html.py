"""A waveform as one page to keep."""

from __future__ import annotations

from html import escape

from wattrail.cli.report import page
from wattrail.cli.report.page import Axis, Panel, picture, round_ticks
from wattrail.cli.report.wave_text import amps_unit, lag_words, quality, shape_words
from wattrail.meter.wave import Oscillogram
from wattrail.metrology.waveform import Curve

__all__ = ["as_html"]

_POINTS = 360
_ROOM = 1.1


def as_html(found: Oscillogram, *, meter: str) -> str:
    """The whole document."""
    wave = found.waveform
    curves = page.figure(
        _curves(found, 920, 380, "wide"),
        _curves(found, 380, 320, "narrow"),
        f"Two periods of {1000 / wave.hertz:.2f} ms, from a rising zero of the voltage; left the voltage, right the "
        "current.",
        key=_KEY,
    )
    bars = page.figure(
        _bars(found, 920, 300, "wide"),
        _bars(found, 380, 260, "narrow"),
        f"Harmonics 2 to {len(wave.volts.phasors) - 1} in per cent of the first; uncertainty (95 %) in the table.",
        key=_KEY,
    )
    return page.page(
        "Voltage and current",
        simulated=found.simulated,
        url=meter,
        when=f"{found.reading.at.astimezone():%Y-%m-%d %H:%M:%S %z}",
        sections=[
            page.section("", curves),
            page.section("", _numbers(found)),
            page.section("Harmonics", bars, _table(found)),
            page.section("How far to trust it", *map(page.paragraph, quality(found))),
        ],
    )


_KEY = (
    '<ul class="key"><li><svg viewBox="0 0 28 10"><polyline class="volts" points="0,5 28,5"/></svg>Voltage</li>'
    '<li><svg viewBox="0 0 28 10"><polyline class="amps" points="0,5 28,5"/></svg>Current</li></ul>'
)


def _curves(found: Oscillogram, width: int, height: int, kind: str) -> str:
    wave = found.waveform
    period_ms = 1000 / wave.hertz
    x = Axis(0, 2 * period_ms, 52, width - 52)
    panels = []
    for curve, unit, name in ((wave.volts, "V", "volts"), (wave.amps, amps_unit(wave), "amps")):
        values = curve.cycle(_POINTS) * 2
        peak = max(map(abs, values)) * _ROOM or 1.0
        panel = Panel(x, Axis(-peak, peak, height - 34, 24))
        ticks = round_ticks(-peak, peak, about=6)
        if name == "volts":
            times = round_ticks(0, 2 * period_ms, about=8 if kind == "wide" else 4)
            panel.frame([(t, f"{t:g} ms" if t else "0") for t in times], [(v, _plain(v)) for v in ticks])
            panel.label(44, 14, unit, anchor="end", kind="volts")
        else:
            for value in ticks:
                panel.label(width - 44, panel.y.at(value) + 4, _plain(value))
            panel.label(width - 44, 14, unit, kind="amps")
        panel.curve([(2 * period_ms * n / len(values), v) for n, v in enumerate([*values, values[0]])], name)
        panels.append(panel)
    return picture(panels, width=width, height=height, label="Voltage and current over two periods", kind=kind)


def _bars(found: Oscillogram, width: int, height: int, kind: str) -> str:
    wave = found.waveform
    orders = range(2, len(wave.volts.phasors))
    shares = [(order, _share(wave.volts, order), _share(wave.amps, order)) for order in orders]
    peak = max([1.0, *(max(v, i) for _, v, i in shares)]) * _ROOM
    panel = Panel(Axis(1.2, len(wave.volts.phasors) - 0.2, 52, width - 12), Axis(0, peak, height - 34, 24))
    every = 1 if kind == "wide" else 2
    panel.frame([], [(v, f"{v:g} %") for v in round_ticks(0, peak, about=5)])
    wide = (panel.x.at(3) - panel.x.at(2)) * 0.34
    for order, volts, amps in shares:
        panel.bar(order, volts, width=wide, kind="volts", offset=-wide / 2)
        panel.bar(order, amps, width=wide, kind="amps", offset=wide / 2)
        if order % every == 0 or kind == "wide":
            panel.label(panel.x.at(order), height - 16, str(order), anchor="middle")
    return picture([panel], width=width, height=height, label="Harmonics of voltage and current", kind=kind)


def _numbers(found: Oscillogram) -> str:
    wave = found.waveform
    cells = [
        ("Frequency", f"{wave.hertz:.3f} Hz", ""),
        ("Voltage", f"{wave.volts.rms:.1f} V", shape_words(wave.volts, "crest")),
    ]
    cells.append(("Current", f"{wave.amps.rms:.4g} {amps_unit(wave)}", shape_words(wave.amps, "crest")))
    if wave.amps_known:
        cells += [
            (
                "Active power",
                f"{wave.watts:.1f} W",
                f"± {wave.watts_uncertainty:.1f} W; {found.reading.watts:.1f} W by WATT",
            ),
            (
                "Reactive power",
                f"{wave.vars:.1f} var",
                lag_words(wave),
            ),
            ("Distortion", f"{wave.distortion_vars:.1f} var", "beside active and reactive power"),
            ("Apparent power", f"{wave.volt_amps:.1f} VA", f"power factor {wave.power_factor or 0:.3f}"),
            ("Direction", "Export" if wave.watts < 0 else "Import", ""),
        ]
    body = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{_minus(value)}<small>{_minus(more)}</small></dd></div>"
        for name, value, more in cells
    )
    return f"<dl>{body}</dl>"


def _table(found: Oscillogram) -> str:
    wave = found.waveform
    rows = []
    for order in range(1, len(wave.volts.phasors)):
        cells = [str(order)]
        for curve in (wave.volts, wave.amps):
            spread = 100 * curve.uncertainty(order) / curve.fundamental if curve.fundamental else 0.0
            cells += [
                f"{abs(curve.phasors[order]):.3g}" if order > 1 else f"{curve.fundamental:.4g}",
                f"{_share(curve, order):.2f}",
                f"± {spread:.2f}",
            ]
        rows.append(cells)
    unit = amps_unit(wave)
    return page.table(["Order", "V", "%", "", unit, "%", ""], rows)


def _share(curve: Curve, order: int) -> float:
    return 100 * abs(curve.phasors[order]) / curve.fundamental if curve.fundamental else 0.0


def _minus(words: str) -> str:
    return escape(page.minus(words))


def _plain(value: float) -> str:
    return page.minus(f"{value:g}")
