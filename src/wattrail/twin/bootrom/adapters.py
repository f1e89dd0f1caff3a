"""USB serial adapters as people have them: the rates they really make, the bytes they lose, the lines they hold.

Which adapter users had trouble with, and at what, is reported (Source: bk-boot/adapters); how the trouble comes about
inside it is guessed, and so is every number whose line does not say otherwise.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from wattrail.errors import ConfigError

__all__ = ["ADAPTERS", "Adapter", "Loss", "ModemLine", "Sieve", "adapter_of"]

ModemLine = Literal["rts", "dtr"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes an adapter loses: each one with this ``chance``, after the first ``after`` of a burst, above ``baud``.

    ``heard``: of what the host hears; else of what it says.
    """

    chance: float
    after: int
    baud: int = 0
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter. What is left out it does without flaw.

    ``clock_hz`` and ``parts``: it divides this clock by whole numbers and such parts of them. ``table``: it makes these
    rates only, the next lower of the one asked for. ``most_baud``: it refuses a higher one. ``inverted``: lines that
    are the other way round. ``asserted``: lines it asserts when it is opened. ``packet``: bytes it hands over at once.
    """

    name: str
    clock_hz: float = 0.0
    parts: int = 1
    table: tuple[int, ...] = ()
    most_baud: int | None = None
    loss: Loss | None = None
    inverted: tuple[ModemLine, ...] = ()
    asserted: tuple[ModemLine, ...] = ()
    packet: int | None = None

    def made(self, baud: int) -> int | None:
        """The rate it makes when asked for this one; None if it refuses."""
        if self.most_baud is not None and baud > self.most_baud:
            return None
        if self.table:
            return max((rate for rate in self.table if rate <= baud), default=self.table[0])
        if not self.clock_hz:
            return baud
        divider = max(1.0, round(self.clock_hz * self.parts / baud) / self.parts)
        return round(self.clock_hz / divider)


ADAPTERS: Final[Mapping[str, Adapter]] = MappingProxyType(
    {
        adapter.name: adapter
        for adapter in (
            Adapter("ideal"),
            Adapter("ch340", clock_hz=12e6, parts=2, most_baud=2_000_000, packet=32),
            Adapter("ft232", clock_hz=3e6, parts=8, most_baud=3_000_000, packet=62),  # its maker's divider, from memory
            # Reported: odd behaviour, bytes missing. Guess: its buffer overruns when a reply is long and fast.
            Adapter("pl2303", loss=Loss(1e-4, after=1024, baud=115200), most_baud=6_000_000, packet=64),
            # Reported: no 921600, and lines asserted on opening. Guess: it makes the highest rate of its table instead.
            Adapter(
                "cp2102",
                table=(300, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000),
                asserted=("rts", "dtr"),
                packet=64,
            ),
            # Reported: modules with a transistor, or a level shifter, between RTS and its pin.
            Adapter("rts inverted", inverted=("rts",)),
        )
    }
)
"""Adapters by name."""


def adapter_of(adapter: Adapter | str) -> Adapter:
    """The adapter itself, or the one of that name. Raises ConfigError."""
    if isinstance(adapter, Adapter):
        return adapter
    if adapter not in ADAPTERS:
        raise ConfigError(f"no adapter {adapter!r}", hint=f"known are {', '.join(ADAPTERS)}")
    return ADAPTERS[adapter]


class Sieve:
    """One direction of an adapter that loses bytes, by seeded chance."""

    def __init__(self, loss: Loss | None, *, heard: bool, seed: int) -> None:
        self._loss = loss if loss is not None and loss.heard is heard else None
        self._chance = random.Random(seed)
        self._passed = 0
        self._spare = self._gap()

    def begin(self) -> None:
        """A new burst."""
        self._passed = 0

    def through(self, data: bytes, baud: int) -> bytes:
        """What is left of the bytes."""
        if self._loss is None or baud <= self._loss.baud:
            return data
        safe = max(0, self._loss.after - self._passed)
        self._passed += len(data)
        kept, rest = bytearray(data[:safe]), data[safe:]
        while self._spare < len(rest):
            kept += rest[: self._spare]
            rest = rest[self._spare + 1 :]
            self._spare = self._gap()
        self._spare -= len(rest)
        return bytes(kept + rest)

    def _gap(self) -> int:
        """Bytes to the next that is lost: a geometric distribution."""
        if self._loss is None:
            return 0
        return int(math.log(1.0 - self._chance.random()) / math.log1p(-self._loss.chance))
