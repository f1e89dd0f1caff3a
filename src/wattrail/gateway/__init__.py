"""Reads meters into the ledger and the store, and reports their state; each meter has a supervised thread.

Each name imports its module when first used: the process of the page has a feed, and nothing that reads a meter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.lazy_names import lazy_names

if TYPE_CHECKING:
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

_HOME = {
    "AlarmChanged": "wattrail.gateway.events",
    "EntryBooked": "wattrail.gateway.events",
    "Event": "wattrail.gateway.events",
    "EventsLost": "wattrail.gateway.events",
    "Feed": "wattrail.gateway.feed",
    "Gateway": "wattrail.gateway.gateway",
    "GatewayPlan": "wattrail.gateway.plan",
    "MeterChanged": "wattrail.gateway.events",
    "MeterPlan": "wattrail.gateway.plan",
    "MeterReader": "wattrail.gateway.source",
    "MeterState": "wattrail.gateway.view",
    "MeterView": "wattrail.gateway.view",
    "NoticeChanged": "wattrail.gateway.events",
    "ScopeView": "wattrail.gateway.scope",
    "StateChanged": "wattrail.gateway.events",
    "Subscription": "wattrail.gateway.subscription",
    "UnstoredReadings": "wattrail.gateway.waiting",
    "open_planned": "wattrail.gateway.source",
}

__getattr__ = lazy_names(__name__, _HOME)
