"""What a service consists of: configuration and options as one plan, with a twin where no meter is named."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wattrail.alarms import AlarmRule
from wattrail.app.config import database_of, demo_database
from wattrail.database_address import DatabaseAddress
from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.gateway import GatewayPlan, MeterPlan
from wattrail.ledger import Price, Tariff, VirtualKind
from wattrail.sanitize import printable
from wattrail.store import DEFAULT_RETENTION
from wattrail.store.price_file import with_prices
from wattrail.transport.discovery import list_candidates, without_device

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.publish import ConsumerPlan, Publisher

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "DEMO_METER",
    "DEMO_METERS",
    "EXAMPLE_TARIFF",
    "Demo",
    "HouseMeters",
    "LogPlan",
    "PortOffer",
    "ServicePlan",
    "WebPlan",
    "plan_service",
]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8042

DEMO_METER: Final = MeterPlan(name="twin", url="twin://pziot-e01?scenario=house")
"""The twin between house and grid that runs where no meter is configured."""

DEMO_METERS: Final = (DEMO_METER, MeterPlan(name="roof", url="twin://pziot-e01?scenario=roof"))
"""All twins that run then: the other one is behind the roof of the same house."""

EXAMPLE_TARIFF: Final = Tariff(
    name="Example", currency="EUR", rates=("standard",),
    prices=(Price(
        valid_from=date(2000, 1, 1), rates={"standard": Decimal("0.32")}, export=Decimal("0.08"),
        standing=Decimal("12.90"),
    ),),
)  # fmt: skip
"""Round prices, as a household in Germany pays and gets them: with them a newcomer sees bills. The page says that it is
an example."""


class HouseMeters(NamedTuple):
    """Names of meters; None where it is not known."""

    grid: str | None = None
    solar: str | None = None


class PortOffer(NamedTuple):
    """A port that could be a meter: what it is, its URL, and the lines that configure it."""

    description: str
    url: str
    toml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Twins run because no meter is configured.

    ``candidates`` are ports that could be a meter, ``hidden`` are USB adapters without a port. ``has_past``: a new
    database begins with a generated year. ``tariff`` is an example, where no tariff is configured either.
    """

    candidates: tuple[PortOffer, ...] = ()
    hidden: tuple[str, ...] = ()
    has_past: bool = True
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPlan:
    """Metrics at ``/metrics`` of the page; ``has_kwh`` adds registers in kWh."""

    has_kwh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPlan:
    """Where the page and the REST interface are served; port 0 takes one that is free.

    ``names`` are host names beside the machine's own, ``trusted_proxies`` addresses and networks that are believed
    about their visitors. With ``certificate`` and ``key`` it is served by TLS. ``house`` is what it draws.
    ``waits_for_user``: it is served on a network although nobody can sign in yet.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    metrics: MetricsPlan | None = None
    house: HouseMeters = field(default_factory=HouseMeters)
    names: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    waits_for_user: bool = False

    @property
    def open_to_network(self) -> bool:
        """Whether other machines can reach the page; then somebody must be able to sign in."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() != "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlan:
    """How the service logs: the least severe level that is written, and ``text`` or ``json``.

    ``redacts``: labels stand in place of addresses, names and keys.
    """

    level: str = "warning"
    format: str = "text"
    redacts: bool = False

    @property
    def number(self) -> int:
        """The level as the library of Python numbers it."""
        return logging.getLevelNamesMapping()[self.level.upper()]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """Everything that a service needs to know. Without ``web`` no page is served, and no web library is needed.

    ``consumers`` are those of the configuration. ``publishers`` maps a name for the log to any other reader of the
    meters' events; see ``Publisher``. ``alarms`` are the rules by which meters are watched,
    ``tariffs`` those by which the page says costs.
    """

    gateway: GatewayPlan
    database: DatabaseAddress | str
    web: WebPlan | None = None
    consumers: tuple[ConsumerPlan, ...] = ()
    publishers: Mapping[str, Publisher] = field(default_factory=dict)
    alarms: tuple[AlarmRule, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    demo: Demo | None = None
    log: LogPlan = LogPlan()


def plan_service(
    config: Config | None = None,
    *,
    web: bool = True,
    host: str | None = None,
    port: int | None = None,
    wait_for_user: bool = False,
    database: DatabaseAddress | None = None,
    past: bool = True,
) -> ServicePlan:
    """The plan of a service. Arguments override the configuration. Raises ConfigError.

    ``past``: a demo has one. ``wait_for_user``: the page is served on a network although nobody can sign in yet.
    """
    meters = tuple(section.planned() for section in config.meter) if config else ()
    virtual = tuple(section.planned() for section in config.virtual) if config else ()
    gateway = GatewayPlan(
        meters=meters or DEMO_METERS, virtual=virtual, zone=config.site.timezone if config else None,
        retention=config.store.retention() if config else DEFAULT_RETENTION,
    )  # fmt: skip
    house = _house_meters(config, gateway.names) if meters else HouseMeters(*(meter.name for meter in DEMO_METERS))
    page = _web(config, host, port, house) if web else None
    if page is not None and wait_for_user:
        page = replace(page, waits_for_user=True)
    log = config.log if config else None
    tariffs = load_tariffs(config.site.tariffs) if config and config.site.tariffs else ()
    demo = None if meters else _demo(has_past=past, tariff=None if tariffs else EXAMPLE_TARIFF)
    return ServicePlan(
        gateway=gateway,
        database=database or (database_of(config) if meters else demo_database()),
        web=page,
        consumers=_consumers(config, gateway, page),
        alarms=tuple(section.rule() for section in config.alarm) if config else (),
        tariffs=(demo.tariff,) if demo and demo.tariff else tariffs,
        demo=demo,
        log=LogPlan(level=log.level, format=log.format, redacts=log.redact) if log else LogPlan(),
    )


def _house_meters(config: Config | None, names: tuple[str, ...]) -> HouseMeters:
    """As ``[site]`` says; else as a self-consumption says; else a meter that is the only one stands at the grid."""
    if config is not None:
        if config.site.grid or config.site.solar:
            return HouseMeters(config.site.grid, config.site.solar)
        for virtual in config.virtual:
            if virtual.kind is VirtualKind.SELF_CONSUMPTION:
                return HouseMeters(virtual.grid, virtual.solar)
    return HouseMeters(names[0]) if len(names) == 1 else HouseMeters()


def load_tariffs(paths: Sequence[str]) -> tuple[Tariff, ...]:
    """The tariffs in these files. Raises ConfigError, FileError; also where two have one name."""
    tariffs = tuple(_tariff_at(Path(path)) for path in paths)
    names = [tariff.name for tariff in tariffs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"site.tariffs: two tariffs are named {twice!r}", hint="give each file a name of its own")
    return tariffs


def _tariff_at(path: Path) -> Tariff:
    from wattrail.app.tariff_file import parse_tariff

    tariff = parse_tariff(read_text(path), printable(str(path)), folder=path.absolute().parent)
    with_prices(tariff)  # a list of prices that cannot be read is said at the start
    return tariff


def _web(config: Config | None, host: str | None, port: int | None, house: HouseMeters) -> WebPlan:
    if config is not None:
        host = host or config.web.host
        port = config.web.port if port is None else port
    site, metrics = (config.site, config.publish.openmetrics) if config else (None, None)
    return WebPlan(
        host=host or DEFAULT_HOST,
        port=DEFAULT_PORT if port is None else port,
        metrics=MetricsPlan(has_kwh=metrics.kwh) if metrics else None,
        house=house,
        names=tuple(site.names) if site else (),
        trusted_proxies=tuple(site.trusted_proxies) if site else (),
        certificate=Path(site.certificate) if site and site.certificate else None,
        key=Path(site.key) if site and site.key else None,
    )


def _consumers(config: Config | None, gateway: GatewayPlan, page: WebPlan | None) -> tuple[ConsumerPlan, ...]:
    if config is None or not config.publish.model_fields_set:
        return ()
    from wattrail.app.publish_plan import plan_consumers  # with the libraries of their consumers

    url = None
    # Of port 0 the address is not known before it is bound.
    if page and page.open_to_network and page.port:
        from wattrail.web.process import page_url

        url = page_url(page.host, page.port, is_secure=page.certificate is not None)
    return plan_consumers(config.publish, gateway.names, configuration_url=url)


def _demo(*, has_past: bool, tariff: Tariff | None) -> Demo:
    candidates = tuple(
        PortOffer(
            f"{candidate.description} ({candidate.carries})",
            candidate.url,
            f'[[meter]]\nname = "meter-{number}"\nurl = "{candidate.url}"',
        )
        for number, candidate in enumerate(list_candidates(), start=1)
    )
    hidden = tuple(adapter.words() for adapter in without_device())
    return Demo(candidates=candidates, hidden=hidden, has_past=has_past, tariff=tariff)
