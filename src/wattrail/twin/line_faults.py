"""What can go wrong on a line between a chip and its host, whatever they say to each other, as calls.

A fault on a reply waits for the next reply and is then gone; a fault with an on and off stays. Chance is seeded.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wattrail.errors import PortLost

__all__ = ["LineFaults", "Reply", "flipped", "without"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes on their way to the host, and by how many seconds they are late."""

    data: bytes
    late: float = 0.0


class LineFaults:
    """Faults of a line; a twin adds those of its own chip and board."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._waiting: deque[Callable[[Reply], Reply]] = deque()
        self._silent = False
        self._bit_error_rate = 0.0
        self.unplugged = False

    # ---- the next reply

    def flip_bit(self, byte: int = 0, bit: int = 0) -> None:
        """Invert one bit of the next reply; a negative byte counts from its end."""
        self._corrupt(lambda data: flipped(data, byte, bit))

    def flip_bits(self, count: int) -> None:
        """Invert that many bits of the next reply, by chance."""

        def corrupt(data: bytes) -> bytes:
            for place in self._chance.sample(range(8 * len(data)), min(count, 8 * len(data))):
                data = flipped(data, *divmod(place, 8))
            return data

        self._corrupt(corrupt)

    def drop_byte(self, byte: int = 0) -> None:
        """Lose one byte of the next reply."""
        self._corrupt(lambda data: without(data, byte))

    def cut_reply(self, after: int) -> None:
        """Let only the first ``after`` bytes of the next reply through."""
        self._corrupt(lambda data: data[:after])

    def drop(self, count: int = 1) -> None:
        """Lose the next replies altogether."""
        for _ in range(count):
            self._corrupt(lambda _: b"")

    def double(self) -> None:
        """Send the next reply twice."""
        self._corrupt(lambda data: data * 2)

    def junk(self, before: bytes = b"", after: bytes = b"") -> None:
        """Put bytes around the next reply that do not belong there."""
        self._corrupt(lambda data: before + data + after)

    def late(self, seconds: float) -> None:
        """Hold the next reply back."""
        self._waiting.append(lambda reply: Reply(reply.data, reply.late + seconds))

    # ---- until switched off

    def silence(self, on: bool = True) -> None:
        """Nothing of the chip arrives."""
        self._silent = on

    def noise(self, bit_error_rate: float) -> None:
        """Invert every bit on the line, both ways, with this probability."""
        if not 0 <= bit_error_rate <= 0.5:
            raise ValueError(f"bit error rate {bit_error_rate} is not from 0 to 0.5")
        self._bit_error_rate = bit_error_rate

    def unplug(self) -> None:
        """Pull the cable: every carrier raises PortLost until it is put back. The chip goes on."""
        self.unplugged = True

    def replug(self) -> None:
        """Put the cable back. The chip never lost its supply."""
        self.unplugged = False

    # ---- for the engines

    def check_cable(self, url: str) -> None:
        """Raises PortLost while unplugged."""
        if self.unplugged:
            raise PortLost(f"{url}: the twin's cable is unplugged", hint="faults.replug() puts it back")

    def reply(self, data: bytes) -> Reply:
        """What of the chip's bytes arrives at the host, and when."""
        reply = Reply(data)
        if self._waiting:
            reply = self._waiting.popleft()(reply)
        return Reply(b"" if self._silent else self._noisy(reply.data), reply.late)

    def request(self, data: bytes) -> bytes:
        """What of the host's bytes arrives at the chip."""
        return self._noisy(data)

    def _corrupt(self, how: Callable[[bytes], bytes]) -> None:
        self._waiting.append(lambda reply: Reply(how(reply.data), reply.late))

    def _noisy(self, data: bytes) -> bytes:
        if not self._bit_error_rate or not data:
            return data
        corrupted, place = bytearray(data), self._gap() - 1
        while place < 8 * len(data):
            corrupted[place // 8] ^= 1 << place % 8
            place += self._gap()
        return bytes(corrupted)

    def _gap(self) -> int:
        """Bits to the next error: a geometric distribution."""
        return 1 + int(math.log(1.0 - self._chance.random()) / math.log1p(-self._bit_error_rate))


def flipped(data: bytes, byte: int, bit: int) -> bytes:
    """The data with one bit inverted; where there is no such byte nothing happens."""
    if not -len(data) <= byte < len(data):
        return data
    changed = bytearray(data)
    changed[byte] ^= 1 << bit
    return bytes(changed)


def without(data: bytes, byte: int) -> bytes:
    """The data less one byte; where there is no such byte nothing happens."""
    if not -len(data) <= byte < len(data):
        return data
    byte %= len(data)
    return data[:byte] + data[byte + 1 :]
