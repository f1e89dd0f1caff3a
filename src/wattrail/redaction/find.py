"""Finds private values in a text by how they look, or by the name that stands before them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from wattrail.redaction.kinds import CUT, LABEL, Private, PrivateKind, mac_bytes
from wattrail.redaction.names import EVERYBODY, HARMLESS, KIND_OF_NAME, LOCAL, NO_HOSTS, PUBLIC
from wattrail.redaction.views import unescaped

__all__ = ["find_private"]

_NAMED: Final = re.compile(
    # In a look-ahead, so that the next name may stand within the value of this one: "Settings: password=...".
    # JSON within JSON has quotes with backslashes before them.
    r"""(?<![A-Za-z0-9])(?=(?P<name>[A-Za-z][A-Za-z0-9_ .\-]{0,30}?)(?:\\{0,3}["'])?\s{0,3}(?::(?!//)|=)\s{0,3}"""
    r"""(?:(?P<quote>\\{0,3}["'])(?P<quoted>[^\n]{0,400}?)(?<!\\)(?P=quote)|(?P<bare>[^\s"',;&<>(){}\[\]\\]{1,400})))"""
)
# No dot with a digit around it: a version of five numbers is not an address.
_IPV4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
# An address that somebody has half hidden: two of four bytes are enough to find it.
_HALF_HIDDEN: Final = re.compile(r"(?<![\w.])(?:\d{1,3}|[xX*?#]{1,3})(?:\.(?:\d{1,3}|[xX*?#]{1,3})){3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})(?![\w:])")
_MAC: Final = re.compile(
    r"(?<![0-9A-Fa-f:.\-])(?:[0-9A-Fa-f]{2}(?:[:\-_][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})"
    r"(?![0-9A-Fa-f:\-])"
)
# Both a digit and a letter, since twelve digits alone are mostly a number.
_BARE_MAC: Final = re.compile(r"(?<![0-9A-Za-z])(?=\d*[A-Fa-f])(?=[A-Fa-f]*\d)[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
# These firmwares name themselves after the last bytes of the MAC address.
_MAC_TAIL: Final = re.compile(
    r"(?i:obk|tasmota|shelly[\w\-]*?|esp(?:home)?|tuya|SmartLife|wled|Open\w{1,12}?)[_\-]?"
    r"(?P<tail>(?=[0-9A-Fa-f]*\d)[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2}){0,3})(?![0-9A-Za-z])"
)
_NAME_WITH_TAIL: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Z][A-Za-z]\w{1,14}?_(?P<tail>(?=\d*[A-F])[0-9A-F]{6}(?:[0-9A-F]{2})?)(?![0-9A-Za-z])"
)
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{1,20})://(?:(?P<user>[^\s/?#@:\"'<>]*)(?::(?P<password>[^\s/?#@\"'<>]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s/?#:\"'<>\[\]()@,;]*)(?::\d+)?(?P<path>[^\s\"'<>]*)"
)
_WORDS_OF_PATH: Final = re.compile(r"[A-Za-z0-9_\-+=%:.]{12,}")
_LOCAL_NAME: Final = re.compile(
    r"(?<![\w.\-])[A-Za-z0-9](?:[\w\-]*\.)+(?:local|lan|home|internal|intranet|fritz\.box|home\.arpa|localdomain)(?![\w\-])",
    re.IGNORECASE,
)
_MAIL: Final = re.compile(r"(?:(?<=mailto:)|(?<![\w.+\-:/]))[\w.+\-]{1,64}@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
_KEYS: Final = (
    re.compile(r"-----BEGIN [A-Z ]{3,40}-----.{1,20000}?-----END [A-Z ]{3,40}-----", re.DOTALL),
    re.compile(r"(?<=Bearer )[\w.~+/=\-]{8,}|(?<=Basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"(?<![\w\-])eyJ[\w\-]{8,}\.[\w\-]+\.[\w\-]*"),
    re.compile(r"(?<!\w)\d{8,10}:[\w\-]{35}(?!\w)"),
    re.compile(r"(?<!\w)(?:wt|wtr|ghp|gho|xox[abp]|sk|pk|glpat)[_\-][\w\-]{16,}"),
    re.compile(r"\$argon2\w*\$[^\s\"']+|\$[1256aby]{1,2}\$[^\s\"']{10,}"),
)
_UUID: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])")
_BY_ID: Final = re.compile(r"(?:usb|tty)-[\w.\-:]*?_(?P<serial>[A-Za-z0-9]{4,})-if\d\d")
_DEVICE_ID: Final = re.compile(r"tuya://[^\s\"'<>]{0,300}?[?&]id=(?P<id>[0-9A-Za-z]{8,40})")
_PAIR: Final = re.compile(r"(?<![\d.])-?\d{1,2}\.\d{3,}\s?[,;/ ]\s?-?\d{1,3}\.\d{3,}(?![\d.])")
_HOME: Final = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)(?P<user>[^/\\\s:\"'<>]+)")


def find_private(text: str) -> Iterator[Private]:
    """Every value that looks private, in no order, some of them twice. Labels of an earlier run are none."""
    # Labels of an earlier run go first: a report may be cleaned twice, and they are not values.
    text = LABEL.sub(CUT, text)
    yield from _addresses(text)
    yield from _hardware(text)
    yield from _urls(text)
    yield from _named(text)
    for kind, pattern in (
        (PrivateKind.MAIL, _MAIL), (PrivateKind.SERIAL, _UUID),
        (PrivateKind.PLACE, _PAIR), (PrivateKind.HOST, _LOCAL_NAME),
        *((PrivateKind.KEY, pattern) for pattern in _KEYS),
    ):  # fmt: skip
        yield from (Private(kind, found[0]) for found in pattern.finditer(text))
    yield from (Private(PrivateKind.SERIAL, found["serial"]) for found in _BY_ID.finditer(text))
    yield from (Private(PrivateKind.SERIAL, found["id"]) for found in _DEVICE_ID.finditer(text))
    yield from (Private(PrivateKind.USER, found["user"]) for found in _HOME.finditer(text))


def _addresses(text: str) -> Iterator[Private]:
    for pattern in (_IPV4, _IPV6):
        for found in pattern.finditer(text):
            if _is_telling(found[0]):
                yield Private(PrivateKind.ADDRESS, found[0])
    # An address that is whole was judged above, where loopback is let through.
    for found in _HALF_HIDDEN.finditer(text):
        if any(sign.isdigit() for sign in found[0]) and not _IPV4.fullmatch(found[0]):
            yield Private(PrivateKind.ADDRESS, found[0])


def _is_telling(text: str) -> bool:
    """Whether it is an address, and not one that every machine has."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or text.startswith("255."))


def _hardware(text: str) -> Iterator[Private]:
    for pattern in (_MAC, _BARE_MAC):
        for found in pattern.finditer(text):
            # All zeros is a port without an address, all ones everybody: every machine has them.
            if set(mac_bytes(found[0])) - {0, 0xFF}:
                yield Private(PrivateKind.HARDWARE, found[0])
    for pattern in (_MAC_TAIL, _NAME_WITH_TAIL):
        yield from (Private(PrivateKind.HARDWARE, found["tail"]) for found in pattern.finditer(text))


def _urls(text: str) -> Iterator[Private]:
    for found in _URL.finditer(text):
        if found["user"]:
            yield Private(PrivateKind.USER, found["user"])
        if found["password"]:
            yield Private(PrivateKind.KEY, found["password"])
        host = found["host"].strip("[]")
        # What stands in the place of the host is a file, a port or a model.
        if found["scheme"].lower() in NO_HOSTS:
            continue
        if host and host.lower() not in LOCAL | PUBLIC and not _IPV4.fullmatch(host) and ":" not in host:
            yield Private(PrivateKind.HOST, host)
        yield from (
            Private(PrivateKind.KEY, word[0]) for word in _WORDS_OF_PATH.finditer(found["path"]) if _is_mixed(word[0])
        )


def _is_mixed(word: str) -> bool:
    """Whether a part of a path is rather a key than a word: digits and letters, or both cases, in a long run."""
    has_digit, has_letter = any(map(str.isdigit, word)), any(map(str.isalpha, word))
    return has_digit and has_letter and len(word) >= 16


def _named(text: str) -> Iterator[Private]:
    for found in _NAMED.finditer(text):
        if (kind := _kind_of(found["name"])) is None:
            continue
        value = found["quoted"] if found["quote"] else found["bare"].rstrip(".:!?")
        for text in {value, unescaped(value)}:
            if text and _is_private(kind, text):
                yield Private(kind, text)


def _is_private(kind: PrivateKind, value: str) -> bool:
    """Whether a named value says anything: not a word that any sentence has, not a label, not this machine itself."""
    small = value.lower()
    if small in HARMLESS | LOCAL or set(value) <= set("*.-_") or CUT in value:
        return False
    if kind is PrivateKind.USER:
        return small not in EVERYBODY
    if kind is PrivateKind.ADDRESS:
        return _is_telling(value)
    if kind is PrivateKind.HARDWARE and (address := mac_bytes(value)):
        return bool(set(address) - {0, 0xFF})
    if kind is PrivateKind.HOST:
        return "://" not in value and small not in PUBLIC and not small.startswith("127.")
    return True


def _kind_of(name: str) -> PrivateKind | None:
    """The kind of value that stands behind a name; the last words of a longer one count: ``mqtt.broker.password``."""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    parts = re.split(r"[ .\-_]+", words.strip())
    for first in range(max(0, len(parts) - 3), len(parts)):
        for joined in ("_".join(parts[first:]), "".join(parts[first:])):
            if (kind := KIND_OF_NAME.get(joined)) is not None:
                return kind
    return None
