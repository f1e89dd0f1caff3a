"""A waveform for people at a terminal, for programs, and as a table of points."""

from __future__ import annotations

import cmath
import json
import math
from collections.abc import Iterator, Sequence
from typing import Final

from wattrail.meter.wave import Oscillogram
from wattrail.metrology.waveform import Curve, Sampling, Waveform
from wattrail.units import utc_text

__all__ = [
    "amps_unit",
    "as_csv",
    "as_json",
    "as_text",
    "lag_words",
    "plot",
    "quality",
    "shape_words",
]

_WIDTH: Final = 72
_HEIGHT: Final = 6
_SHOWN_PERIODS: Final = 2
_CSV_POINTS: Final = 256


def as_text(found: Oscillogram) -> str:
    """Curves, powers, harmonics, and how far all of it can be trusted."""
    wave = found.waveform
    return "\n".join(
        [
            *_curve("Voltage", "V", wave.volts),
            *_curve("Current", amps_unit(wave), wave.amps),
            f"{' ':>10}  two periods of {1000 / wave.hertz:.2f} ms, from a rising zero of the voltage",
            "",
            *_quantities(found),
            "",
            *_harmonics(wave),
            "",
            *quality(found),
        ]
    )


def as_json(found: Oscillogram, *, meter: str) -> str:
    """One object; its fields are listed in docs/waveforms.md."""
    wave, known = found.waveform, found.waveform.amps_known
    fields = {
        "meter": meter,
        "simulated": found.simulated,
        "at": utc_text(found.reading.at),
        "hertz": wave.hertz,
        "volts": _channel(wave.volts),
        "amps": _channel(wave.amps) if known else None,
        "watts": wave.watts if known else None,
        "watts_uncertainty": wave.watts_uncertainty if known else None,
        "watts_by_register": found.reading.watts,
        "volt_amps": wave.volt_amps if known else None,
        "vars": wave.vars if known else None,
        "distortion_vars": wave.distortion_vars if known else None,
        "power_factor": wave.power_factor if known else None,
        "phase_degrees": wave.phase_degrees,
        "volts_per_count": found.volts_per_count,
        "amps_per_count": found.amps_per_count,
        "rms_counts_per_wave_count": found.rms_per_wave,
        "steady": found.steady,
        "drift": found.drift,
        "sampling": _sampling(wave.sampling),
    }
    return json.dumps(fields)


def as_csv(found: Oscillogram) -> str:
    """One period on a uniform grid."""
    wave = found.waveform
    head = "seconds,volts," + ("amps" if wave.amps_known else "amps_counts") + (",simulated" if found.simulated else "")
    mark = ",yes" if found.simulated else ""
    rows = (
        f"{n / _CSV_POINTS / wave.hertz:.8f},{volts:.4f},{amps:.6f}{mark}"
        for n, (volts, amps) in enumerate(zip(wave.volts.cycle(_CSV_POINTS), wave.amps.cycle(_CSV_POINTS), strict=True))
    )
    return "\n".join([head, *rows]) + "\n"


def amps_unit(wave: Waveform) -> str:
    """What the current is shown in."""
    return "A" if wave.amps_known else "counts"


def quality(found: Oscillogram) -> list[str]:
    """How the curves were come by, a sentence a line."""
    return [_sampling_words(found.waveform), _scale_words(found), *_warnings(found)]


def _sampling_words(wave: Waveform) -> str:
    """Rate, gaps, and what was left out."""
    sampling = wave.sampling
    left_out = {
        "late": sampling.late,
        "wild": sampling.spikes,
        "put again": sampling.retries,
    }
    skipped = ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
    return (
        f"Sampling: {sampling.volts_reads} + {sampling.amps_reads} reads in {sampling.seconds * 1000:.0f} ms, "
        f"{sampling.hertz:.0f} a second and curve, {100 * sampling.share:.0f} % of the chip's {sampling.sample_hz:g}; "
        f"longest gap {sampling.longest_gap_s * 1000:.2f} ms; {sampling.repeats} found a sample again"
        f"{'; left out: ' + skipped if skipped else ''}. Harmonics up to {len(wave.volts.phasors) - 1} resolved; "
        f"unexplained: {_percent(wave.volts)} of the voltage, {_percent(wave.amps)} of the current"
    )


def _scale_words(found: Oscillogram) -> str:
    """Where the scale comes from."""
    volts_ratio, amps_ratio = found.rms_per_wave
    current = (
        f"{amps_ratio:.2f} (I)" if amps_ratio is not None else "unknown for the current: the chip calls it no load"
    )
    return (
        "Scale: published nowhere, so found by comparing with V_RMS and I_RMS: one wave count is "
        f"{volts_ratio:.2f} (V) and {current} rms counts"
    )


def _warnings(found: Oscillogram) -> Iterator[str]:
    if not found.steady:
        yield f"The load changed by {100 * found.drift:.1f} % during the capture: scale and powers are off by as much"
    if (off := found.watts_off) is not None and abs(off) > 0.02:
        yield f"The power register says {found.reading.watts:.1f} W, the curves {100 * off:+.1f} %: do not trust either"


def _curve(title: str, unit: str, curve: Curve) -> list[str]:
    one = curve.cycle(_WIDTH)
    peak = max(map(abs, one))
    lines = plot(one * _SHOWN_PERIODS, width=_WIDTH, height=_HEIGHT, peak=peak)
    edge = {0: f"+{_short(peak)} {unit}", _HEIGHT // 2: title, _HEIGHT - 1: f"−{_short(peak)} {unit}"}
    return [f"{edge.get(n, ''):>10}  {line}" for n, line in enumerate(lines)]


def _quantities(found: Oscillogram) -> list[str]:
    wave = found.waveform
    rows = [
        ("Frequency", f"{wave.hertz:.3f} Hz", ""),
        ("Voltage", f"{wave.volts.rms:.1f} V", shape_words(wave.volts)),
        ("Current", f"{_short(wave.amps.rms)} {amps_unit(wave)}", shape_words(wave.amps)),
    ]
    if wave.amps_known:
        way = "export" if wave.watts < 0 else "import"
        rows += [
            (
                "Active",
                f"{wave.watts:.1f} W",
                f"± {wave.watts_uncertainty:.1f}, {way}; {found.reading.watts:.1f} W by WATT",
            ),
            ("Reactive", f"{wave.vars:.1f} var", f"of the fundamental, {lag_words(wave)}"),
            ("Distortion", f"{wave.distortion_vars:.1f} var", "harmonics that one curve has and the other has not"),
            ("Apparent", f"{wave.volt_amps:.1f} VA", f"power factor {wave.power_factor or 0:.3f}"),
        ]
    return [f"{name:<12}{value:>14}  {more}".rstrip() for name, value, more in rows]


def shape_words(curve: Curve, crest: str = "crest factor") -> str:
    """THD and crest factor, with the uncertainty of the first."""
    if curve.crest is None:
        return "no signal"
    if curve.thd is None:
        return f"too few harmonics for a THD, {crest} {curve.crest:.3f}"
    return f"THD {100 * curve.thd:.2f} ± {100 * (curve.thd_uncertainty or 0):.2f} %, {crest} {curve.crest:.3f}"


def lag_words(wave: Waveform) -> str:
    """How the current's fundamental stands to the voltage's; for export, to a current that flows back."""
    phase = wave.phase_degrees or 0.0
    if wave.watts >= 0:
        return f"current {'lags' if phase >= 0 else 'leads'} by {abs(phase):.2f}°"
    return f"exported current {'lags' if phase < 0 else 'leads'} by {180 - abs(phase):.2f}°"


def _harmonics(wave: Waveform) -> list[str]:
    lines = [f"{'Harmonic':<9}{'Voltage':>10}{'':<10}{'Current':>10}", f"{'':<9}{'% of 1':>10}{'':<10}{'% of 1':>10}"]
    for order in range(1, len(wave.volts.phasors)):
        cells = "".join(
            f"{_relative(c, order):>10} ± {_relative_uncertainty(c, order):<7}" for c in (wave.volts, wave.amps)
        )
        lines.append(f"{order:<9}{cells}".rstrip())
    return lines


def _relative(curve: Curve, order: int) -> str:
    return f"{100 * abs(curve.phasors[order]) / curve.fundamental:.2f}" if curve.fundamental else "–"


def _relative_uncertainty(curve: Curve, order: int) -> str:
    return f"{100 * curve.uncertainty(order) / curve.fundamental:.2f}" if curve.fundamental else "–"


def _percent(curve: Curve) -> str:
    return f"{100 * curve.residual / curve.rms:.2f} %" if curve.rms else "all"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _channel(curve: Curve) -> dict[str, object]:
    return {
        "rms": curve.rms,
        "thd": curve.thd,
        "thd_uncertainty": curve.thd_uncertainty,
        "crest_factor": curve.crest,
        "residual": curve.residual,
        "harmonics": [
            {"order": k, "rms": abs(p), "degrees": _degrees(p), "uncertainty": curve.uncertainty(k)}
            for k, p in enumerate(curve.phasors)
            if k
        ],
    }


def _degrees(phasor: complex) -> float:
    return math.degrees(cmath.phase(phasor))


def _sampling(sampling: Sampling) -> dict[str, float]:
    return {
        "seconds": sampling.seconds,
        "volts_reads": sampling.volts_reads,
        "amps_reads": sampling.amps_reads,
        "reads_per_second": sampling.hertz,
        "share_of_samples": sampling.share,
        "longest_gap_s": sampling.longest_gap_s,
        "repeats": sampling.repeats,
        "late": sampling.late,
        "spikes": sampling.spikes,
        "retries": sampling.retries,
    }


_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots in a braille cell, by row and column."""


def plot(values: Sequence[float], *, width: int, height: int, peak: float) -> list[str]:
    """Lines of ``width`` characters; the middle of the picture is zero, its upper edge ``peak``."""
    rows, columns = 4 * height, 2 * width
    cells = [[0] * width for _ in range(height)]

    def row_of(value: float) -> int:
        return min(rows - 1, max(0, round((1 - value / (peak or 1.0)) / 2 * (rows - 1))))

    before = None
    for column in range(columns):
        row = row_of(values[column * len(values) // columns])
        first, last = sorted((row, row if before is None else before))
        for y in range(first, last + 1):
            if y != before or y == row:  # the column before has that dot already
                cells[y // 4][column // 2] |= _DOTS[y % 4][column % 2]
        before = row
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]
