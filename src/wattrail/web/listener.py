"""The socket that the page is served on: bound by the gateway, before any meter is touched."""

from __future__ import annotations

import errno
import socket

from wattrail.errors import ConfigError

__all__ = ["address_of", "bind"]


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket; port 0 takes any that is free. Raises ConfigError that says how to fix it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve at {host}:{port}: {error.strerror or error}", hint=_mend(error)) from error


def address_of(listener: socket.socket) -> str:
    """The URL at which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _mend(error: OSError) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return "another program serves there, perhaps another wattrail: stop it, or give another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 are the system's: give a larger one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "give an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for everybody in its network"
    return None
