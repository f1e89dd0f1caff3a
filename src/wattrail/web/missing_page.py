"""The page for an address at which there is nothing: a person gets a page, a program a problem."""

from __future__ import annotations

from typing import Final

from wattrail.web.asgi import RequestScope, Send
from wattrail.web.page_shell import PAGES

__all__ = ["is_page", "send_missing_page"]

_PAGE: Final = PAGES["missing"]


def is_page(scope: RequestScope) -> bool:
    """Whether a person opened it in a browser."""
    return scope["method"] == "GET" and not scope["path"].startswith(("/api", "/metrics", "/assets"))


async def send_missing_page(send: Send) -> None:
    """Say that nothing is there, and lead back."""
    head = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(_PAGE)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": head})
    await send({"type": "http.response.body", "body": _PAGE})
