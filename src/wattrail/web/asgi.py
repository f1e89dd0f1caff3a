"""The types of ASGI that the layers in front of the application share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["App", "Headers", "Message", "Receive", "RequestScope", "Send", "headers_of"]

RequestScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[RequestScope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def headers_of(scope: RequestScope) -> dict[str, str]:
    """The headers of a request by their lower-case names; of one that comes twice, the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
