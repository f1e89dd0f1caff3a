"""The face: a dashboard and a small REST interface. Reads the store and the live feed, never a port.

Importing it loads NiceGUI, which takes a second: import it when it is needed.
"""

from wattrail.web.app import Candidate, build_app
from wattrail.web.server import DEFAULT_HOST, DEFAULT_PORT, bind, run, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Candidate", "bind", "build_app", "run", "serve"]
