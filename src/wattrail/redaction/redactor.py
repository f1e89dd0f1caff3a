"""Replaces private values by labels: the same label for the same value, in every text that one redactor is given."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from wattrail.redaction.find import find_private
from wattrail.redaction.kinds import CUT, LABEL, MIN_ENCODED, SHORT_PLACES, Private, PrivateKind, mac_bytes
from wattrail.redaction.names import is_placed
from wattrail.redaction.views import FOLDS, View, base64_view, digits_view, folded_view, unescaped_view

__all__ = ["Redactor"]

_MAX_VALUE: Final = 2000
_MAX_RUN: Final = 200
_RUN_BEFORE: Final = re.compile(rf"[A-Za-z0-9+/_\-]{{1,{_MAX_RUN}}}$")
_RUN_AFTER: Final = re.compile(rf"[A-Za-z0-9+/_\-]{{0,{_MAX_RUN}}}={{0,2}}")


class Redactor:
    """Learns values, then replaces them. ``known`` are values that need not look private, such as a host's name.

    Give it every text by ``learn`` before the first ``redact``: a value that one text names (``"ssid": "barn"``) is
    then also removed where another says only ``barn``.
    """

    def __init__(self, known: Iterable[Private] = ()) -> None:
        self._labels: dict[str, str] = {}
        self._values: dict[Private, str] = {}
        self._count: Counter[PrivateKind] = Counter()
        for private in known:
            self._keep(private)

    @property
    def values(self) -> tuple[Private, ...]:
        """Every value that is removed."""
        return tuple(self._values)

    def learn(self, text: str) -> None:
        """Keep every value of a text that looks private."""
        for private in find_private(text):
            self._keep(private)

    def redact(self, text: str) -> str:
        """The text with a label in place of each value."""
        self.learn(text)
        parts, place = [], 0
        for start, end, label in self._places(text):
            parts += [text[place:start], label]
            place = end
        return "".join([*parts, text[place:]])

    def _keep(self, private: Private) -> None:
        text = private.text.strip()
        # A key may be a whole certificate, of any length.
        is_too_long = len(text) > _MAX_VALUE and private.kind is not PrivateKind.KEY
        if not FOLDS.sub("", text) or is_too_long or private in self._values:
            return
        private = Private(private.kind, text)
        identity = self._identity_of(private)
        if identity not in self._labels:
            self._count[private.kind] += 1
            self._labels[identity] = f"<{private.kind} {self._count[private.kind]}>"
        self._values[private] = self._labels[identity]

    def _identity_of(self, private: Private) -> str:
        """A part of a MAC address that is known already gets its label."""
        if private.kind is PrivateKind.HARDWARE and not mac_bytes(private.text):
            tail = private.text.lower()
            for known in self._values:
                if known.kind is PrivateKind.HARDWARE and mac_bytes(known.text).hex().endswith(tail):
                    return known.identity
        return private.identity

    def _places(self, text: str) -> Iterator[tuple[int, int, str]]:
        """What goes, from the beginning. Where values overlap, all of it goes, under the label of the longest."""
        labels = [(found.start(), found.end(), found[0]) for found in LABEL.finditer(text)]
        hidden = LABEL.sub(lambda found: CUT * len(found[0]), text)  # a network may be called "network"
        views = _TextForms(hidden)
        spans = [(*span, label) for private, label in self._values.items() for span in views.spans_of(private)]
        start, end, label, longest = 0, 0, "", 0
        for next_start, next_end, next_label in sorted([*spans, *labels]):
            if next_start >= end:
                if label:
                    yield start, end, label
                start, end, label, longest = next_start, next_end, next_label, next_end - next_start
                continue
            if next_end - next_start > longest:
                label, longest = next_label, next_end - next_start
            end = max(end, next_end)
        if label:
            yield start, end, label


class _TextForms:
    """The forms of a text, each made once for all values."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._texts = (folded_view(text), unescaped_view(text))
        self._digits = digits_view(text)
        self._base64 = base64_view(text)

    def spans_of(self, private: Private) -> Iterator[tuple[int, int]]:
        """Where the value stands in any form. A short or ordinary one is looked for as a word, behind its name."""
        for text in private.texts():
            if is_placed(private, text):
                short = re.compile(rf"{SHORT_PLACES}{re.escape(text)}(?![A-Za-z0-9])", re.IGNORECASE)
                yield from (found.span() for found in short.finditer(self._text))
                continue
            for view in self._texts:
                yield from _both_ways(view, FOLDS.sub("", text).lower())
            # Base64 and hex change with the letters' case, which the views have folded away.
            for spelled in dict.fromkeys((text, text.lower(), text.upper())):
                yield from self._encoded(spelled.encode())
        for data in private.raw():
            yield from self._encoded(data)

    def _encoded(self, data: bytes) -> Iterator[tuple[int, int]]:
        for turned in (data, data[::-1]):
            yield from self._digits.find(turned.hex())
            if len(turned) >= MIN_ENCODED:
                for core in _base64_cores(turned):
                    yield from map(self._with_run, self._base64.find(core))

    def _with_run(self, span: tuple[int, int]) -> tuple[int, int]:
        """The run of base64 around a place: the signs at the ends of the place hold a part of the value."""
        start, end = span
        before = _RUN_BEFORE.search(self._text[max(0, start - _MAX_RUN) : start])
        after = _RUN_AFTER.match(self._text, end)
        return start - (len(before[0]) if before else 0), after.end() if after else end


def _both_ways(view: View, text: str) -> Iterator[tuple[int, int]]:
    yield from view.find(text)
    yield from view.find(text[::-1])


@lru_cache(maxsize=4096)
def _base64_cores(data: bytes) -> tuple[str, ...]:
    """The signs that the bytes alone decide, at each of the three places where they may begin in a longer text."""
    cores = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        cores.append(whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    return tuple(cores)
