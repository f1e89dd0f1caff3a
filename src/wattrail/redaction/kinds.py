"""Kinds of private values, their labels, and the byte strings by which a value can be known."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["CUT", "LABEL", "MIN_ENCODED", "SHORT_PLACES", "Private", "PrivateKind", "mac_bytes"]

LABEL: Final = re.compile(r"<(?:address|hardware|network|host|user|key|serial|place|mail) \d+>")
"""What stands in place of a value."""

CUT: Final = "\ufffe"
"""Stands for a label while values are looked for; no text has this sign."""

MIN_ENCODED: Final = 4
"""Bytes of the shortest value that is looked for in other encodings: shorter ones would match by chance."""

SHORT_PLACES: Final = (
    r"(?:(?<=[:=])|(?<=[:=]\s)|(?<=[:=][\"'])|(?<=[:=]\s[\"'])|(?<=home/)|(?<=Users/)|(?<=://)"
    r"|(?<=@)|(?<=\son\s)|(?<=:\d\d\s))"
)
"""Where a short value counts: behind its name, in a path, behind "@", "on" and the time of a logged line.

A network called "ac" must not empty every word.
"""

_NOT_HEX: Final = re.compile(r"[^0-9A-Fa-f]")
_MAC_BYTES: Final = 6
_TAIL_BYTES: Final = (3, 4)
"""Firmware names a device by the last bytes of its MAC address: ``tasmota_1A2B3C``, ``OpenBK7231N_3D1A2B3C``."""


class PrivateKind(StrEnum):
    """What a value is; the value of a member is the word of its label."""

    ADDRESS = "address"
    HARDWARE = "hardware"
    NETWORK = "network"
    HOST = "host"
    USER = "user"
    KEY = "key"
    SERIAL = "serial"
    PLACE = "place"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Private:
    """One value that must not be handed on, as it was written where it was found."""

    kind: PrivateKind
    text: str

    @property
    def identity(self) -> str:
        """What is alike in all the ways to write the value, so that they get one label."""
        if self.kind is PrivateKind.HARDWARE and (found := mac_bytes(self.text)):
            return found.hex()
        if self.kind is PrivateKind.ADDRESS:
            with suppress(ValueError):
                return str(ipaddress.ip_address(self.text))
        return self.text.casefold()

    def texts(self) -> tuple[str, ...]:
        """The value as text: as written, and as it is also written by others."""
        return tuple(dict.fromkeys([self.text, *self._other_texts()]))

    def raw(self) -> tuple[bytes, ...]:
        """The value as bytes that are not text; empty where it has none."""
        if self.kind is PrivateKind.HARDWARE and (found := mac_bytes(self.text)):
            return (found, *(found[-size:] for size in _TAIL_BYTES))
        if self.kind is PrivateKind.ADDRESS:
            with suppress(ValueError):
                return (ipaddress.ip_address(self.text).packed,)
        return ()

    def _other_texts(self) -> Iterator[str]:
        if self.kind is PrivateKind.ADDRESS:
            with suppress(ValueError):
                address = ipaddress.ip_address(self.text)
                yield from (str(address), address.exploded, str(int(address)))
        if self.kind is PrivateKind.HARDWARE and (found := mac_bytes(self.text)):
            yield from (found.hex(sign) for sign in (":", "-"))


def mac_bytes(text: str) -> bytes:
    """The six bytes of a MAC address, with any signs between them; empty for anything else."""
    digits = _NOT_HEX.sub("", text)
    return bytes.fromhex(digits) if len(digits) == 2 * _MAC_BYTES else b""
