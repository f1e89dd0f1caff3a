"""A text taken out of a form, with the place that each sign had in it: folds and escapes go, the way back remains."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote

__all__ = ["FOLDS", "View", "base64_view", "digits_view", "folded_view", "unescaped", "unescaped_view"]

FOLDS: Final = re.compile(r"""(?:\\[nrt]|[\s"'+\\])+""")
"""What may stand between two signs of a value that was folded or quoted over lines."""

_BASE64_FOLDS: Final = re.compile(r"""(?:\\[nrt]|[\s"'\\])+""")
_DIGIT_FOLDS: Final = re.compile(r"""(?:0x|\\x|[\s"'+\\:.,_\-%])+""", re.IGNORECASE)
_CODE: Final = re.compile(r"(?P<utf16>(?:\\u[0-9A-Fa-f]{4})+)|(?P<bytes>(?:\\x[0-9A-Fa-f]{2})+)")
_ESCAPES: Final = re.compile(
    r"""(?P<url>(?:%[0-9A-Fa-f]{2})+)|(?P<utf16>(?:\\u[0-9A-Fa-f]{4})+)|(?P<bytes>(?:\\x[0-9A-Fa-f]{2})+)"""
    r"""|(?P<html>&(?:\#\d{1,7}|\#x[0-9A-Fa-f]{1,6}|[a-z]{2,6});)|(?P<fold>(?:\\[nrt]|[\s"'+]|\\(?![ux][0-9A-Fa-f]))+)"""
)


def unescaped(text: str) -> str:
    """A text with the escapes of JSON, C, HTML and URLs resolved."""
    resolved = _CODE.sub(_decoded, text)
    return unquote(html.unescape(resolved).replace("+", " "), errors="replace")


class View:
    """Signs of a text in another form. ``find`` gives places in the text itself."""

    def __init__(
        self,
        text: str,
        tokens: re.Pattern[str],
        resolved: Callable[[re.Match[str]], str] = lambda _found: "",
        *,
        is_small: bool = True,
    ) -> None:
        self._pieces: list[str] = []
        self._firsts: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._length = 0
        place = 0
        for found in tokens.finditer(text):
            self._add(text[place : found.start()], place, found.start())
            self._add(resolved(found), *found.span())
            place = found.end()
        self._add(text[place:], place, len(text))
        self.text = "".join(self._pieces)
        if is_small:  # the escape \\n is none as a capital, so that this comes last
            self.text = _small(self.text)

    def find(self, wanted: str) -> Iterator[tuple[int, int]]:
        """Where it stands, as the first and the end of its place in the text."""
        first = self.text.find(wanted) if wanted else -1
        while first >= 0:
            yield self._place(first)[0], self._place(first + len(wanted) - 1)[1]
            first = self.text.find(wanted, first + 1)

    def _add(self, piece: str, start: int, end: int) -> None:
        if piece:
            self._pieces.append(piece)
            self._firsts.append(self._length)
            self._spans.append((start, end))
            self._length += len(piece)

    def _place(self, index: int) -> tuple[int, int]:
        """The place of one sign: its own, or that of the whole escape that it came from."""
        piece = bisect_right(self._firsts, index) - 1
        start, end = self._spans[piece]
        if end - start != len(self._pieces[piece]):
            return start, end
        return start + index - self._firsts[piece], start + index - self._firsts[piece] + 1


def folded_view(text: str) -> View:
    """Without folds, in small letters."""
    return View(text, FOLDS)


def unescaped_view(text: str) -> View:
    """Without folds, escapes of URLs, JSON, C and HTML resolved, in small letters."""
    return View(text, _ESCAPES, _resolved)


def digits_view(text: str) -> View:
    """Hex digits without what stands between them."""
    return View(text, _DIGIT_FOLDS)


def base64_view(text: str) -> View:
    """Without folds, both alphabets as one."""
    return View(text.replace("-", "+").replace("_", "/"), _BASE64_FOLDS, is_small=False)


def _resolved(found: re.Match[str]) -> str:
    """What an escape stands for, without what folds: a blank may be written ``%20``."""
    return FOLDS.sub("", _decoded(found))


def _decoded(found: re.Match[str]) -> str:
    written, kinds = found[0], found.groupdict()
    if kinds.get("url"):
        return bytes.fromhex(written.replace("%", "")).decode(errors="replace")
    if kinds["bytes"]:
        return bytes.fromhex(written.replace("\\x", "")).decode(errors="replace")
    if kinds["utf16"]:
        return bytes.fromhex(written.replace("\\u", "")).decode("utf-16-be", errors="replace")
    return html.unescape(written) if kinds.get("html") else ""


def _small(text: str) -> str:
    """In small letters, of the same length: a few capitals have a small form of two signs."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(sign.lower()[:1] for sign in text)
