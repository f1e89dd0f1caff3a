"""The running service: meters are read, booked, stored and shown, each under its own supervision."""

from wattrail.gateway.events import EntryBooked, Event, EventsLost, MeterChanged, NoticeChanged, StateChanged
from wattrail.gateway.feed import Feed
from wattrail.gateway.gateway import Gateway
from wattrail.gateway.plan import GatewayPlan, MeterPlan
from wattrail.gateway.scope import ScopeView
from wattrail.gateway.source import MeterLike, open_planned
from wattrail.gateway.subscription import Subscription
from wattrail.gateway.view import MeterView, State

__all__ = [
    "EntryBooked",
    "Event",
    "EventsLost",
    "Feed",
    "Gateway",
    "GatewayPlan",
    "MeterChanged",
    "MeterLike",
    "MeterPlan",
    "MeterView",
    "NoticeChanged",
    "ScopeView",
    "State",
    "StateChanged",
    "Subscription",
    "open_planned",
]
