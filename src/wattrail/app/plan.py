"""What a service consists of: configuration and options as one plan, with a twin where no meter is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from wattrail.alarms import AlarmRule
from wattrail.app.config import database_of, demo_database
from wattrail.database_address import DatabaseAddress
from wattrail.gateway import GatewayPlan, MeterPlan
from wattrail.transport.discovery import list_candidates, without_device

if TYPE_CHECKING:
    from wattrail.app.publish_schema import OpenMetricsSection
    from wattrail.app.schema import Config
    from wattrail.publish import ConsumerPlan, Publisher

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "DEMO_METER", "Demo", "PortOffer", "ServicePlan", "WebPlan", "plan_service"]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8042

DEMO_METER: Final = MeterPlan(name="twin", url="twin://pziot-e01?scenario=house")
"""The twin that runs where no meter is configured."""


class PortOffer(NamedTuple):
    """A port that could be a meter: what it is, its URL, and the lines that configure it."""

    description: str
    url: str
    toml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A twin runs because no meter is configured.

    ``candidates`` are ports that could be a meter, ``hidden`` are USB adapters without a port.
    """

    candidates: tuple[PortOffer, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPlan:
    """Metrics at ``/metrics`` of the page; ``has_kwh`` adds registers in kWh."""

    has_kwh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPlan:
    """Where the page and the REST interface are served; port 0 takes one that is free."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    metrics: MetricsPlan | None = None

    @property
    def open_to_network(self) -> bool:
        """Whether other machines can reach the page."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() != "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """Everything that a service needs to know. Without ``web`` no page is served, and no web library is needed.

    ``consumers`` are those of the configuration. ``publishers`` maps a name for the log to any other reader of the
    meters' events; see ``Publisher``. ``alarms`` are the rules by which meters are watched.
    """

    gateway: GatewayPlan
    database: DatabaseAddress | str
    web: WebPlan | None = None
    consumers: tuple[ConsumerPlan, ...] = ()
    publishers: Mapping[str, Publisher] = field(default_factory=dict)
    alarms: tuple[AlarmRule, ...] = ()
    demo: Demo | None = None


def plan_service(
    config: Config | None = None,
    *,
    web: bool = True,
    host: str | None = None,
    port: int | None = None,
    database: DatabaseAddress | None = None,
) -> ServicePlan:
    """The plan of a service. Arguments override the configuration. Raises ConfigError."""
    meters = tuple(section.planned() for section in config.meter) if config else ()
    virtual = tuple(section.planned() for section in config.virtual) if config else ()
    gateway = GatewayPlan(
        meters=meters or (DEMO_METER,), virtual=virtual, zone=config.site.timezone if config else None
    )
    page = _web(config, host, port) if web else None
    return ServicePlan(
        gateway=gateway,
        database=database or (database_of(config) if meters else demo_database()),
        web=page,
        consumers=_consumers(config, gateway, page),
        alarms=tuple(section.rule() for section in config.alarm) if config else (),
        demo=None if meters else _demo(),
    )


def _web(config: Config | None, host: str | None, port: int | None) -> WebPlan:
    if config is not None:
        host = host or config.web.host
        port = config.web.port if port is None else port
    return WebPlan(
        host=host or DEFAULT_HOST,
        port=DEFAULT_PORT if port is None else port,
        metrics=_metrics(config.publish.openmetrics) if config else None,
    )


def _metrics(section: OpenMetricsSection | None) -> MetricsPlan | None:
    return MetricsPlan(has_kwh=section.kwh) if section else None


def _consumers(config: Config | None, gateway: GatewayPlan, page: WebPlan | None) -> tuple[ConsumerPlan, ...]:
    if config is None or not config.publish.model_fields_set:
        return ()
    from wattrail.app.publish_plan import page_url, plan_consumers  # with the libraries of their consumers

    url = page_url(page.host, page.port) if page and page.open_to_network and page.port else None
    return plan_consumers(config.publish, gateway.names, configuration_url=url)


def _demo() -> Demo:
    candidates = tuple(
        PortOffer(
            f"{candidate.description} ({candidate.carries})",
            candidate.url,
            f'[[meter]]\nname = "meter-{number}"\nurl = "{candidate.url}"',
        )
        for number, candidate in enumerate(list_candidates(), start=1)
    )
    return Demo(candidates=candidates, hidden=tuple(adapter.words() for adapter in without_device()))
