"""MAC addresses: what a network meter is known by when its address on the network changes.

Tasmota's discovery says MAC and address, retained. OpenBeken says both in its answer to ``Status`` 5. Source:
tasmota/energy, openbeken/network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from wattrail.errors import OtherDevice, UnexpectedReply
from wattrail.network_meters.decoded import MqttCommand
from wattrail.network_meters.payload import parse_payload, text_of
from wattrail.sanitize import printable

__all__ = ["ADDRESS_TOPICS", "BrokerAddresses", "check_mac", "mac_of", "parse_mac"]

ADDRESS_TOPICS: Final = ("tasmota/discovery/+/config", "+/connected", "stat/+/STATUS5")
"""Where devices say their address, and that they are there to be asked for it."""

MAX_DEVICES: Final = 2000
"""Devices that are kept of one broker: a flood of invented ones must not fill the memory."""

_DIGITS: Final = re.compile(r"[0-9A-F]{12}")
_UNSET: Final = "000000000000"


def parse_mac(text: str) -> str:
    """``a4:c1:38:00:00:01``, with colons, hyphens or neither, as 12 capital digits. Raises ValueError."""
    mac = re.sub(r"[:-]", "", text).upper()
    if not _DIGITS.fullmatch(mac) or mac == _UNSET:
        raise ValueError("must be 12 hexadecimal digits, like a4:c1:38:00:00:01")
    return mac


def mac_of(document: object) -> str:
    """The MAC in an answer to ``Status`` 0 or 5, as 12 capital digits; empty where it says none."""
    try:
        return parse_mac(text_of(document, "StatusNET", "Mac"))
    except ValueError:
        return ""


def check_mac(document: object, expected: str, where: str) -> None:
    """Do nothing if ``expected`` is empty or the MAC of the device that gave this ``Status 0``. Raises OtherDevice."""
    found = mac_of(document)
    if not expected or found == expected:
        return
    version = printable(text_of(document, "StatusFWR", "Version"), limit=60) or "no version"
    other = f"the one with MAC {found}" if found else f"a device that says no MAC ({version})"
    raise OtherDevice(
        f"{where}: expected the meter with MAC {expected}, got {other}: nothing of it is booked",
        hint="give each meter a fixed address in the router, or correct the host or mac= in the URL",
    )


class BrokerAddresses:
    """Gathers, from the messages of one broker, at which address the device with each MAC is.

    ``places`` has only private IPv4 addresses: anybody may publish, and nothing beyond the own network is contacted.
    """

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self._online: dict[str, None] = {}

    def receive(self, topic: str, payload: bytes) -> None:
        """One message; what makes no sense is passed over."""
        client, _, last = topic.rpartition("/")
        if last == "connected":
            if payload == b"online" and len(self._online) < MAX_DEVICES:
                self._online[client] = None
            return
        try:
            document = parse_payload(payload, topic)
            if last == "STATUS5":
                self._put(mac_of(document), text_of(document, "StatusNET", "IPAddress"))
            else:
                self._put(parse_mac(text_of(document, "mac")), text_of(document, "ip"))
        except (UnexpectedReply, ValueError):
            return

    def commands(self) -> Sequence[MqttCommand]:
        """A question to each device that is online."""
        return [MqttCommand(f"cmnd/{client}/Status", "5") for client in self._online]

    def _put(self, mac: str, place: str) -> None:
        try:
            # Whoever may publish may name any address; outside the
            # own network it would be contacted in a person's name.
            is_near = IPv4Address(place).is_private
        except AddressValueError:
            return
        if mac and is_near and (mac in self.places or len(self.places) < MAX_DEVICES):
            self.places[mac] = place
