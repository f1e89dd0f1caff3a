"""Ports and buses by URL: opened as context managers, with a deadline on every read."""

from wattrail.transport.base import Bus, Port
from wattrail.transport.schemes import SCHEMES, Scheme, is_physical, open_port

__all__ = ["SCHEMES", "Bus", "Port", "Scheme", "is_physical", "open_port"]
