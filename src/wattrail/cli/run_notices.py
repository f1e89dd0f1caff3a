"""What ``wattrail run`` says to the person who starts it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wattrail.app.config import FILE_NAME, user_config_dir
from wattrail.app.plan import Demo, ServicePlan

__all__ = ["demo_notice", "notices"]

_SIMULATED: Final = (
    "No meter is configured, so all you see is SIMULATED: a digital twin of a PZIOT-E01 in a solar house."
)
_NOTHING_FOUND: Final = "No port of this machine looks as if it could carry a meter."
_OPEN_TO_NETWORK: Final = (
    "warning: {host} is not this machine alone: everyone on its networks can read these meters, without a password. "
    "Nobody can change anything. Use --host 127.0.0.1 to keep it to yourself."
)


def notices(plan: ServicePlan) -> Iterator[str]:
    """What to say before a plan runs: that it is simulated, that the network can read it, that no page is served."""
    if plan.demo is not None:
        yield demo_notice(plan.demo)
    if plan.web is None:
        yield _headless_notice(plan)
    elif plan.web.open_to_network:
        yield _OPEN_TO_NETWORK.format(host=plan.web.host)


def demo_notice(demo: Demo) -> str:
    """What a person without a meter should know."""
    if not demo.candidates:
        return "\n".join([_SIMULATED, _NOTHING_FOUND, *demo.hidden])
    blocks = [f"# {found.description}\n{found.toml}" for found in demo.candidates]
    where = f"{FILE_NAME} here, or {user_config_dir() / FILE_NAME}"
    return "\n".join(
        [_SIMULATED, f"These ports could carry a meter; none was opened. Put the lines of yours into {where}:"]
        + [f"\n{block}" for block in blocks]
    )


def _headless_notice(plan: ServicePlan) -> str:
    count = len(plan.gateway.meters)
    return f"reading {count} {'meter' if count == 1 else 'meters'} into {plan.database}; no page is served (--no-web)"
