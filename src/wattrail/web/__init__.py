"""The face: a dashboard and a REST interface in a process of their own, over the store and the feed, never a port.

The process of the page imports FastAPI, which takes a second; the gateway's own process does not.
"""

from wattrail.web.listener import bind
from wattrail.web.process import WebProcess
from wattrail.web.setup import Candidate, Setup

__all__ = ["Candidate", "Setup", "WebProcess", "bind"]
