"""A capture of a meter's waveform as the API gives it: two periods to draw, harmonics in per cent, powers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

from pydantic import BaseModel

from wattrail.gateway import ScopeView
from wattrail.metrology.waveform import Curve

__all__ = ["CurveJson", "WaveformJson", "Waveforms"]

_POINTS: Final = 180
"""Points of one period."""


class CurveJson(BaseModel):
    """One curve: two periods as [milliseconds, value]; harmonics from the second on, in per cent of the first."""

    rms: float
    crest: float | None
    thd_percent: float | None
    thd_uncertainty_percent: float | None
    points: list[tuple[float, float]]
    harmonics_percent: list[float]

    @classmethod
    def of(cls, curve: Curve, *, step_ms: float) -> Self:
        """A curve of a capture; ``step_ms`` is from one point to the next."""
        values, phasors = curve.cycle(_POINTS), curve.phasors
        return cls(
            rms=curve.rms,
            crest=curve.crest,
            thd_percent=None if curve.thd is None else 100 * curve.thd,
            thd_uncertainty_percent=None if curve.thd is None else 100 * (curve.thd_uncertainty or 0),
            points=[(round(n * step_ms, 3), round(v, 4)) for n, v in enumerate([*values, *values, values[0]])],
            harmonics_percent=[
                round(100 * abs(phasor) / abs(phasors[1]), 3) if phasors[1] else 0.0 for phasor in phasors[2:]
            ],
        )


class WaveformJson(BaseModel):
    """The last capture, or why there is none; with neither, the first is still to come.

    ``amps.points`` are amperes if ``amps_known``, else counts. ``capture`` rises with every capture.
    """

    name: str
    simulated: bool
    capture: int = 0
    why_not: str | None = None
    hint: str | None = None
    hertz: float | None = None
    watts: float | None = None
    vars: float | None = None
    volt_amps: float | None = None
    power_factor: float | None = None
    amps_known: bool = False
    samples_per_s: float | None = None
    longest_gap_ms: float | None = None
    volts: CurveJson | None = None
    amps: CurveJson | None = None

    @classmethod
    def of(cls, name: str, scope: ScopeView, *, simulated: bool, capture: int) -> Self:
        """The gateway's capture in the terms of the API."""
        if scope.found is None:
            return cls(name=name, simulated=simulated, capture=capture, why_not=scope.why_not, hint=scope.hint)
        wave = scope.found.waveform
        known, step_ms = wave.amps_known, 1000 / wave.hertz / _POINTS
        return cls(
            name=name,
            simulated=simulated,
            capture=capture,
            hertz=wave.hertz,
            watts=wave.watts if known else None,
            vars=wave.vars if known else None,
            volt_amps=wave.volt_amps if known else None,
            power_factor=wave.power_factor,
            amps_known=known,
            samples_per_s=wave.sampling.hertz,
            longest_gap_ms=1000 * wave.sampling.longest_gap_s,
            volts=CurveJson.of(wave.volts, step_ms=step_ms),
            amps=CurveJson.of(wave.amps, step_ms=step_ms),
        )


class Waveforms:
    """The captures that pages request; ``request`` sends the gateway the name of a meter to capture."""

    def __init__(self, request: Callable[[str], None]) -> None:
        self._request = request
        self._known: dict[str, WaveformJson] = {}

    def of(self, name: str) -> WaveformJson | None:
        """The last capture of a meter, None before the first; requests the next. The name must be a meter's."""
        self._request(name)
        return self._known.get(name)

    def keep(self, waveform: WaveformJson) -> None:
        """Keep a capture of the gateway."""
        self._known[waveform.name] = waveform
