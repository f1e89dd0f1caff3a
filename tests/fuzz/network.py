"""What must hold for any bytes of a device on the network: an error of ours or nothing, whatever it sends."""

from __future__ import annotations

import json
import struct
import zlib
from contextlib import suppress
from functools import cache
from typing import Final

from tests.network_meters.test_tuya_frames import (
    ANSWER_33,
    ANSWER_35,
    ANSWERED_34,
    ANSWERED_35,
    HEARTBEAT_33,
    IV,
    KEY,
    OURS,
    PUSH_33,
)
from wattrail.errors import LinkError
from wattrail.network_meters.tuya_announcement import parse_announcement
from wattrail.network_meters.tuya_frames import FrameKey, TuyaCommand, TuyaVersion, encode_frame
from wattrail.network_meters.tuya_map import parse_map
from wattrail.network_meters.tuya_meter import PUSH, TuyaMeter
from wattrail.network_meters.tuya_session import TuyaSession

__all__ = ["WORDS", "fixed", "tuya", "tuya_points", "tuya_reports", "tuya_seeds"]

WORDS: Final = (b"\0\0\x55\xaa", b"\0\0\xaa\x55", b"\0\0\x66\x99", b"\0\0\x99\x66", b"3.3", b"3.1", b'{"dps":{')
_VERSIONS: Final = tuple(TuyaVersion)
_MAP: Final = parse_map("101:volts/10,103:watts/100,102:direction,6:phase,109:import/100,110:export/100")


def tuya(data: bytes) -> None:
    """A session of any version takes anything, in any portions, and what it understands goes into a meter."""
    if len(data) < 2:
        return
    version, step, data = _VERSIONS[data[0] % len(_VERSIONS)], 1 + data[1], data[2:]
    session = TuyaSession("meter", "id", FrameKey(version, KEY), random=lambda size: OURS if size == 16 else IV)
    session.start()
    link = TuyaMeter("meter", _MAP)
    with suppress(LinkError):
        for place in range(0, len(data), step):
            for report in session.receive(data[place : place + step]):
                link.receive(PUSH, report.payload, is_retained=False, at=0.0)
    parse_announcement(data, "192.0.2.1")


def tuya_points(data: bytes) -> None:
    """Data points of any JSON: an error of ours, or quantities and registers."""
    with suppress(LinkError):
        decoded = TuyaMeter("meter", _MAP).receive(PUSH, data, is_retained=False, at=0.0)
        assert decoded is None or all(isinstance(one.count, int) for one in decoded.registers)


@cache
def tuya_seeds() -> tuple[bytes, ...]:
    """Whole frames, led by the version and the size of portions."""
    texts = (b'{"dps":{"101":2300,"103":-5}}', b"json obj data unvalid", b"", b'{"data":{"dps":{"109":7,"110":0}}}')
    made = [
        bytes((place, 200)) + encode_frame(FrameKey(version, KEY), 1, command, text, iv=IV)
        for place, version in enumerate(_VERSIONS)
        for text in texts
        for command in (TuyaCommand.STATUS, TuyaCommand.QUERY)
    ]
    known = [(2, ANSWER_33), (2, PUSH_33), (2, HEARTBEAT_33), (3, ANSWERED_34), (4, ANSWERED_35 + ANSWER_35)]
    return tuple(made + [bytes((place, 3)) + frame for place, frame in known])


@cache
def tuya_reports() -> tuple[bytes, ...]:
    """Texts of devices."""
    points = {"101": 2300, "103": 100, "102": "FORWARD", "6": "CIAAA+gAJxA=", "109": 5, "110": 0}
    return tuple(
        json.dumps(document).encode()
        for document in ({"dps": points}, {"protocol": 4, "data": {"dps": points}}, {"dps": {"109": 10**25}}, [], 7)
    )


def fixed(data: bytes) -> bytes:
    """The bytes with the CRC32 of the first frame made right, so that damage gets past it."""
    lead, frame = data[:2], bytearray(data[2:])
    if len(frame) >= 24 and frame.startswith(WORDS[0]):
        (size,) = struct.unpack_from(">I", frame, 12)
        end = 16 + size
        if size >= 8 and end <= len(frame):
            struct.pack_into(">I", frame, end - 8, zlib.crc32(frame[: end - 8]))
            frame[end - 4 : end] = WORDS[1]
    return lead + bytes(frame)
