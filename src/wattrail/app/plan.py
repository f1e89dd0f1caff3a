"""What a service consists of: configuration and options as one plan, with a twin where no meter is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wattrail.app.config import database_of, demo_database
from wattrail.gateway import GatewayPlan, MeterPlan
from wattrail.transport.discovery import list_candidates, without_device

if TYPE_CHECKING:
    from wattrail.app.publishers import Publisher
    from wattrail.app.schema import Config, MeterSection

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Demo", "PortOffer", "ServicePlan", "WebPlan", "plan_service"]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8042

_DEMO: Final = MeterPlan(name="twin", url="twin://pziot-e01?scenario=house")


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
class WebPlan:
    """Where the page and the REST interface are served; port 0 takes one that is free."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

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

    ``publishers`` maps a name for the log to a reader of the meters' events; see ``Publisher``.
    """

    gateway: GatewayPlan
    database: Path | str
    web: WebPlan | None = None
    publishers: Mapping[str, Publisher] = field(default_factory=dict)
    demo: Demo | None = None


def plan_service(
    config: Config | None = None,
    *,
    web: bool = True,
    host: str | None = None,
    port: int | None = None,
    database: Path | None = None,
) -> ServicePlan:
    """The plan of a service. Arguments override the configuration. Raises ConfigError."""
    meters = tuple(_meter(section) for section in config.meter) if config else ()
    return ServicePlan(
        gateway=GatewayPlan(meters=meters or (_DEMO,), zone=config.site.timezone if config else None),
        database=database or (database_of(config) if meters else demo_database()),
        web=_web(config, host, port) if web else None,
        demo=None if meters else _demo(),
    )


def _web(config: Config | None, host: str | None, port: int | None) -> WebPlan:
    if config is not None:
        host = host or config.web.host
        port = config.web.port if port is None else port
    return WebPlan(host=host or DEFAULT_HOST, port=DEFAULT_PORT if port is None else port)


def _meter(section: MeterSection) -> MeterPlan:
    return MeterPlan(
        name=section.name,
        url=section.url,
        front_end=section.front_end,
        calibration=section.scale(),
        address=section.address,
        chip=section.chip,
        inverted=section.inverted,
        poll_s=section.poll_s,
    )


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
