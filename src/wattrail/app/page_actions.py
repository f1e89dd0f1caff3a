"""What the page may ask the gateway to do, by name; ``web.gateway_calls`` carries the calls.

The page's process has no writable database and reads no configuration: it is the one that talks to strangers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wattrail.app.access_actions import access_actions
from wattrail.app.accuracy_actions import AccuracyActions
from wattrail.app.calibration_actions import CalibrationActions, Recalibrate
from wattrail.app.gateway_health import GatewayHealth
from wattrail.app.ledger_actions import ledger_actions
from wattrail.app.settings_actions import settings_actions
from wattrail.gateway import Feed
from wattrail.store import Store

if TYPE_CHECKING:
    from wattrail.app.settings import Settings
    from wattrail.web.gateway_calls import Action

__all__ = ["page_actions"]


def page_actions(
    store: Store, feed: Feed, health: GatewayHealth, recalibrate: Recalibrate, *, settings: Settings | None = None
) -> Mapping[str, Action]:
    """The table of actions; each is called in a thread of its own, with the arguments that the page gave.

    ``recalibrate`` scales meters by what is kept now; see ``Gateway``.
    """
    return {
        **access_actions(store),
        **settings_actions(settings),
        **health.actions(),
        **ledger_actions(store, feed.now),
        **CalibrationActions(store, feed, recalibrate).actions(),
        **AccuracyActions(feed).actions(),
    }
