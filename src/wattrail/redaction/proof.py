"""Looks for private values in a text that was redacted, in another way than the values were removed.

Instead of writing a value in every form, it takes the text out of every form: escapes are resolved, folds and signs
between the digits removed, everything that may be base64 decoded; forwards and backwards.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wattrail.redaction.kinds import CUT, LABEL, MIN_ENCODED, SHORT_PLACES, Private, PrivateKind
from wattrail.redaction.names import is_placed
from wattrail.redaction.views import FOLDS, unescaped

__all__ = ["Leak", "leaks"]

# What is written between the bytes of a hex dump, a MAC address or an array in C.
_BETWEEN_DIGITS: Final = re.compile(r"""0x|\\x|[\s"'+\\:.,_\-%]""", re.IGNORECASE)
_FOLDS_NOT_PLUS: Final = re.compile(r"""(?:\\[nrt]|[\s"'\\])+""")
"""A plus is a sign of base64."""

_RUN: Final = re.compile(r"[A-Za-z0-9+/\-_]{6,}")


class Leak(NamedTuple):
    """A value that is left: its kind and in which form, never the value."""

    kind: PrivateKind
    form: str


def leaks(text: str, values: Iterable[Private]) -> tuple[Leak, ...]:
    """What is left of the values in a text; empty where nothing is."""
    views = _PlainForms(LABEL.sub(CUT, text))
    return tuple(Leak(private.kind, form) for private in values for form in views.forms_with(private))


class _PlainForms:
    """A text out of every form."""

    def __init__(self, text: str) -> None:
        plain = text.casefold()
        resolved = unescaped(text).casefold()
        self._texts = {
            "plain": plain,
            "escaped": resolved,
            "folded": FOLDS.sub("", text).casefold(),
            "escaped and folded": FOLDS.sub("", unescaped(text)).casefold(),
        }
        self._digits = _BETWEEN_DIGITS.sub("", plain)
        self._decoded = b"\0".join(_decoded(text)).lower()

    def forms_with(self, private: Private) -> Iterator[str]:
        """The forms in which the value is there."""
        for text in private.texts():
            wanted = text.casefold()
            if is_placed(private, text):
                if re.search(rf"{SHORT_PLACES}{re.escape(wanted)}(?![a-z0-9])", self._texts["plain"]):
                    yield "plain"
                continue
            bare = FOLDS.sub("", text).casefold()
            for form, content in self._texts.items():
                looked_for = bare if form.endswith("folded") else wanted
                yield from (way for way, turned in _both_ways(looked_for, form) if turned in content)
        texts = [text for text in private.texts() if not is_placed(private, text)]
        spelled = [spelling.encode() for text in texts for spelling in (text, text.lower(), text.upper())]
        for data in dict.fromkeys([*private.raw(), *(one for one in spelled if len(one) >= MIN_ENCODED)]):
            yield from self._bytes(data)

    def _bytes(self, data: bytes) -> Iterator[str]:
        for way, turned in (("", data), (" backwards", data[::-1])):
            if turned.hex() in self._digits:
                yield f"hex{way}"
            if len(turned) >= MIN_ENCODED and turned.lower() in self._decoded:
                yield f"base64{way}"


def _both_ways(text: str, form: str) -> Iterator[tuple[str, str]]:
    yield form, text
    yield f"{form} backwards", text[::-1]


def _decoded(text: str) -> Iterator[bytes]:
    """Everything that may be base64, at each place in a group of four where it may begin."""
    for folded in (text, _FOLDS_NOT_PLUS.sub("", text)):
        for run in _RUN.finditer(folded):
            signs = run[0].replace("-", "+").replace("_", "/")
            # Where the encoded text begins is not known, so all four places of a group are tried.
            for skipped in range(4):
                group = signs[skipped:]
                group = group[: len(group) // 4 * 4] + _padded(group[len(group) // 4 * 4 :])
                yield base64.b64decode(group)


def _padded(rest: str) -> str:
    """The last group of a run: of one sign nothing can be made."""
    return {0: "", 1: "", 2: f"{rest}==", 3: f"{rest}="}[len(rest)]
