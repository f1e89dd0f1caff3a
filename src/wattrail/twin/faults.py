"""What can go wrong between a meter and its reader, as calls.

A fault on a reply waits for the next reply and is then gone; a fault with an on and off stays. Chance is seeded.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wattrail.bl0942.registers import CF_CNT, FREQ, V_RMS
from wattrail.errors import PortLost
from wattrail.twin.chip import Chip

__all__ = ["Faults", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes on their way to the host, and by how many seconds they are late."""

    data: bytes
    late: float = 0.0


_Spoil = Callable[[Reply], Reply]


class _Victim(Protocol):
    """What the faults act on besides replies."""

    def brown_out(self) -> None: ...
    def reverse_transformer(self, reversed_: bool) -> None: ...


class Faults:
    """All faults of one twin."""

    def __init__(self, twin: _Victim, chip: Chip, seed: int) -> None:
        self._twin = twin
        self._chip = chip
        self._chance = random.Random(seed)
        self._waiting: deque[_Spoil] = deque()
        self._silent = False
        self._bit_error_rate = 0.0
        self.unplugged = False

    # ---- the next reply

    def flip_bit(self, byte: int = 0, bit: int = 0) -> None:
        """Invert one bit of the next reply."""
        self._waiting.append(lambda reply: Reply(_flipped(reply.data, 8 * byte + bit), reply.late))

    def flip_bits(self, count: int) -> None:
        """Invert that many bits of the next reply, by chance."""

        def spoil(reply: Reply) -> Reply:
            data = reply.data
            for position in self._chance.sample(range(8 * len(data)), min(count, 8 * len(data))):
                data = _flipped(data, position)
            return Reply(data, reply.late)

        self._waiting.append(spoil)

    def cut_reply(self, after: int) -> None:
        """Let only the first ``after`` bytes of the next reply through."""
        self._waiting.append(lambda reply: Reply(reply.data[:after], reply.late))

    def drop(self, count: int = 1) -> None:
        """Lose the next replies altogether."""
        self._waiting.extend([lambda reply: Reply(b"", reply.late)] * count)

    def late(self, seconds: float) -> None:
        """Hold the next reply back."""
        self._waiting.append(lambda reply: Reply(reply.data, reply.late + seconds))

    def double(self) -> None:
        """Send the next reply twice."""
        self._waiting.append(lambda reply: Reply(reply.data * 2, reply.late))

    def junk(self, before: bytes = b"", after: bytes = b"") -> None:
        """Put bytes around the next reply that do not belong there."""
        self._waiting.append(lambda reply: Reply(before + reply.data + after, reply.late))

    # ---- until told otherwise

    def silence(self, on: bool = True) -> None:
        """The chip hears and answers nothing."""
        self._silent = on

    def noise(self, bit_error_rate: float) -> None:
        """Invert every bit on the line, both ways, with this probability."""
        if not 0 <= bit_error_rate <= 0.5:
            raise ValueError(f"bit error rate {bit_error_rate} is not from 0 to 0.5")
        self._bit_error_rate = bit_error_rate

    def unplug(self) -> None:
        """Pull the cable: every carrier raises PortLost until it is put back."""
        self.unplugged = True

    def replug(self) -> None:
        """Put the cable back. The chip never lost its supply."""
        self.unplugged = False

    def stick_volts(self, count: int | None = 0) -> None:
        """V_RMS reads that count; None heals it."""
        self._chip.stick(V_RMS, count)

    def freeze_frequency(self, on: bool = True) -> None:
        """FREQ keeps the count it has."""
        self._chip.stick(FREQ, self._chip.peek(FREQ) if on else None)

    def reverse_transformer(self, on: bool = True) -> None:
        """The conductor passes the transformer the wrong way: import looks like export."""
        self._twin.reverse_transformer(on)

    # ---- once, now

    def brown_out(self) -> None:
        """The supply drops below 2.7 V and comes back: as power-on."""
        self._twin.brown_out()

    def counter_reset(self) -> None:
        """CF_CNT falls to 0 by itself and nothing else changes (esphome/esphome #15280)."""
        self._chip.poke(CF_CNT, 0)

    # ---- for the engines

    def check_cable(self, url: str) -> None:
        """Raises PortLost while unplugged."""
        if self.unplugged:
            raise PortLost(f"{url}: the twin's cable is unplugged", hint="faults.replug() puts it back")

    def request(self, data: bytes) -> bytes:
        """What of the host's bytes arrives at the chip."""
        return b"" if self._silent or self.unplugged else self._noisy(data)

    def reply(self, data: bytes) -> Reply:
        """What of the chip's bytes arrives at the host, and when."""
        reply = Reply(data)
        if self._waiting:
            reply = self._waiting.popleft()(reply)
        return Reply(self._noisy(reply.data), reply.late)

    def _noisy(self, data: bytes) -> bytes:
        if not self._bit_error_rate:
            return data
        for position in range(8 * len(data)):
            if self._chance.random() < self._bit_error_rate:
                data = _flipped(data, position)
        return data


def _flipped(data: bytes, position: int) -> bytes:
    """The data with one bit inverted; bit 0 is the lowest of byte 0. Beyond the end nothing happens."""
    changed = bytearray(data)
    if position // 8 < len(changed):
        changed[position // 8] ^= 1 << position % 8
    return bytes(changed)
