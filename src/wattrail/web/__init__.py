"""The dashboard and the REST interface, in a process of their own; they read the store and the feed, never a port.

The process of the page imports FastAPI, which takes a second; the gateway's own process does not.
"""

from wattrail.web.messages import CandidateJson, MetricsSetup, Setup
from wattrail.web.process import WebProcess, bind

__all__ = ["CandidateJson", "MetricsSetup", "Setup", "WebProcess", "bind"]
