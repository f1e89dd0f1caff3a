"""What can go wrong between a chip in download mode and its host, as calls.

A fault on a reply or a request waits for the next one and is then gone; a fault with an on and off stays. A request is
what the host hands over in one write. Chance is seeded.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from wattrail.errors import PortLost

__all__ = ["BootFaults", "Outgoing"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply on its way, and by how many seconds it is late."""

    data: bytes
    late: float = 0.0


_Spoil = Callable[[Outgoing], Outgoing]


class _Victim(Protocol):
    """What the faults act on besides bytes."""

    def power(self, on: bool) -> None: ...
    def hear(self, data: bytes, *, baud: int) -> None: ...


class BootFaults:
    """All faults of one twin."""

    def __init__(self, twin: _Victim, seed: int) -> None:
        self._twin = twin
        self._chance = random.Random(seed)
        self._replies: deque[_Spoil] = deque()
        self._requests: deque[Callable[[bytes], bytes]] = deque()
        self._cuts: dict[str, tuple[int, bool]] = {}
        self._failure: int | None = None
        self._silent = False
        self._bit_error_rate = 0.0
        self.unplugged = False

    # ---- the next reply

    def flip_bit(self, byte: int = 0, bit: int = 0) -> None:
        """Invert one bit of the next reply."""
        self._replies.append(lambda out: Outgoing(_flipped(out.data, byte, bit), out.late))

    def drop_byte(self, byte: int = 0) -> None:
        """Lose one byte of the next reply."""
        self._replies.append(lambda out: Outgoing(_without(out.data, byte), out.late))

    def cut_reply(self, after: int) -> None:
        """Let only the first ``after`` bytes of the next reply through."""
        self._replies.append(lambda out: Outgoing(out.data[:after], out.late))

    def drop(self, count: int = 1) -> None:
        """Lose the next replies altogether."""
        self._replies.extend([lambda out: Outgoing(b"", out.late)] * count)

    def late(self, seconds: float) -> None:
        """Hold the next reply back."""
        self._replies.append(lambda out: Outgoing(out.data, out.late + seconds))

    def double(self) -> None:
        """Send the next reply twice."""
        self._replies.append(lambda out: Outgoing(out.data * 2, out.late))

    def junk(self, before: bytes = b"", after: bytes = b"") -> None:
        """Put bytes around the next reply that do not belong there."""
        self._replies.append(lambda out: Outgoing(before + out.data + after, out.late))

    def fail(self, code: int = 0xEE) -> None:
        """Answer the next command with "system error" and do nothing."""
        self._failure = code

    # ---- the next request

    def flip_request_bit(self, byte: int, bit: int = 0) -> None:
        """Invert one bit of the next request."""
        self._requests.append(lambda data: _flipped(data, byte, bit))

    def drop_request_byte(self, byte: int) -> None:
        """Lose one byte of the next request."""
        self._requests.append(lambda data: _without(data, byte))

    # ---- until told otherwise

    def silence(self, on: bool = True) -> None:
        """The chip's sending wire is off: it does what it is told, and nothing of it is heard."""
        self._silent = on

    def noise(self, bit_error_rate: float) -> None:
        """Invert every bit on the line, both ways, with this probability."""
        if not 0 <= bit_error_rate <= 0.5:
            raise ValueError(f"bit error rate {bit_error_rate} is not from 0 to 0.5")
        self._bit_error_rate = bit_error_rate

    def unplug(self) -> None:
        """Pull the adapter: every port raises PortLost until it is put back. The chip goes on."""
        self.unplugged = True

    def replug(self) -> None:
        """Put the adapter back."""
        self.unplugged = False

    # ---- once, now or soon

    def cut_power(self) -> None:
        """The supply goes, and stays away until ``twin.power(True)``."""
        self._twin.power(False)

    def brown_out(self) -> None:
        """The supply drops and comes back: a reset in the middle of whatever was going on."""
        self._twin.power(False)
        self._twin.power(True)

    def power_fails_in(self, kind: Literal["page", "erase"], count: int = 1, *, returns: bool = True) -> None:
        """The supply drops half-way through the ``count``-th page or erase from now."""
        if count < 1:
            raise ValueError(f"{count} is no count: the next one is 1")
        self._cuts[kind] = (count, returns)

    def second_talker(self, data: bytes = bytes.fromhex("55 AA 00 00 00 00 FF"), *, baud: int = 9600) -> None:
        """Another device on the chip's receiving wire says something (a TuyaMCU's heartbeat, if nothing is given)."""
        self._twin.hear(data, baud=baud)

    # ---- for the engine and the ports

    def check_cable(self, url: str) -> None:
        """Raises PortLost while unplugged."""
        if self.unplugged:
            raise PortLost(f"{url}: the twin's adapter is unplugged", hint="faults.replug() puts it back")

    def reply(self, data: bytes) -> Outgoing:
        """What becomes of a reply."""
        out = Outgoing(data)
        if self._replies:
            out = self._replies.popleft()(out)
        return Outgoing(b"" if self._silent else self._noisy(out.data), out.late)

    def request(self, data: bytes) -> bytes:
        """What becomes of a request."""
        if self._requests:
            data = self._requests.popleft()(data)
        return self._noisy(data)

    def failure(self) -> int | None:
        """The code of the "system error" that the next command meets."""
        code, self._failure = self._failure, None
        return code

    def strikes(self, kind: str) -> bool | None:
        """Whether the power fails in this step: None if not, else whether it returns."""
        if kind not in self._cuts:
            return None
        count, returns = self._cuts.pop(kind)
        if count > 1:
            self._cuts[kind] = (count - 1, returns)
            return None
        return returns

    def _noisy(self, data: bytes) -> bytes:
        if not self._bit_error_rate or not data:
            return data
        spoiled, bits = bytearray(data), 8 * len(data)
        place = self._gap() - 1
        while place < bits:
            spoiled[place // 8] ^= 1 << place % 8
            place += self._gap()
        return bytes(spoiled)

    def _gap(self) -> int:
        """Bits to the next error: a geometric distribution."""
        return 1 + int(math.log(1.0 - self._chance.random()) / math.log1p(-self._bit_error_rate))


def _flipped(data: bytes, byte: int, bit: int) -> bytes:
    spoiled = bytearray(data)
    spoiled[byte % len(spoiled)] ^= 1 << bit
    return bytes(spoiled)


def _without(data: bytes, byte: int) -> bytes:
    byte %= len(data)
    return data[:byte] + data[byte + 1 :]
