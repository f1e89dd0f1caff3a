"""The reason why a connection to another machine fails, naming the place."""

from __future__ import annotations

import errno
import socket

__all__ = ["connection_reason"]


def connection_reason(error: BaseException, place: str) -> str:
    """Why a connection to ``place``, host or host:port, fails: of ``error`` or of its cause."""
    # aiomqtt raises its own error "from None", which keeps the context
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    # Refused, reset, timed out and an unknown name are OSErrors as well: the particular ones stand first.
    match cause:
        case ConnectionRefusedError():
            return f"connection refused: nothing listens at {place}"
        case ConnectionResetError() | BrokenPipeError():
            return "the other side closed the connection"
        case TimeoutError():
            return f"no answer from {place}"
        case socket.gaierror():
            return f"the name in {place} is not known to the name server"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return f"no way to {place}: the host or its network cannot be reached"
        case OSError(errno=errno.EADDRINUSE):
            return f"another program uses {place}"
        case OSError(strerror=str(text)):
            return text.lower()
    return str(error) or type(error).__name__
