"""Which meter a verb is about: a URL, the name of a configured one, or the only configured one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from wattrail.app.config import FILE_NAME, load_config
from wattrail.bl0942 import Calibration
from wattrail.cli import pace, safety
from wattrail.cli.exits import UsageError
from wattrail.cli.safety import Answer, WiringOptions
from wattrail.transport import check_url
from wattrail.urls import corrected

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.meter import Meter

__all__ = ["Json", "MeterOptions", "Named", "Target", "find", "find_calibrated", "opened"]

Named = Annotated[
    str | None,
    Parameter(help=f"URL of the meter, or its name in {FILE_NAME}; may be left out if the file holds only one."),
]
Json = Annotated[bool, Parameter(help="Print JSON instead of text.")]

_NO_METER = "for example: 'wattrail meter read twin://pziot-e01', or serial:///dev/ttyUSB0?baud=4800"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MeterOptions(WiringOptions):
    """What every verb about one meter understands."""

    front_end: Annotated[str | None, Parameter(help="Known parts that set the scale, such as pziot-e01.")] = None
    address: Annotated[
        int | None,
        Parameter(help="Address of the chip on a shared UART, 0 to 3.", validator=validators.Number(gte=0, lte=3)),
    ] = None
    config: Annotated[Path | None, Parameter(help="Configuration file.")] = None


@dataclass(frozen=True, slots=True)
class Target:
    """One meter, found: where it is, how it scales, and what the configuration says about its wiring."""

    url: str
    calibration: Calibration | None = None
    front_end: str | None = None
    address: int = 0
    inverted: bool = False
    configured: Answer | None = None


def find(named: str | None, options: MeterOptions) -> Target:
    """The meter that was meant; options beat the configuration. Raises UsageError, ConfigError."""
    if named is not None and ":" in named:
        target = Target(check_url(named))
    else:
        target = _from_config(named, load_config(options.config))
    if options.front_end is not None:
        target = replace(target, front_end=options.front_end, calibration=None)
    return target if options.address is None else replace(target, address=options.address)


def find_calibrated(named: str | None, options: MeterOptions) -> Target:
    """As ``find``, with the calibration that is kept for the meter where neither options nor file give one."""
    from wattrail.cli.calibration.shelf import find_shelf

    target = find(named, options)
    if target.calibration is not None or options.front_end is not None:
        return target
    kept = find_shelf(named, name=None, config=options.config, database=None).newest()
    if kept is None:
        return target
    scale = kept.calibration
    return replace(target, calibration=scale, inverted=scale.inverted or target.inverted)


@contextmanager
def opened(target: Target, options: MeterOptions) -> Iterator[Meter]:
    """The meter, open and not yet connected, once its device is there and its wiring is confirmed."""
    from wattrail.meter import open_meter

    safety.confirm([target.url], given=options.answer, configured=target.configured, opens_now=True)
    with open_meter(
        target.url,
        calibration=target.calibration,
        front_end=target.front_end,
        address=target.address,
        clock=pace.CLOCK,
    ) as meter:
        meter.calibration = replace(meter.calibration, inverted=target.inverted)
        yield meter


def _from_config(name: str | None, config: Config | None) -> Target:
    meters = config.meter if config else []
    chosen = [meter for meter in meters if name in {None, meter.name}]
    if config is None or len(chosen) != 1:
        raise _not_one(name, [meter.name for meter in meters])
    (meter,) = chosen
    return Target(
        meter.url,
        calibration=meter.scale(),
        front_end=meter.front_end,
        address=meter.address,
        inverted=meter.inverted,
        configured=Answer(config.safety.confirmed) if config.safety.confirmed else None,
    )


def _not_one(name: str | None, known: list[str]) -> UsageError:
    if name is not None and known:
        meant = corrected(name)
        return UsageError(
            f"no meter is named {name!r}; known: {', '.join(known)}", hint=f"try {meant}" if meant else None
        )
    if name is not None:
        meant = corrected(name)
        hint = f"try {meant}" if meant else _NO_METER
        return UsageError(f"{name!r} is no URL, and no {FILE_NAME} names such a meter", hint=hint)
    if known:
        return UsageError(f"{FILE_NAME} holds {len(known)} meters; say which: {', '.join(known)}")
    return UsageError(f"which meter? None was named, and no {FILE_NAME} holds one", hint=_NO_METER)
