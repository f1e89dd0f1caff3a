"""What of ``wattrail.toml`` is written and never shown: secrets are replaced before it leaves the gateway.

A secret does not belong in this file (``wattrail.credentials``), but the address of a webhook may be one, and people
write passwords where they do not belong. The word ``(kept)`` in its place means, on the way back, what stands there.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from wattrail.errors import ConfigError
from wattrail.sanitize import hide_credentials

__all__ = ["KEPT", "hide", "hide_in_text", "restore", "restore_in_text"]

KEPT: Final = "(kept)"

# A field that is named like a secret; a login in a URL; all behind the host of a web address, which of a webhook is the
# password; an option of a URL.
_SECRETS: Final = re.compile(
    r"(?P<key>(?i:\b(?:pass\w*|token|api_?key|local_key)\b)[\"']?\s*=\s*[\"'])(?P<value>[^\"'\n]+)"
    r"|(?P<user>://)(?P<login>[^\s/\"'@]*:[^\s\"'@]*)(?=@)"
    r"|(?P<host>\burl\b[\"']?\s*=\s*[\"']https?://[^/\s\"'?]+[/?])(?P<rest>[^\s\"']+)"
    r"|(?P<option>[?&](?i:password|token|key|local_key|secret)=)(?P<secret>[^&#\s\"']+)"
)
_MARK: Final = re.compile(r"\(kept [0-9a-f]{8}\)")
# New in each run: a mark that was guessed, or kept from another run, stands for nothing.
_KEY: Final = secrets.token_bytes(32)


def hide(value: Any, model_schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 values of TOML
    """A table without its secrets: fields that its schema calls write-only, and texts that hold a login."""
    if isinstance(value, dict):
        fields = model_schema.get("properties", {})
        return {
            name: KEPT if fields.get(name, {}).get("writeOnly") else hide(one, fields.get(name, {}))
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [hide(one, model_schema.get("items", {})) for one in value]
    if isinstance(value, str) and hide_credentials(value) != value:
        return KEPT
    return value


def restore(value: Any, before: Any) -> Any:  # noqa: ANN401 values of TOML
    """A table as it came back, with the secrets that stood there before. Raises ConfigError where there was none."""
    if isinstance(value, dict):
        known = before if isinstance(before, dict) else {}
        return {name: restore(one, known.get(name)) for name, one in value.items()}
    if value != KEPT:
        return value
    if before is None:
        raise ConfigError(f"{KEPT} stands where there is no secret yet", hint="write the value itself")
    return before


def hide_in_text(text: str) -> str:
    """A text as TOML, or nearly, with a mark in place of each secret."""
    pieces, end = [], 0
    for one in _secrets(text):
        pieces += [text[end : one.begin], one.mark]
        end = one.end
    return "".join([*pieces, text[end:]])


def restore_in_text(text: str, before: str) -> str:
    """The text as it came back, with the secrets of the one that was shown.

    A mark belongs to its line: nobody sends a secret to another host, or into a field that is shown, by moving its
    mark there. Raises ConfigError for one that stands elsewhere.
    """
    known = {one.mark: before[one.begin : one.end] for one in _secrets(before)}
    restored = _MARK.sub(lambda found: known.get(found[0], found[0]), text)
    again = Counter(one.mark for one in _secrets(restored))
    for mark, count in Counter(_MARK.findall(text)).items():
        if mark not in known or again[mark] < count:
            raise ConfigError(
                f"{mark} stands for a secret of another line, or of none",
                hint="write the secret itself where its line has changed",
            )
    return restored


class _Secret(NamedTuple):
    begin: int
    end: int
    mark: str


def _secrets(text: str) -> Iterator[_Secret]:
    """Every secret, and the mark that belongs to it, to its line and to this run of the gateway."""
    places = list(_places(text))
    for number, (begin, end) in enumerate(places):
        first, last = text.rfind("\n", 0, begin) + 1, text.find("\n", end)
        last = len(text) if last < 0 else last
        line, cut = "", first
        for other_begin, other_end in places:
            if first <= other_begin < last:
                line, cut = f"{line}{text[cut:other_begin]}\0", other_end
        # The mark is bound to its line: moved to another host it no longer fits, ADR 54.
        inside = sum(first <= other < begin for other, _ in places[:number])
        proof = f"{inside}\0{line}{text[cut:last].rstrip()}\0{text[begin:end]}"
        yield _Secret(begin, end, f"(kept {hmac.new(_KEY, proof.encode(), 'sha256').hexdigest()[:8]})")


def _places(text: str) -> Iterator[tuple[int, int]]:
    for found in _SECRETS.finditer(text):
        kind = next(name for name in ("value", "login", "rest", "secret") if found[name] is not None)
        yield found.span(kind)
