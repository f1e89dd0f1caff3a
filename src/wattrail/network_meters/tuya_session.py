"""One connection to a device with Tuya's firmware: what is said in which order, without any input or output.

    session = TuyaSession(where, device_id, frame_key, random=secrets.token_bytes)
    send(session.start())
    for said in session.receive(data): ...     # TuyaReport
    send(session.data_to_send())

From 3.4 on both sides first agree on a key by their nonces. The sequence of the client rises within a session, or the
device drops its frames without a word. An id of 22 characters may want to be asked by the numbers of its data points:
such a device answers the ordinary query with ``data unvalid``, and is asked in the other way from then on.
Source: tuya/lan.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wattrail.errors import UnexpectedReply
from wattrail.network_meters.tuya_frames import (
    NONCE_SIZE,
    FrameKey,
    TuyaCommand,
    TuyaFrame,
    TuyaFrameReader,
    TuyaVersion,
    encode_frame,
    session_key,
)
from wattrail.sanitize import printable

__all__ = ["TuyaReport", "TuyaSession"]

_MAC_SIZE: Final = 32
_IV_SIZE: Final = 12
_NOTHING_TO_SAY: Final = b"data unvalid"
_SILENT_ACKNOWLEDGEMENTS: Final = frozenset(
    {TuyaCommand.HEARTBEAT, TuyaCommand.UPDATE, TuyaCommand.CONTROL, TuyaCommand.CONTROL_NEW}
)


@dataclass(frozen=True, slots=True)
class TuyaReport:
    """Data points as JSON, as the device wrote it. ``is_push``: it spoke by itself, and not out of its cache."""

    payload: bytes
    is_push: bool


class TuyaSession:
    """What to send, and what arrives means; one for each connection.

    ``points`` are the data points that are wanted, ``random`` gives so many random bytes, by which a key is made.
    """

    def __init__(
        self,
        where: str,
        device_id: str,
        frame_key: FrameKey,
        *,
        random: Callable[[int], bytes],
        points: Sequence[int] = (),
        asks_by_point: bool = False,
    ) -> None:
        self._where = where
        self._device_id = device_id
        self._local_key = self._frame_key = frame_key
        self._random = random
        self._points = tuple(points)
        self._reader = TuyaFrameReader(where)
        self._sequence = 0
        self._nonce = b""
        self._out = b""
        self.is_ready = not frame_key.version.has_session
        self.is_proven = False
        """Whether a frame of the device fitted the key: its JSON, HMAC or GCM tag."""
        self.is_answered = False
        """Whether the device has said anything but that it is there; in 3.1 it answers in clear, whatever the key."""
        self.asks_by_point = asks_by_point

    def start(self) -> bytes:
        """The first frame of the key exchange; nothing where there is none."""
        if not self.is_ready:
            self._nonce = self._random(NONCE_SIZE)
            self._send(TuyaCommand.SESSION_START, self._nonce)
        return self.data_to_send()

    def query(self, epoch_s: int) -> None:
        """Ask for all data points at a time in seconds since 1970: the device answers out of its cache."""
        wanted = {str(number): None for number in self._points}
        if self._local_key.version.has_session:
            self._send(TuyaCommand.QUERY_NEW, b"{}")
            if self.asks_by_point:  # beside the other: here "data unvalid" may also mean nothing to report yet
                document: dict[str, object] = {"protocol": 5, "t": epoch_s, "data": {"dps": wanted}}
                self._send(TuyaCommand.CONTROL_NEW, _json(document))
        elif self.asks_by_point:
            document = {"devId": self._device_id, "uid": self._device_id, "t": str(epoch_s), "dps": wanted}
            self._send(TuyaCommand.CONTROL_NEW, _json(document))
        else:
            names = {"gwId": self._device_id, "devId": self._device_id, "uid": self._device_id}
            self._send(TuyaCommand.QUERY, _json({**names, "t": str(epoch_s)}))

    def request_update(self) -> None:
        """Ask the device to measure again: plugs then push, others ignore it."""
        self._send(TuyaCommand.UPDATE, _json({"dpId": list(self._points)}))

    def beat(self) -> None:
        """Keep the connection: a device closes it after 30 s without a frame."""
        self._send(TuyaCommand.HEARTBEAT, _json({"gwId": self._device_id, "devId": self._device_id}))

    def data_to_send(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, b""
        return out

    def receive(self, data: bytes) -> list[TuyaReport]:
        """What bytes of the connection say; an empty list where nothing of a meter.

        Raises ChecksumError, UnexpectedReply: the connection is then of no more use.
        """
        self._reader.receive(data)
        reports = []
        while (frame := self._reader.next_frame(self._frame_key)) is not None:
            if frame.command == TuyaCommand.SESSION_ANSWER and not self.is_ready:
                self._finish(frame)
            elif (report := self._report(frame)) is not None:
                reports.append(report)
        return reports

    def _report(self, frame: TuyaFrame) -> TuyaReport | None:
        payload = frame.payload
        self.is_proven |= frame.is_proof
        self.is_answered |= frame.is_proof
        if not payload:
            return None  # an acknowledgement: of an update, of a heartbeat, of nothing to report
        if _NOTHING_TO_SAY in payload:
            self.asks_by_point = self._local_key.version is not TuyaVersion.V31
            return None
        if not payload.lstrip().startswith(b"{"):
            if frame.command in _SILENT_ACKNOWLEDGEMENTS:
                return None
            text = printable(payload.decode("utf-8", errors="replace"), limit=60)
            raise UnexpectedReply(
                f"{self._where}: the device answers '{text}' to command {frame.command:#04x}",
                hint="check version= and id= in the URL",
            )
        self.is_answered = True
        return TuyaReport(payload, is_push=frame.command == TuyaCommand.STATUS)

    def _finish(self, frame: TuyaFrame) -> None:
        theirs, proof = frame.payload[:NONCE_SIZE], frame.payload[NONCE_SIZE : NONCE_SIZE + _MAC_SIZE]
        if len(theirs) < NONCE_SIZE or not hmac.compare_digest(proof, self._mac(self._nonce)):
            raise UnexpectedReply(
                f"{self._where}: the device does not prove that it knows the local key",
                hint="the local key is wrong: it changes at each pairing",
            )
        # One key in 256 begins with a 0, which the SDK of 3.5 takes for none: that session fails, and the next has
        # other nonces.
        self._send(TuyaCommand.SESSION_FINISH, self._mac(theirs))
        self._frame_key = session_key(self._local_key, self._nonce, theirs)
        self.is_ready = self.is_proven = self.is_answered = True

    def _mac(self, nonce: bytes) -> bytes:
        return hmac.digest(self._local_key.key, nonce, hashlib.sha256)

    def _send(self, command: TuyaCommand, payload: bytes) -> None:
        self._sequence += 1  # frames whose number does not rise are dropped without a word
        iv = self._random(_IV_SIZE)
        self._out += encode_frame(self._frame_key, self._sequence, command, payload, iv=iv)


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
