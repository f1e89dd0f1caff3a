"""A meter by URL: which chip is there, through which heads it is asked, and which constants scale it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, cast

from wattrail.calibration import Calibration
from wattrail.chips import DEFAULT_CHIP, Capability, ChipSample, MeteringChip, chip_named
from wattrail.clock import Clock
from wattrail.errors import UrlError
from wattrail.front_end import FRONT_ENDS
from wattrail.meter.meter import Meter
from wattrail.metrology.scale_origin import (
    Scale,
    ScaleClaims,
    ScaleSource,
    fitting_front_ends,
    held_scale,
    is_mains_voltage,
    scale_of_parts,
)
from wattrail.transport import Bus, open_port
from wattrail.units import Reading
from wattrail.urls import innermost

__all__ = ["chip_of", "open_meter", "open_scaled", "require_known", "scale_finding", "usual_scale"]

_USUAL_TWIN: Final = "pziot-e01"


def open_meter(
    url: str,
    *,
    calibration: Calibration | None = None,
    front_end: str | None = None,
    inverted: bool = False,
    address: int = 0,
    chip: str | None = None,
    clock: Clock | None = None,
) -> Meter:
    """A meter by URL; ``connect`` it, then ``read``. Use it in a ``with`` block.

    ``chip`` is the chip's name where the URL does not say it (``chip=bl0940``). Scale comes from ``calibration``, else
    from the parts of the named front end, else from the twin's own board, else from the usual one of the bus: a
    pziot-e01 on SPI, the reference circuit on UART. ``Meter.scale`` says from which. ``inverted`` flips the sign of
    power. Raises UrlError for an unknown chip or front end, PortOpenError, MissingExtra.
    """
    claims = ScaleClaims(given=calibration, front_end=front_end, inverted=inverted)
    return open_scaled(url, claims, address=address, chip=chip, clock=clock)


def open_scaled(
    url: str, claims: ScaleClaims, *, address: int = 0, chip: str | None = None, clock: Clock | None = None
) -> Meter:
    """As ``open_meter``, where more than one place says how the meter scales."""
    require_known(claims)
    there = chip_of(url, given=chip)
    # By the URL alone, before a bus is opened for a chip that has none.
    if innermost(url).scheme.startswith("spi"):
        there.require(Capability.SPI)
    carrier = open_port(url, clock=clock)
    try:
        usual = usual_scale(url, spi=isinstance(carrier, Bus), chip=there)
        scale = held_scale(claims, usual, simulated=carrier.simulated, scaling=there.scaling)
        return Meter(
            carrier,
            scale.calibration,
            chip=there,
            address=address,
            read_head=_read_head(url),
            scale=scale.origin,
        )
    # The chip may refuse the carrier only once that is open.
    except UrlError:
        carrier.close()
        raise


def chip_of(url: str, *, given: str | None = None) -> MeteringChip:
    """The chip that a URL names, itself or by a twin's board; else the one that is given. Raises UrlError."""
    parts = innermost(url)
    named = parts.query.get("chip")
    if named is None and parts.scheme == "twin" and (parts.host or _USUAL_TWIN) in FRONT_ENDS:
        named = FRONT_ENDS[parts.host or _USUAL_TWIN].chips[0]
    if named is not None and given is not None and named != given:
        raise UrlError(f"{url!r} is a {named}, and {given} is configured", hint="keep one of the two")
    return chip_named(named or given or DEFAULT_CHIP)


def _read_head(url: str) -> int | None:
    """The read head that a URL names; a twin's URL says by it what the twin is."""
    parts = innermost(url)
    named = None if parts.scheme == "twin" else parts.query.get("heads")
    return None if named is None else int(named, 16)


def require_known(claims: ScaleClaims) -> None:
    """Raises UrlError where a front end is named that nobody knows."""
    for name in claims.named:
        if name not in FRONT_ENDS:
            close = get_close_matches(name, FRONT_ENDS, n=1)
            hint = f"did you mean {close[0]}?" if close else None
            raise UrlError(f"unknown front end {name!r}; known: {', '.join(FRONT_ENDS)}", hint=hint)


def scale_finding(meter: Meter, reading: Reading) -> str | None:
    """What speaks against the scale of a reading, None if nothing: a voltage that no mains has."""
    sample, volts = cast(ChipSample, reading.sample), reading.volts  # a Meter reads samples of its chip
    if volts is None or not sample.sees_mains or is_mains_voltage(volts):
        return None
    fitting = [name for name in fitting_front_ends(sample.counts["v_rms"], meter.chip) if name != meter.scale.front_end]
    remedy = f"try front_end={fitting[0]}" if fitting else "no known front end fits: calibrate the meter"
    return f"{volts:.1f} V is not a mains voltage, so the divider is probably another; {remedy}"


def usual_scale(url: str, *, spi: bool, chip: MeteringChip) -> Scale:
    """The scale to take where nobody names one: the twin's own, or that of the usual board of the bus. Raises UrlError.

    A meter that is recorded scales as the one behind the recording.
    """
    parts = innermost(url)
    if parts.scheme == "twin" and (parts.host or _USUAL_TWIN) in FRONT_ENDS:
        return scale_of_parts(parts.host or _USUAL_TWIN, ScaleSource.TWIN, chip.scaling)
    # The one meter with a BL0942 on SPI that is described in public is of this kind (OpenBK7231T_App PR #724, #827).
    return scale_of_parts("pziot-e01" if spi else "reference", ScaleSource.ASSUMED, chip.scaling)
