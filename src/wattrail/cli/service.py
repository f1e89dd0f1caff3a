"""What ``wattrail run`` is to do: configuration and command line as one plan, with a twin where no meter is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wattrail.cli.config import FILE_NAME, database_of, demo_database, user_config_dir
from wattrail.cli.safety import Answer
from wattrail.gateway import GatewayPlan, MeterPlan
from wattrail.transport.discovery import list_candidates
from wattrail.transport.usb_adapters import without_device

if TYPE_CHECKING:
    from wattrail.cli.schema import Config, MeterSection

__all__ = ["Found", "Service", "plan_service"]

_DEMO: Final = MeterPlan(name="twin", url="twin://pziot-e01?scenario=house")
_SIMULATED: Final = (
    "No meter is configured, so all you see is SIMULATED: a digital twin of a PZIOT-E01 in a solar house."
)
_NOTHING_FOUND: Final = "No port of this machine looks as if it could carry a meter."


class Found(NamedTuple):
    """A port that could carry a meter: what it is, its URL, and the lines that configure it."""

    description: str
    url: str
    toml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that ``run`` needs to know. ``hidden``: USB adapters that give no port, each with its reason."""

    plan: GatewayPlan
    database: Path
    host: str | None
    port: int | None
    confirmed: Answer | None = None
    demo: bool = False
    candidates: tuple[Found, ...] = ()
    hidden: tuple[str, ...] = ()

    def notice(self) -> str:
        """What a person without a meter should know."""
        if not self.candidates:
            return "\n".join([_SIMULATED, _NOTHING_FOUND, *self.hidden])
        blocks = [f"# {found.description}\n{found.toml}" for found in self.candidates]
        where = f"{FILE_NAME} here, or {user_config_dir() / FILE_NAME}"
        return "\n".join(
            [_SIMULATED, f"These ports could carry a meter; none was opened. Put the lines of yours into {where}:"]
            + [f"\n{block}" for block in blocks]
        )


def plan_service(config: Config | None, *, host: str | None, port: int | None, database: Path | None) -> Service:
    """The plan of a run; what was typed beats what is written. Raises ConfigError."""
    meters = tuple(_meter(section) for section in config.meter) if config else ()
    confirmed = config.safety.confirmed if config else None
    return Service(
        plan=GatewayPlan(meters=meters or (_DEMO,), zone=config.site.timezone if config else None),
        database=database or (database_of(config) if meters else demo_database()),
        host=host or (config.web.host if config else None),
        port=config.web.port if config and port is None else port,
        confirmed=Answer(confirmed) if confirmed else None,
        demo=not meters,
        candidates=() if meters else _candidates(),
        hidden=() if meters else tuple(adapter.words() for adapter in without_device()),
    )


def _meter(section: MeterSection) -> MeterPlan:
    return MeterPlan(
        name=section.name,
        url=section.url,
        front_end=section.front_end,
        calibration=section.scale(),
        address=section.address,
        inverted=section.inverted,
        poll_s=section.poll_s,
    )


def _candidates() -> tuple[Found, ...]:
    return tuple(
        Found(
            f"{candidate.description} ({candidate.carries})",
            candidate.url,
            f'[[meter]]\nname = "meter-{number}"\nurl = "{candidate.url}"',
        )
        for number, candidate in enumerate(list_candidates(), start=1)
    )
