"""Reads meters into the ledger and the store, and reports their state; each meter has a supervised thread."""

from wattrail.gateway.events import (
    AlarmChanged,
    EntryBooked,
    Event,
    EventsLost,
    MeterChanged,
    NoticeChanged,
    StateChanged,
)
from wattrail.gateway.feed import Feed
from wattrail.gateway.gateway import Gateway
from wattrail.gateway.plan import GatewayPlan, MeterPlan
from wattrail.gateway.scope import ScopeView
from wattrail.gateway.source import MeterReader, open_planned
from wattrail.gateway.subscription import Subscription
from wattrail.gateway.view import MeterState, MeterView
from wattrail.gateway.waiting import UnstoredReadings

__all__ = [
    "AlarmChanged",
    "EntryBooked",
    "Event",
    "EventsLost",
    "Feed",
    "Gateway",
    "GatewayPlan",
    "MeterChanged",
    "MeterPlan",
    "MeterReader",
    "MeterState",
    "MeterView",
    "NoticeChanged",
    "ScopeView",
    "StateChanged",
    "Subscription",
    "UnstoredReadings",
    "open_planned",
]
