"""Limits for one visitor and for all of them together, each with its reason."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = [
    "BACKLOG",
    "BODY_LIMITS",
    "BODY_TIMEOUT_S",
    "HANDSHAKE_TIMEOUT_S",
    "HEAD_TIMEOUT_S",
    "INSPECT_TIMEOUT_S",
    "KEEP_ALIVE_S",
    "MAX_BODY_BYTES",
    "MAX_CONNECTIONS",
    "MAX_HEAD_BYTES",
    "MAX_STREAMS",
    "STALL_TIMEOUT_S",
    "BodyLimit",
    "body_limit",
]

MAX_HEAD_BYTES: Final = 16 * 1024
"""Bytes of request line and headers. Servers usually take 8 to 16 KiB, and a browser sends one or two."""

HEAD_TIMEOUT_S: Final = 10.0
"""From the opening of a connection, or the first byte of its next request, until that request's head is complete."""

HANDSHAKE_TIMEOUT_S: Final = 10.0
"""From the opening of a connection until TLS is agreed on."""

MAX_BODY_BYTES: Final = 64 * 1024
"""Bytes of a body: a login has a hundred."""

BODY_TIMEOUT_S: Final = 10.0
"""From the end of a request's head until its body is complete."""


class BodyLimit(NamedTuple):
    """Bytes of a body and seconds until it is complete; ``is_single``: one request at a time has such a body."""

    max_bytes: int
    timeout_s: float
    is_single: bool = False


BODY_LIMITS: Final = {"/api/v1/inspect": BodyLimit(16 << 20, 120.0, is_single=True)}
"""Paths with other limits: a dump has 2 MiB, the largest flash of the family 16, and a phone may send 2 Mbit/s.

It is held in memory, so that there is one at a time."""

INSPECT_TIMEOUT_S: Final = 60.0
"""Until the answer about a dump: 2 MiB take one to three seconds on a small computer."""


def body_limit(path: str) -> BodyLimit:
    """What a body may have that is sent to a path."""
    return BODY_LIMITS.get(path, BodyLimit(MAX_BODY_BYTES, BODY_TIMEOUT_S))


KEEP_ALIVE_S: Final = 5
"""How long a connection may stay idle after an answer."""

STALL_TIMEOUT_S: Final = 30.0
"""How long an answer may stay unread; a phone may need as long to change networks."""

MAX_CONNECTIONS: Final = 200
"""Connections at one time: thirty browsers with six each. Together with BACKLOG far below the 1,024 descriptors that
a process has by default, and none of them is a descriptor of the process that holds ports and database."""

MAX_STREAMS: Final = 50
"""Event streams at one time; the other connections stay free for requests."""

BACKLOG: Final = 64
"""Connections that the kernel queues, and that are accepted together."""
