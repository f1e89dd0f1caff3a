"""The face: a dashboard and a REST interface in a process of their own, over the store and the feed, never a port.

The process of the page imports FastAPI, which takes a second; the gateway's own process does not.
"""

from wattrail.web.server import DEFAULT_HOST, DEFAULT_PORT, bind, is_open_to_network, run, serve
from wattrail.web.setup import Candidate, Setup

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Candidate", "Setup", "bind", "is_open_to_network", "run", "serve"]
