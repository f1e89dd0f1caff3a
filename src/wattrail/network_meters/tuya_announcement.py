"""What a device with Tuya's firmware announces of itself by UDP: its id, its product, the version of its protocol.

Devices of 3.1 announce in clear on port 6666, later ones on 6667, enciphered by a key that is the same everywhere. One
whose client slots are taken announces nothing, and newer ones of 3.5 only answer a question, sent to port 7000 and
answered there. The local key is not in it. Source: tuya/lan.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from wattrail.errors import LinkError
from wattrail.network_meters.decoded import is_marked_simulated
from wattrail.network_meters.discovery import FoundMeter
from wattrail.network_meters.payload import parse_payload, text_of
from wattrail.network_meters.tuya_frames import FrameKey, TuyaCommand, TuyaFrameReader, TuyaVersion, encode_frame
from wattrail.sanitize import printable

__all__ = ["ANNOUNCEMENT_PORTS", "EVERY_S", "QUESTION_PORT", "encode_question", "parse_announcement"]

ANNOUNCEMENT_PORTS: Final = (6666, 6667)
QUESTION_PORT: Final = 7000
"""Where devices of 3.5 are asked, and where they answer whoever asked."""

EVERY_S: Final = 5.0
"""Seconds between two announcements of a device."""

_KEY: Final = hashlib.md5(b"yGAdlopoPVldABfn", usedforsecurity=False).digest()
_GCM_START: Final = bytes.fromhex("00006699")
_IN_CLEAR: Final = b"{"


def parse_announcement(datagram: bytes, host: str) -> FoundMeter | None:
    """The device behind a datagram that came from ``host``; None for any other datagram. Raises MissingExtra."""
    frame = None
    for version in (TuyaVersion.V35,) if datagram.startswith(_GCM_START) else (TuyaVersion.V33, TuyaVersion.V31):
        reader = TuyaFrameReader(host)
        reader.receive(datagram)
        try:
            frame = reader.next_frame(FrameKey(version, _KEY))
        except LinkError:
            continue
        if frame is not None and frame.payload.startswith(_IN_CLEAR):
            break
    if frame is None or not frame.payload.startswith(_IN_CLEAR):
        return None
    try:
        document = parse_payload(frame.payload, host)
    except LinkError:
        return None
    device_id, said = text_of(document, "gwId"), text_of(document, "version")
    if not device_id or said not in list(TuyaVersion):
        return None
    product = text_of(document, "productKey")
    return FoundMeter(
        url=f"tuya://{host}?version={said}",  # the sender's address, not the one that its text claims
        name=f"tuya-{host}",
        title=f"a device with Tuya's firmware, product {printable(product, limit=40) or 'unknown'}",
        identity=printable(device_id, limit=60),
        note="take its key out of a dump ('wattrail meter key'), and name its board= or dps=",
        simulated=is_marked_simulated(device_id, product),
    )


def encode_question(address: str, iv: bytes) -> bytes:
    """The datagram that asks every device who it is; ``address`` is that of who asks. Raises MissingExtra."""
    text = json.dumps({"from": "app", "ip": address}).encode()
    return encode_frame(FrameKey(TuyaVersion.V35, _KEY), 0, TuyaCommand.WHO_IS_THERE, text, iv=iv)
