"""How counts of a metering chip follow from the signals at its pins, from each other, and what they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattrail.calibration import Calibration
from wattrail.front_end import FrontEnd
from wattrail.units import Quantities

__all__ = ["Scaling", "quantities_of"]

_US_PER_HOUR = 3_600_000_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Counts per millivolt rms at the pins, and per millivolt of both for power.

    ``watt_us_per_count``: counts of power times microseconds in one count of energy. ``max_watt`` is the largest count
    of power there is. Full scales are the largest rms signals at the pins, in millivolts.
    """

    v_rms_per_mv: float
    i_rms_per_mv: float
    watt_per_mv2: float
    watt_us_per_count: int
    max_watt: int
    v_full_scale_mv: float
    i_full_scale_mv: float

    @property
    def watt_identity(self) -> float:
        """For a sine: ``WATT = power factor * I_RMS * V_RMS * this``; holds on every front end."""
        return self.watt_per_mv2 / (self.i_rms_per_mv * self.v_rms_per_mv)

    @property
    def v_full_scale(self) -> float:
        """The largest count of voltage that the chip is specified for."""
        return self.v_full_scale_mv * self.v_rms_per_mv

    @property
    def i_full_scale(self) -> float:
        """The largest count of current that the chip is specified for."""
        return self.i_full_scale_mv * self.i_rms_per_mv

    def calibration_of(self, front_end: FrontEnd, *, inverted: bool = False) -> Calibration:
        """The constants that follow from the parts, before any measurement: within about 2 %."""
        per_amp, per_volt = front_end.millivolts_per_amp, front_end.millivolts_per_volt
        return Calibration(
            counts_per_volt=self.v_rms_per_mv * per_volt,
            counts_per_amp=self.i_rms_per_mv * per_amp,
            counts_per_watt=self.watt_per_mv2 * per_amp * per_volt,
            inverted=inverted,
        )

    def disagreement(self, calibration: Calibration) -> float:
        """How far the three constants are from the chip's identity, as a fraction of counts_per_watt.

        More than 0.01 to 0.02 is a bad measurement or a phase error of the current transformer.
        """
        # The chip has no register of phase: the error of a current
        # transformer shows here, as power that does not fit.
        identical = calibration.counts_per_amp * calibration.counts_per_volt * self.watt_identity
        return calibration.counts_per_watt / identical - 1

    def step_mwh(self, calibration: Calibration) -> Fraction:
        """Exact energy of one count in milliwatt-hours; counts per watt count to six decimals, as a database keeps."""
        per_watt = Fraction(round(calibration.counts_per_watt * _MILLION), _MILLION)
        return Fraction(self.watt_us_per_count * 1000, _US_PER_HOUR) / per_watt

    def wh_per_count(self, calibration: Calibration) -> float:
        """Energy of one count in watt-hours."""
        return self.watt_us_per_count / _US_PER_HOUR / calibration.counts_per_watt

    def counts_per_kwh(self, calibration: Calibration) -> float:
        """Counts of energy in a kilowatt-hour."""
        return 1000 / self.wh_per_count(calibration)


def quantities_of(
    calibration: Calibration | None,
    *,
    v_rms: int,
    i_rms: int,
    watt: int,
    hertz: float | None = None,
    celsius: float | None = None,
) -> Quantities:
    """Counts of one instant, scaled. Raises ValueError without a calibration."""
    if calibration is None:
        raise ValueError("the counts of a metering chip need a calibration")
    volts, amps, watts = calibration.volts(v_rms), calibration.amps(i_rms), calibration.watts(watt)
    return Quantities(
        volts=volts,
        amps=amps,
        watts=watts,
        hertz=hertz,
        # Rounding and a refresh between two registers may put it a little beyond 1, and no consumer takes that.
        power_factor=max(-1.0, min(1.0, watts / (volts * amps))) if i_rms and v_rms else None,
        celsius=celsius,
    )
