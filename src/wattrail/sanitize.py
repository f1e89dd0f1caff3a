"""Makes text from outside safe to show: escapes, line breaks and bidirectional controls become visible, passwords go.

Text that a peer, a file or a request can choose (an image's version, a log line, a URL, a typed reason) passes through
``printable`` where it is put into a message. Whole messages pass through ``printable_lines`` where they are printed or
logged, which also catches a text that missed the first step.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from typing import Final
from urllib.parse import quote, quote_plus, unquote

__all__ = [
    "has_typed_credentials",
    "hide_credentials",
    "hide_typed_credentials",
    "printable",
    "printable_lines",
    "secret_forms",
    "url_secrets",
]

MAX_SHOWN: Final = 500
"""Characters of one foreign text in a message; longer ones fill a log and help no reader."""

MIN_SECRET: Final = 3
"""Shortest secret in characters that is hidden by its value: hiding every ``1`` would hide the message."""

_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (bidirectional overrides among them), surrogates, private and unassigned, line separators."""

_SOFT_HYPHEN: Final = "\u00ad"
_URL_CREDENTIALS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s]*@")
_TYPED_CREDENTIALS: Final = re.compile(r"[^:]*://(?:[^/?#]*@|[^/?#@\[]*:(?!\d{0,5}(?:[/?#]|$)).*@)", re.DOTALL)
"""A user before the first sign that ends it, or after a colon anything but a port, up to an ``@``."""

_SECRET_OPTION: Final = re.compile(
    r"(?P<name>[?&](?:password|token|key|local_key|secret)=)(?P<value>[^&#\s]+)", re.IGNORECASE
)
_HIDDEN: Final = "***"


def printable(text: str, *, limit: int = MAX_SHOWN) -> str:
    """A foreign text on one line, at most ``limit`` characters, unsafe ones as escapes (ESC as x1b)."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _escape(text if len(text) <= limit else f"{text[:limit]}…", keep="")


def printable_lines(text: str) -> str:
    """A whole message: its line breaks and tabs stay, all other unsafe characters are escaped."""
    return _escape(text, keep="\n\t")


def hide_credentials(text: str, *secrets: str) -> str:
    """A text without passwords: the user part of URLs, secret options, and every occurrence of each of ``secrets``."""
    # The longest first: one secret may be a part of another, of which the rest would remain.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _URL_CREDENTIALS.sub(rf"\g<scheme>{_HIDDEN}@", text)
    return _SECRET_OPTION.sub(rf"\g<name>{_HIDDEN}", text)


def has_typed_credentials(url: str) -> bool:
    """Whether a person typed a user or a password into a URL; an ``@`` in a topic or a path is none."""
    return _TYPED_CREDENTIALS.match(url) is not None


def hide_typed_credentials(url: str) -> str:
    """A URL as a person typed it, without user and password, whatever signs these have: also / ? # and blanks."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    before, at, place = rest.rpartition("@")
    if at and (":" in before or "/" not in before):
        url = f"{scheme}{separator}{_HIDDEN}@{place}"
    return hide_credentials(url)


def secret_forms(user: str, password: str) -> tuple[str, ...]:
    """The forms in which a peer may give a login back: plain, in JSON, in a URL, as hex, and as a header of HTTP.

    Empty for a password that is too short to be hidden by its value.
    """
    if len(password) < MIN_SECRET:
        return ()
    written, pair = password.encode(), f"{user}:{password}".encode()
    forms = {password, json.dumps(password)[1:-1], quote(password, safe=""), quote(password), quote_plus(password)}
    forms |= {written.hex(), written.hex().upper(), written.hex(" "), written.decode("latin-1")}
    forms |= {base64.b64encode(data).decode("ascii").rstrip("=") for data in (written, pair)}
    return tuple(sorted(forms, key=len, reverse=True))


def url_secrets(url: str) -> tuple[str, ...]:
    """The secrets in a URL, as written and decoded: libraries quote a password in their errors without its URL."""
    authority = _URL_CREDENTIALS.match(url)
    written = [authority[0].partition("://")[2].removesuffix("@").partition(":")[2]] if authority else []
    written += [found["value"] for found in _SECRET_OPTION.finditer(url)]
    return tuple(secret for text in written for secret in {text, unquote(text)} if len(secret) >= MIN_SECRET)


def _escape(text: str, *, keep: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep or _is_safe(char) else _written(char) for char in text)


def _is_safe(char: str) -> bool:
    return unicodedata.category(char) not in _UNSAFE_CATEGORIES or char == _SOFT_HYPHEN


def _written(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
