"""A chip that means harm, and a wire that lies: what the flasher asks for meanwhile is written down."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Final

from tests.fuzz.edits import any_edit, damaged
from tests.fuzz.seeds import FRAME_WORDS, replies
from wattrail.bootrom import COMMANDS, PARTS
from wattrail.bootrom import commands as c
from wattrail.bootrom.commands import Command
from wattrail.bootrom.constants import CHIP_ID, CHIP_ID_N, EFUSE_CONTROL
from wattrail.bootrom.geometry import ERASES, SECTOR
from wattrail.bootrom.link import REQUEST_START, SHORT_HEAD, fields_of
from wattrail.bootrom.requests import wire_crc
from wattrail.clock import Clock, Deadline
from wattrail.errors import PortTimeout
from wattrail.transport import Port
from wattrail.transport.carrier import OpenCarrier

__all__ = ["MOODS", "HostileChip", "LyingWire", "Mood", "Watch"]

LONGEST: Final = 4200
BYTE_S: Final = 1e-5
"""Time a byte takes, at any rate: the chip does not care at which it is listened to."""

Mood = Callable[[bytes, random.Random], bytes]
"""What a chip makes of the answer that would be right."""

_SPANS: Final = {erase.code: erase.span for erase in ERASES}


class Watch:
    """Everything a flasher asked of one port: how much it did there, and where it would change flash."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.operations = 0
        self.changes: list[tuple[int, int]] = []
        self.registers: set[int] = set()

    def count(self) -> None:
        """One more operation. Raises AssertionError beyond the bound: the flasher goes on for ever."""
        self.operations += 1
        assert self.operations <= self._most, f"the flasher has not ended after {self._most} operations on its port"

    def note(self, request: bytes) -> None:
        """A request, if it is one."""
        if (found := parsed(request)) is None:
            return
        command, fields = found
        if command is c.ERASE_ALL:
            self.changes.append((0, 1 << 32))
        elif command is c.ERASE:
            self.changes.append((fields["address"], _SPANS[fields["size"]]))
        elif command in (c.WRITE_4K, c.ERASE_4K, c.FLASH_WRITE):
            self.changes.append((fields["address"], SECTOR))
        elif command is c.WRITE_REG:
            self.registers.add(fields["address"])

    def strays(self, size: int, allowed: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        """Changes asked for outside some ranges of a flash of that size."""
        inside = [(at % size, span) for at, span in self.changes]
        return [
            (at, span)
            for at, span in inside
            if not any(start <= at and at + span <= start + length for start, length in allowed)
        ]


def parsed(request: bytes) -> tuple[Command, dict[str, int]] | None:
    """The command of a request frame and its fields."""
    if not request.startswith(REQUEST_START):
        return None
    long = request[3:5] == b"\xff\xf4"
    opcode, payload = (request[7], request[8:]) if long else (request[4], request[5:])
    for command in COMMANDS:
        if command.long is long and command.opcode == opcode and (found := fields_of(command.request, payload)):
            return command, found[0]
    raise AssertionError(f"a request that no table knows: {request.hex(' ')}")


class HostileChip(OpenCarrier):
    """A port with a chip behind it that answers as its seed tells it, and holds a flash that nothing can write to.

    ``mood``: it keeps the link, and answers everything else in this way alone.
    """

    def __init__(self, clock: Clock, seed: int, watch: Watch, *, mood: Mood | None = None) -> None:
        super().__init__("twin://hostile", clock, simulated=True)
        self._chance = random.Random(seed)
        self._watch = watch
        self._out = bytearray()
        self._part = self._chance.choice(PARTS).mid
        self._honest = 0.0 if mood else self._chance.choice((0.0, 0.5, 0.9, 0.99, 0.999))
        self._keeps_link = mood is not None or self._chance.choice((True, False))
        self._moods = [mood] if mood else self._chance.sample(MOODS, self._chance.randrange(1, len(MOODS) + 1))

    def read(self, deadline: Deadline) -> bytes:
        self._watch.count()
        if not self._out:
            self.clock.sleep(deadline.remaining)
            raise PortTimeout(f"{self.url}: nothing")
        data = bytes(self._out[: self._chance.randrange(1, LONGEST)])
        del self._out[: len(data)]
        self.clock.sleep(len(data) * BYTE_S)
        return data

    def write(self, data: bytes) -> None:
        self._watch.count()
        self._watch.note(data)
        self.clock.sleep(len(data) * BYTE_S)
        if (found := parsed(data)) is None:
            return
        kept = self._keeps_link and found[0] in (c.LINK_CHECK, c.SET_BAUD)
        mood = _honest if kept or self._chance.random() < self._honest else self._chance.choice(self._moods)
        self._out += mood(self._answer(*found), self._chance)

    def drain(self) -> bytes:
        self._watch.count()
        data = bytes(self._out)
        self._out.clear()
        return data

    def set_baud(self, baud: int) -> None:
        self._watch.count()

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._watch.count()

    def _release(self) -> None:
        self._out.clear()

    def _answer(self, command: Command, fields: dict[str, int]) -> bytes:
        """What a chip with a blank flash would say."""
        if command.reply is None:
            return b""
        values = fields | self._values(command, fields)
        payload = b"".join(
            b"\xff" * part.sizes[-1] if part.name == "data" else values.get(part.name, 0).to_bytes(part.size, "little")
            for part in command.reply
        )
        if command.long:
            head = (len(payload) + 2).to_bytes(2, "little") + bytes((command.reply_opcode, 0))
            return b"\x04\x0e\xff\x01\xe0\xfc\xf4" + head + payload
        return bytes((4, 14, len(payload) + 4, 1, 0xE0, 0xFC, command.reply_opcode)) + payload

    def _values(self, command: Command, fields: dict[str, int]) -> dict[str, int]:
        if command is c.READ_REG:
            known = {CHIP_ID: CHIP_ID_N, EFUSE_CONTROL: 0}
            return {"value": known.get(fields["address"], 0x1FF)}
        if command is c.CHECK_CRC:
            length = (fields["end"] - fields["start"] + 1) & 0xFFFF_FFFF
            return {"crc": wire_crc(b"\xff" * length) if length <= 1 << 24 else 0}
        if command is c.FLASH_ID:
            id_ = self._part
            return {"manufacturer": id_ & 0xFF, "kind": id_ >> 8 & 0xFF, "capacity": id_ >> 16}
        return {}


def _honest(answer: bytes, chance: random.Random) -> bytes:
    return answer


def _silent(answer: bytes, chance: random.Random) -> bytes:
    return b""


def _noisy(answer: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, LONGEST))


def _torn(answer: bytes, chance: random.Random) -> bytes:
    return answer[: chance.randrange(len(answer) + 1)]


def _bent(answer: bytes, chance: random.Random) -> bytes:
    edits = [any_edit(chance) for _ in range(chance.randrange(1, 4))]
    return damaged(answer, edits, others=replies(), words=FRAME_WORDS, most=4 * LONGEST)


def _false(answer: bytes, chance: random.Random) -> bytes:
    """The right shape, and anything in it."""
    head = 11 if answer[2:3] == b"\xff" else SHORT_HEAD
    return answer[:head] + chance.randbytes(len(answer) - min(head, len(answer)))


def _changing(answer: bytes, chance: random.Random) -> bytes:
    """The right echo, and another value each time in the last four bytes: no two CRCs are the same."""
    return answer[:-4] + chance.randbytes(4) if len(answer) >= SHORT_HEAD + 4 else answer


def _refusing(answer: bytes, chance: random.Random) -> bytes:
    return answer[:10] + b"\x06" + answer[11:] if len(answer) > 11 else bytes.fromhex("04 0E 04 01 E0 FC EE")


def _flooding(answer: bytes, chance: random.Random) -> bytes:
    return answer * chance.randrange(2, 40)


def _early(answer: bytes, chance: random.Random) -> bytes:
    return chance.choice(replies()) + answer


MOODS: Final[tuple[Mood, ...]] = (
    _silent, _noisy, _torn, _bent, _false, _changing, _refusing, _flooding, _early,
)  # fmt: skip


class LyingWire(OpenCarrier):
    """Another port, on whose way to the host every so many portions one is bent."""

    def __init__(self, inner: Port, seed: int, every: int, watch: Watch) -> None:
        super().__init__(inner.url, inner.clock, simulated=inner.simulated)
        self._inner = inner
        self._chance = random.Random(seed)
        self._every = every
        self._watch = watch

    def read(self, deadline: Deadline) -> bytes:
        self._watch.count()
        while not deadline.passed:
            if heard := self._bent(self._inner.read(deadline)):
                return heard
        raise PortTimeout(f"{self.url}: nothing arrived before the deadline")

    def write(self, data: bytes) -> None:
        self._watch.count()
        self._watch.note(data)
        self._inner.write(data)

    def drain(self) -> bytes:
        self._watch.count()
        return self._inner.drain()

    def set_baud(self, baud: int) -> None:
        self._watch.count()
        self._inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._watch.count()
        self._inner.set_lines(dtr=dtr, rts=rts)

    def _release(self) -> None:
        self._inner.close()

    def _bent(self, data: bytes) -> bytes:
        if self._chance.randrange(self._every):
            return data
        return self._chance.choice((_torn, _bent, _false, _early, _flooding))(data, self._chance)
