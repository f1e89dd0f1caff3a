"""The device's side of Tuya's local protocol: written apart from the driver, and held by tinytuya as a client.

A codec belongs to one connection. It gives what a client asked, and makes frames of what the device says; the key of a
session of 3.4 and 3.5 is agreed on inside. A frame that does not fit the key is dropped without a word, as firmware
does. Source: tuya/lan.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import md5
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

__all__ = ["DeviceCodec", "Request"]

_NEGOTIATION = (3, 4, 5)
_BARE = (3, 4, 5, 9, 10, 16, 18)
"""Commands whose payload has no version in front of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent: command 9 is a heartbeat, 10 and 16 a query, 18 an update, 7 and 13 a command."""

    command: int
    sequence: int
    text: bytes


class DeviceCodec:
    """Frames of one connection to a device with that local key."""

    def __init__(self, version: str, local_key: bytes, random: Callable[[int], bytes]) -> None:
        self.version = version
        self._local_key = self._key = local_key
        self._random = random
        self._received = bytearray()
        self._nonces = b"", b""
        self._said = 0
        self._pushes = 0
        self.is_refused = False
        """Whether a client showed that it does not know the key."""

    @property
    def is_open(self) -> bool:
        """Whether what is said now can be read by the client."""
        return self.version < "3.4" or self._key is not self._local_key

    def take(self, data: bytes) -> tuple[list[Request], bytes]:
        """Requests in what arrived, and what the negotiation of a key answers by itself."""
        self._received += data
        requests, replies = [], b""
        for command, sequence, body in self._frames():
            text = self._plain(command, body)
            if text is None:
                self.is_refused |= command in _NEGOTIATION
            elif command == 3:
                replies += self._offer(sequence, text)
            elif command == 5:
                self._agree(text)
            else:
                requests.append(Request(command, sequence, text))
        return requests, replies

    def answer(self, request: Request, text: bytes, *, retcode: int = 0) -> bytes:
        """A frame that answers a request; until 3.4 it has the sequence of the request."""
        return self._frame(request.command, request.sequence, retcode, text)

    def push(self, text: bytes) -> bytes:
        """A frame that nobody asked for."""
        self._pushes += 1
        return self._frame(8, 0, 0, text)

    def _frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Command, sequence and all between header and suffix, of whole frames; anything else is thrown away."""
        is_gcm = self.version == "3.5"
        begins, overhead = (b"\0\0\x66\x99", 22) if is_gcm else (b"\0\0\x55\xaa", 16)
        while True:
            place = self._received.find(begins)
            if place < 0:
                del self._received[:-3]
                return
            del self._received[:place]
            fields = self._received[6 if is_gcm else 4 :][:12]
            if len(fields) < 12:
                return
            sequence, command, length = (int.from_bytes(fields[n : n + 4], "big") for n in (0, 4, 8))
            whole = overhead + length
            # A length beyond it is noise: look for the next frame behind these four bytes.
            if length > 512:  # of its receive buffer
                del self._received[:4]
                continue
            if len(self._received) < whole:
                return
            frame = bytes(self._received[:whole])
            del self._received[:whole]
            yield command, sequence, frame

    def _plain(self, command: int, frame: bytes) -> bytes | None:
        """What a client sent, deciphered; None where it does not fit the key."""
        key = self._local_key if command in _NEGOTIATION else self._key
        if self.version == "3.5":
            try:
                text = AESGCM(key).decrypt(frame[18:30], frame[30:-4], frame[4:18])
            except InvalidTag:
                return None
            return text if command in _BARE else text[15:]
        if self.version == "3.4":
            if hmac.digest(key, frame[:-36], "sha256") != frame[-36:-4]:
                return None
            inside = _unblock(key, frame[16:-36])
            return inside if inside is None or command in _BARE else inside[15:]
        body = frame[16:-8]
        if crc32(frame[:-8]) != int.from_bytes(frame[-8:-4], "big"):
            return None
        # A heartbeat is answered without being deciphered.
        if command == 9:
            return b""
        if self.version == "3.1":
            return body if command in _BARE else _unblock(key, base64.b64decode(body[19:]))
        return _unblock(key, body if command in _BARE else body[15:])

    def _offer(self, sequence: int, nonce: bytes) -> bytes:
        own = self._random(16)
        self._nonces = nonce, own
        return self._frame(4, sequence, 0, own + hmac.digest(self._local_key, nonce, "sha256"), key=self._local_key)

    def _agree(self, proof: bytes) -> None:
        client, own = self._nonces
        if not own or proof != hmac.digest(self._local_key, own, "sha256"):
            self.is_refused = True
            return
        mixed = (int.from_bytes(client, "big") ^ int.from_bytes(own, "big")).to_bytes(16, "big")
        if self.version == "3.5":
            self._key = AESGCM(self._local_key).encrypt(client[:12], mixed, None)[:16]
        else:
            self._key = Cipher(algorithms.AES(self._local_key), modes.ECB()).encryptor().update(mixed)

    def _frame(self, command: int, sequence: int, retcode: int, text: bytes, *, key: bytes | None = None) -> bytes:
        key = key or self._key
        number, is_bare = retcode.to_bytes(4, "big"), command in _BARE
        if self.version == "3.5":
            self._said += 1  # it counts its own, and does not repeat the client's
            inside = number + (b"" if is_bare else b"3.5" + bytes(12)) + text
            head = bytes(2) + _words(self._said, command, 12 + len(inside) + 16)
            iv = self._random(12)
            return b"\0\0\x66\x99" + head + iv + AESGCM(key).encrypt(iv, inside, head) + b"\0\0\x99\x66"
        if self.version == "3.4":
            body = number + _block(key, (b"" if is_bare else b"3.4" + bytes(12)) + text)
            signed = b"\0\0\x55\xaa" + _words(sequence, command, len(body) + 36) + body
            return signed + hmac.digest(key, signed, "sha256") + b"\0\0\xaa\x55"
        body = number + self._old_body(command, text, is_bare=is_bare)
        summed = b"\0\0\x55\xaa" + _words(sequence, command, len(body) + 8) + body
        return summed + _words(crc32(summed)) + b"\0\0\xaa\x55"

    def _old_body(self, command: int, text: bytes, *, is_bare: bool) -> bytes:
        """The body of 3.1 and 3.3; an acknowledgement has none."""
        if not text or (self.version == "3.1" and is_bare):
            return text
        enciphered = _block(self._key, text)
        if self.version == "3.1":
            written = base64.b64encode(enciphered)
            sign = md5(b"data=" + written + b"||lpv=3.1||" + self._key, usedforsecurity=False)
            return b"3.1" + sign.hexdigest()[8:24].encode() + written
        if command == 8:  # no sum on the local network; the number of the push; 1 is the device itself
            return b"3.3" + _words(0, self._pushes, 1) + enciphered
        return enciphered


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def _block(key: bytes, text: bytes) -> bytes:
    padder = PKCS7(128).padder()
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(padder.update(text) + padder.finalize())


def _unblock(key: bytes, data: bytes) -> bytes | None:
    try:
        plain = Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(data)
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(plain) + unpadder.finalize()
    except ValueError:
        return None
