"""Which meter a verb is about: a URL, the name of a configured one, or the only configured one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from wattrail.app.config import FILE_NAME, load_config
from wattrail.cli import clock, safety
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import ConfigOption
from wattrail.cli.readings import is_network_meter, opened_network
from wattrail.cli.safety import Answer, WiringOptions
from wattrail.metrology.scale_origin import ScaleClaims, held_scale
from wattrail.transport import check_url
from wattrail.urls import corrected, innermost

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.calibration import Calibration
    from wattrail.meter import Meter
    from wattrail.sources.source_reader import SourceReader
    from wattrail.store import KeptCalibration
    from wattrail.twin.twin import Twin

__all__ = [
    "MeterOptions",
    "MeterTarget",
    "Named",
    "find",
    "find_written",
    "is_twin",
    "opened",
    "opened_any",
    "scale_before",
    "twin_of",
    "with_kept",
]

Named = Annotated[
    str | None,
    Parameter(help=f"URL of the meter, or its name in {FILE_NAME}; may be left out if the file holds only one."),
]

_NEEDS_CHIP = (
    "name its metering chip by a wire, such as spi:///dev/spidev0.0; a firmware is calibrated by its own commands "
    "(OpenBeken: VoltageSet, CurrentSet, PowerSet), and 'wattrail meter compare' compares it with another meter"
)
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
    config: ConfigOption = None


@dataclass(frozen=True, slots=True)
class MeterTarget:
    """One meter, found: where it is, who says how it scales, and what the configuration says about its wiring."""

    url: str
    claims: ScaleClaims = field(default_factory=ScaleClaims)
    address: int = 0
    chip: str | None = None
    configured: Answer | None = None

    @property
    def is_network(self) -> bool:
        """Whether the meter speaks for itself on a network."""
        return is_network_meter(self.url)


def find(named: str | None, options: MeterOptions, *, takes_network: bool = False) -> MeterTarget:
    """The meter that was meant, with the calibration kept for it. Raises UsageError, ConfigError, StoreError.

    ``takes_network``: also a meter that speaks for itself on a network, which has no calibration of ours.
    """
    from wattrail.cli.calibration_store import find_calibrations

    target = find_written(named, options, takes_network=takes_network)
    if target.is_network or target.claims.override is not None or target.claims.given is not None:
        return target  # what is kept cannot hold: no database is opened for it
    kept = find_calibrations(named, name=None, config=options.config, database=None).newest()
    return target if kept is None else with_kept(target, kept)


def with_kept(target: MeterTarget, kept: KeptCalibration) -> MeterTarget:
    """The meter, with a calibration that is kept for it."""
    return replace(target, claims=replace(target.claims, kept=kept.calibration, kept_of_twin=kept.simulated))


def find_written(named: str | None, options: MeterOptions, *, takes_network: bool = False) -> MeterTarget:
    """As ``find``, by what is typed and configured only."""
    if named is not None and ":" in named:
        target = MeterTarget(named if is_network_meter(named) else check_url(named))
    else:
        target = _from_config(named, load_config(options.config))
    if target.is_network:
        return _network_target(target, options, is_taken=takes_network)
    if options.front_end is not None:
        target = replace(target, claims=replace(target.claims, override=options.front_end))
    return target if options.address is None else replace(target, address=options.address)


def scale_before(target: MeterTarget) -> Calibration:
    """The constants that hold for a meter that is not open. Raises UrlError for an unknown front end."""
    from wattrail.meter.opening import chip_of, require_known, usual_scale

    require_known(target.claims)
    chip = chip_of(target.url, given=target.chip)
    usual = usual_scale(target.url, spi=innermost(target.url).scheme.startswith("spi"), chip=chip)
    return held_scale(target.claims, usual, simulated=is_twin(target), scaling=chip.scaling).calibration


def is_twin(target: MeterTarget) -> bool:
    """Whether a meter that is not open is simulated, as far as its URL and what is kept for it say.

    A capture or a port says so only once it is open; the store then refuses to mix the two.
    """
    return innermost(target.url).scheme == "twin" or target.claims.kept_of_twin


@contextmanager
def opened(target: MeterTarget, options: MeterOptions) -> Iterator[Meter]:
    """The meter, open and not yet connected, once its device is there and its wiring is confirmed."""
    from wattrail.meter.opening import open_scaled

    safety.confirm([target.url], given=options.answer, configured=target.configured, opens_now=True)
    with open_scaled(target.url, target.claims, address=target.address, chip=target.chip, clock=clock.CLOCK) as meter:
        yield meter


@contextmanager
def opened_any(target: MeterTarget, options: MeterOptions) -> Iterator[Meter | SourceReader]:
    """The meter, ready to be read, whether a chip on a wire or a device on a network."""
    if target.is_network:
        with opened_network(target.url) as reader:
            yield reader
    else:
        with opened(target, options) as meter:
            meter.connect()
            yield meter


def twin_of(meter: Meter) -> Twin | None:
    """The twin behind a meter, if one was made for this very run."""
    from wattrail.transport import unlogged
    from wattrail.twin.twin import Twin

    found = getattr(unlogged(meter.client.carrier), "twin", None)
    return found if isinstance(found, Twin) else None


def _network_target(target: MeterTarget, options: MeterOptions, *, is_taken: bool) -> MeterTarget:
    if not is_taken:
        raise UsageError(
            f"{target.url} is read through its firmware, and this verb needs the metering chip itself", hint=_NEEDS_CHIP
        )
    given = [name for name, value in (("--front-end", options.front_end), ("--address", options.address)) if value]
    if given:
        raise UsageError(f"{given[0]} belongs to a metering chip on a wire: {target.url} scales by itself")
    return target


def _from_config(name: str | None, config: Config | None) -> MeterTarget:
    meters = config.meter if config else []
    chosen = [meter for meter in meters if name in {None, meter.name}]
    if config is not None and name in {section.name for section in config.virtual}:
        raise UsageError(
            f"{name} is a virtual meter: it is made of others, and there is nothing to read",
            hint=f"wattrail run shows its power, 'wattrail ledger show {name}' its energy",
        )
    if config is None or len(chosen) != 1:
        raise _not_one(name, [meter.name for meter in meters])
    (meter,) = chosen
    return MeterTarget(
        meter.url,
        claims=ScaleClaims(given=meter.scale(), front_end=meter.front_end, inverted=meter.inverted),
        address=meter.address,
        chip=meter.chip,
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
        return UsageError(f"{name!r} is not a URL, and no {FILE_NAME} names such a meter", hint=hint)
    if known:
        return UsageError(f"{FILE_NAME} holds {len(known)} meters; say which: {', '.join(known)}")
    return UsageError(f"which meter? None was named, and no {FILE_NAME} holds one", hint=_NO_METER)
