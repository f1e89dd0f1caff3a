"""The composition root: a configuration becomes a running service, each part of which is optional.

Each name imports its module when it is first used: reading a configuration loads no gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattrail.lazy_names import lazy_names

if TYPE_CHECKING:
    from wattrail.app.config import load_config
    from wattrail.app.plan import ServicePlan, WebPlan, plan_service
    from wattrail.app.process import run
    from wattrail.app.service import Service, open_service
    from wattrail.publish import Publisher

__all__ = ["Publisher", "Service", "ServicePlan", "WebPlan", "load_config", "open_service", "plan_service", "run"]

_HOME = {
    "Publisher": "wattrail.publish",
    "Service": "wattrail.app.service",
    "ServicePlan": "wattrail.app.plan",
    "WebPlan": "wattrail.app.plan",
    "load_config": "wattrail.app.config",
    "open_service": "wattrail.app.service",
    "plan_service": "wattrail.app.plan",
    "run": "wattrail.app.process",
}

__getattr__ = lazy_names(__name__, _HOME)
