"""The dashboard and the REST interface, in a process of their own; they read the store and the feed, never a port.

The process of the page imports FastAPI, which takes a second; the gateway's own process does not.
"""

from wattrail.web.listener import bind
from wattrail.web.process import WebProcess
from wattrail.web.setup import CandidateJson, MetricsSetup, Setup

__all__ = ["CandidateJson", "MetricsSetup", "Setup", "WebProcess", "bind"]
