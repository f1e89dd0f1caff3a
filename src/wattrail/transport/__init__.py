"""Ports and buses by URL: opened as context managers, with a deadline on every read."""

from wattrail.transport.base import Bus, Port
from wattrail.transport.frame_log import end_frame, logged, unlogged, withhold
from wattrail.transport.schemes import (
    SCHEMES,
    Scheme,
    check_url,
    crosses_network,
    is_physical,
    is_wired,
    open_port,
    reach,
)

__all__ = [
    "SCHEMES", "Bus", "Port", "Scheme", "check_url", "crosses_network", "end_frame", "is_physical", "is_wired",
    "logged", "open_port", "reach", "unlogged", "withhold",
]  # fmt: skip
