"""What a stock dump knows of the pairing of its device: its id, the version of its local protocol, and its local key.

Firmware names the key differently, and keeps it with the record of its activation (``gw_ai``). So every text of exactly
16 printable characters is a candidate, the likely ones first; a frame of the device itself proves which one it is. A
device that was never paired has none. Source: bk7231-image/tuya-storage, tuya/lan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from wattrail.image.secret_keys import SECRET_NAMES
from wattrail.image.tuya_storage import TuyaStorage
from wattrail.image.tuya_values import Value

__all__ = ["TuyaPairing", "find_pairing"]

_KEY_SIZE: Final = 16
MAX_CANDIDATES: Final = 16
"""Each is tried on a connection of its own; dumps have up to five."""

_ID: Final = re.compile(r"[0-9A-Za-z]{15,32}")
_ID_NAMES: Final = ("id", "gw_id", "gwid", "devid", "dev_id")
_VERSION: Final = re.compile(r"3\.[1-5]")
_SDK_VERSION: Final = re.compile(rb"_LAN:(3\.[1-5])_")
_KEY_KIND: Final = "local key"
_NEVER: Final = frozenset({"Wi-Fi name", "Wi-Fi password", "Wi-Fi", "coordinates", "time zone", "device id", "country"})
"""Kinds of values that are another thing, however many characters they have."""


@dataclass(frozen=True, slots=True)
class TuyaPairing:
    """Texts are empty where the dump does not say them. No text of it shows the id or a candidate."""

    device_id: str = field(repr=False)
    version: str
    candidates: tuple[str, ...] = field(repr=False)


def find_pairing(storage: TuyaStorage, code: bytes = b"") -> TuyaPairing:
    """The pairing out of the storage; ``code`` is the firmware, whose build text names the version too."""
    device = storage.get("gw_di")
    fields: Mapping[str, Value] = device if isinstance(device, dict) else {}
    stated = fields.get("lpv")
    built = _SDK_VERSION.search(code)
    version = stated if isinstance(stated, str) else built[1].decode("ascii") if built else ""
    ids = (fields.get(name) for name in _ID_NAMES)
    return TuyaPairing(
        next((text for text in ids if isinstance(text, str) and _ID.fullmatch(text)), ""),
        version if _VERSION.fullmatch(version) else "",
        _candidates(storage),
    )


def _candidates(storage: TuyaStorage) -> tuple[str, ...]:
    found: list[tuple[int, str]] = []
    for value in storage.values:
        for name, text in _texts(value.name, value.value):
            kind = SECRET_NAMES.get(name.lower(), "")
            if len(text) == _KEY_SIZE and text.isascii() and text.isprintable() and kind not in _NEVER:
                rank = 0 if kind == _KEY_KIND else 1 if value.name == "gw_ai" else 2
                found.append((rank, text))
    ranked = [text for _, text in sorted(found, key=lambda one: one[0])]
    return tuple(dict.fromkeys(ranked))[:MAX_CANDIDATES]


def _texts(name: str, value: Value) -> Iterator[tuple[str, str]]:
    """Every text in a value, with the name that stands over it."""
    match value:
        case str():
            yield name, value
        case dict():
            for field_name, inner in value.items():
                yield from _texts(field_name, inner)
        case list():
            for inner in value:
                yield from _texts(name, inner)
