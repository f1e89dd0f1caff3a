"""The running service: meters are read, booked, stored and shown, each under its own supervision."""

from wattrail.gateway.feed import Feed, MeterView, State
from wattrail.gateway.gateway import Gateway
from wattrail.gateway.plan import GatewayPlan, MeterPlan
from wattrail.gateway.scope import ScopeView
from wattrail.gateway.source import MeterLike, open_planned

__all__ = [
    "Feed",
    "Gateway",
    "GatewayPlan",
    "MeterLike",
    "MeterPlan",
    "MeterView",
    "ScopeView",
    "State",
    "open_planned",
]
