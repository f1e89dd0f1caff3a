"""Frames of Tuya's local protocol, versions 3.1 to 3.5: bytes to commands with a plain payload, and back.

Until 3.4 a frame has the prefix 55AA and a CRC32 or, in 3.4, an HMAC-SHA256 over all before it; in 3.5 it has the
prefix 6699 and is enciphered by AES-GCM with its header as associated data. A device puts a return code before its
payload, the client does not. Payloads of queries, heartbeats and of the key exchange have no version in front, all
others have: in clear in 3.1 to 3.3, enciphered with the payload from 3.4 on. Source: tuya/lan.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from wattrail.errors import ChecksumError, MissingExtra, UnexpectedReply

__all__ = [
    "KEY_SIZE", "NONCE_SIZE", "FrameKey", "TuyaCommand", "TuyaFrame", "TuyaFrameReader", "TuyaVersion",
    "encode_frame", "needs_cipher", "session_key",
]  # fmt: skip

KEY_SIZE: Final = 16
NONCE_SIZE: Final = 16
MAX_FRAME_BYTES: Final = 16 << 10
"""Longest frame that is waited for: the firmware's own limit is 4 kB."""

_HEADER: Final = struct.Struct(">IIII")
_GCM_HEADER: Final = struct.Struct(">IHIII")
_PREFIX, _SUFFIX = 0x000055AA, struct.pack(">I", 0x0000AA55)
_GCM_PREFIX, _GCM_SUFFIX = 0x00006699, struct.pack(">I", 0x00009966)
_BLOCK: Final = 16
_RETCODE: Final = 4
_IV, _TAG = 12, 16
_VERSION_HEADER: Final = 15
"""The version in three characters, and 12 bytes: in a push a CRC32, a sequence number and its source."""

_SIGNED_HEADER: Final = 19
"""Of 3.1: the version, and 16 digits of an MD5."""


class TuyaVersion(StrEnum):
    """Versions of the local protocol; ``lpv`` of the device says which one it speaks."""

    V31 = "3.1"
    V32 = "3.2"
    V33 = "3.3"
    V34 = "3.4"
    V35 = "3.5"

    @property
    def has_session(self) -> bool:
        """Whether a key is agreed on for each connection."""
        return self in (TuyaVersion.V34, TuyaVersion.V35)


class TuyaCommand(IntEnum):
    """Commands that are sent or understood."""

    SESSION_START = 0x03
    SESSION_ANSWER = 0x04
    SESSION_FINISH = 0x05
    CONTROL = 0x07
    STATUS = 0x08
    HEARTBEAT = 0x09
    QUERY = 0x0A
    CONTROL_NEW = 0x0D
    QUERY_NEW = 0x10
    UPDATE = 0x12
    WHO_IS_THERE = 0x25


_WITHOUT_VERSION: Final = frozenset(
    {
        TuyaCommand.SESSION_START, TuyaCommand.SESSION_ANSWER, TuyaCommand.SESSION_FINISH, TuyaCommand.HEARTBEAT,
        TuyaCommand.QUERY, TuyaCommand.QUERY_NEW, TuyaCommand.UPDATE, TuyaCommand.WHO_IS_THERE,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrameKey:
    """The version and the key of frames: the local key, or that of the session. No text of it shows the key."""

    version: TuyaVersion
    key: bytes

    def __repr__(self) -> str:
        return f"FrameKey({self.version})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuyaFrame:
    """One frame from a device. ``is_proof``: it can only come of somebody who has the key."""

    sequence: int  # compared with nothing: a 3.3 device answers a heartbeat with 0 (smarthomej#306)
    command: int
    payload: bytes
    is_proof: bool = False


def needs_cipher() -> None:
    """Raises MissingExtra where the library of the ciphers is not installed."""
    try:
        import cryptography.hazmat.primitives.ciphers  # noqa: F401 only whether it is there
    except ImportError as error:
        raise MissingExtra("a meter with Tuya's firmware", library="cryptography", extra="tuya") from error


def encode_frame(frame_key: FrameKey, sequence: int, command: TuyaCommand, payload: bytes, *, iv: bytes) -> bytes:
    """A frame of a client. ``iv`` are 12 bytes that were never used with this key; only 3.5 takes them."""
    version, key = frame_key.version, frame_key.key
    header = b"" if command in _WITHOUT_VERSION else version.encode().ljust(_VERSION_HEADER, b"\0")
    if version is TuyaVersion.V35:
        size = _IV + len(header + payload) + _TAG
        head = _GCM_HEADER.pack(_GCM_PREFIX, 0, sequence, command, size)
        return head + iv + _encrypt_gcm(key, iv, header + payload, head[4:]) + _GCM_SUFFIX
    if version is TuyaVersion.V34:
        body = _encipher(key, header + payload)
        signed = _HEADER.pack(_PREFIX, sequence, command, len(body) + 36) + body
        return signed + hmac.digest(key, signed, hashlib.sha256) + _SUFFIX
    if version is TuyaVersion.V31:
        body = payload if command in _WITHOUT_VERSION else _signed(key, payload)
    else:
        body = header + _encipher(key, payload)
    summed = _HEADER.pack(_PREFIX, sequence, command, len(body) + 8) + body
    return summed + struct.pack(">I", zlib.crc32(summed)) + _SUFFIX


def session_key(frame_key: FrameKey, ours: bytes, theirs: bytes) -> FrameKey:
    """The key of a session, from the local key and the nonces of both sides, 16 bytes each."""
    mixed = bytes(a ^ b for a, b in zip(ours, theirs, strict=True))
    if frame_key.version is TuyaVersion.V35:
        return FrameKey(frame_key.version, _encrypt_gcm(frame_key.key, ours[:_IV], mixed, b"")[:KEY_SIZE])
    return FrameKey(frame_key.version, _encipher(frame_key.key, mixed)[:KEY_SIZE])


class TuyaFrameReader:
    """Finds frames in what arrives. ``where`` names the device in errors.

    After an error the connection is of no more use: nobody knows where the next frame begins.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._data = b""

    def receive(self, data: bytes) -> None:
        """Take bytes of the connection."""
        self._data += data

    def next_frame(self, frame_key: FrameKey) -> TuyaFrame | None:
        """The next whole frame by the key that holds now, or None. Raises ChecksumError, UnexpectedReply."""
        if len(self._data) < 4:
            return None
        expected = _GCM_PREFIX if frame_key.version is TuyaVersion.V35 else _PREFIX
        (prefix,) = struct.unpack_from(">I", self._data)
        if prefix != expected:
            raise self._other_prefix(prefix, frame_key.version)
        is_gcm = frame_key.version is TuyaVersion.V35
        head_size = _GCM_HEADER.size if is_gcm else _HEADER.size
        if len(self._data) < head_size:
            return None
        *_, sequence, command, size = (_GCM_HEADER if is_gcm else _HEADER).unpack_from(self._data)
        end = head_size + size + (len(_GCM_SUFFIX) if is_gcm else 0)
        if end > MAX_FRAME_BYTES:
            raise UnexpectedReply(
                f"{self._where}: a frame of {size} bytes, expected at most {MAX_FRAME_BYTES}",
                hint="check the address: this is not a meter with Tuya's firmware",
            )
        if len(self._data) < end:
            return None
        raw, self._data = self._data[:end], self._data[end:]
        if not raw.endswith(_GCM_SUFFIX if is_gcm else _SUFFIX):
            raise UnexpectedReply(f"{self._where}: a frame ends with {raw[-4:].hex(' ')}, not as a frame ends")
        plain, is_proof = self._opened(frame_key, raw, command)
        return TuyaFrame(sequence=sequence, command=command, payload=plain, is_proof=is_proof)

    def _opened(self, frame_key: FrameKey, raw: bytes, command: int) -> tuple[bytes, bool]:
        """The payload, and whether it proves the key."""
        version, key = frame_key.version, frame_key.key
        if version is TuyaVersion.V35:
            return _gcm_payload(self._decrypt_gcm(key, raw), version), True
        if version is TuyaVersion.V34:
            signed, mark = raw[:-36], raw[-36:-4]
            if not hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256), mark):
                raise self._undecipherable("its HMAC does not fit")
            body = _after_retcode(signed[_HEADER.size :])
            plain = self._decipher(key, body) if body else b""
            return _without_version(plain, version), True
        self._check_sum(raw)
        body = raw[_HEADER.size : -8]
        if command == TuyaCommand.HEARTBEAT:  # devices answer it in clear, with padding, or with nothing
            return b"", False
        if version is TuyaVersion.V31:
            return self._opened_signed(key, body)
        return self._opened_plain_header(key, body)

    def _opened_plain_header(self, key: bytes, body: bytes) -> tuple[bytes, bool]:
        body = _after_retcode(body)
        if body[:3] in (b"3.3", b"3.2") and len(body) >= _VERSION_HEADER and len(body) % _BLOCK == _VERSION_HEADER:
            body = body[_VERSION_HEADER:]
        if len(body) % _BLOCK and _is_text(body):  # an error in clear: "data format error"
            return body, False
        plain = self._decipher(key, body) if body else b""
        # Of every 256 wrong keys one makes a padding that fits, but no text.
        return plain, plain.startswith(b"{") or (bool(plain) and _is_text(plain))

    def _opened_signed(self, key: bytes, body: bytes) -> tuple[bytes, bool]:
        if not body.startswith((b"{", b"3.1")):
            body = body[_RETCODE:]
        if not body.startswith(b"3.1"):
            return body, False
        try:
            enciphered = base64.b64decode(body[_SIGNED_HEADER:], validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._undecipherable("it is not base64") from error
        return self._decipher(key, enciphered), True

    def _check_sum(self, raw: bytes) -> None:
        (got,), expected = struct.unpack_from(">I", raw, len(raw) - 8), zlib.crc32(raw[:-8])
        if got == expected:
            return
        # An HMAC of 3.4 stands where 3.3 has its sum: the frame is whole, the version is another one.
        raise ChecksumError(
            f"{self._where}: CRC32 {got:08x} of a frame, expected {expected:08x}",
            hint="set version= to what the device speaks: 3.4 has no CRC32",
        )

    def _decrypt_gcm(self, key: bytes, raw: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        body = raw[_GCM_HEADER.size : -4]
        if len(body) < _IV + _TAG:
            raise UnexpectedReply(f"{self._where}: a frame of {len(body)} bytes, at least {_IV + _TAG} expected")
        try:
            return AESGCM(key).decrypt(body[:_IV], body[_IV:], raw[4 : _GCM_HEADER.size])
        except InvalidTag as error:
            raise self._undecipherable("its GCM tag does not fit") from error

    def _decipher(self, key: bytes, body: bytes) -> bytes:
        if not body or len(body) % _BLOCK:
            raise self._undecipherable(f"{len(body)} bytes are not whole blocks of {_BLOCK}")
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
        plain = decryptor.update(body) + decryptor.finalize()
        padding = plain[-1]
        if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes([padding]) * padding:
            raise self._undecipherable("its padding does not fit")
        return plain[:-padding]

    def _undecipherable(self, why: str) -> UnexpectedReply:
        return UnexpectedReply(
            f"{self._where}: an answer cannot be deciphered: {why}; the local key or version= is wrong, or the device "
            "is busy with another client: they look alike",
            hint="end other programs and the app that read this device, then check the key: it changes at each pairing",
        )

    def _other_prefix(self, prefix: int, version: TuyaVersion) -> UnexpectedReply:
        meant = {_PREFIX: "3.4 or older", _GCM_PREFIX: "3.5"}.get(prefix)
        if meant is None:
            return UnexpectedReply(
                f"{self._where}: frames begin with {prefix:08x}, Tuya's with {_PREFIX:08x} or {_GCM_PREFIX:08x}",
                hint="check the address and the port: Tuya's local protocol is on 6668",
            )
        return UnexpectedReply(
            f"{self._where}: the device speaks version {meant}, not {version}",
            hint="set version= in the URL to what it speaks",
        )


def _after_retcode(body: bytes) -> bytes:
    """A body without the return code, which some frames of some firmware lack: the rest is whole blocks."""
    has_retcode = len(body) % _BLOCK in (_RETCODE, (_RETCODE + _VERSION_HEADER) % _BLOCK) or (
        len(body) >= _RETCODE and not any(body[:3]) and _is_text(body[_RETCODE:])
    )
    return body[_RETCODE:] if has_retcode else body


def _gcm_payload(plain: bytes, version: TuyaVersion) -> bytes:
    """The payload of 3.5, whose bytes may be any; a device's return code is below 256."""
    if len(plain) >= _RETCODE and not any(plain[:3]):
        plain = plain[_RETCODE:]
    return _without_version(plain, version)


def _without_version(plain: bytes, version: TuyaVersion) -> bytes:
    return plain[_VERSION_HEADER:] if plain.startswith(version.encode()) else plain


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()


def _encipher(key: bytes, plain: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    padding = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()


def _encrypt_gcm(key: bytes, iv: bytes, plain: bytes, associated: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).encrypt(iv, plain, associated)


def _signed(key: bytes, payload: bytes) -> bytes:
    text = base64.b64encode(_encipher(key, payload))
    sign = hashlib.md5(b"data=" + text + b"||lpv=3.1||" + key, usedforsecurity=False).hexdigest()[8:24]
    return b"3.1" + sign.encode() + text
