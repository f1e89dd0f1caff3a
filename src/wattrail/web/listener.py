"""The listening socket of the page, bound by the gateway before any meter is touched."""

from __future__ import annotations

import errno
import socket

from wattrail.errors import ConfigError

__all__ = ["address_of", "bind"]


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket; port 0 selects a free one. Raises ConfigError with a remedy."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve at {host}:{port}: {error.strerror or error}", hint=_hint(error)) from error


def address_of(listener: socket.socket) -> str:
    """The URL at which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _hint(error: OSError) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return "another program uses this port, perhaps another wattrail: stop it, or choose another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 need privileges: choose a larger one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "use an address of this machine: 127.0.0.1 for itself only, 0.0.0.0 for everybody in its network"
    return None
