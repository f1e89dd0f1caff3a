"""What must hold for any bytes sent to a whole chip: nothing changes in its flash but what a command asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from wattrail.bootrom import TRAITS, Responder
from wattrail.bootrom import commands as c
from wattrail.bootrom.constants import BAUD_AT_RESET, CLOCK_HZ, MAX_DIVIDER
from wattrail.bootrom.geometry import ERASES, PAGE, SECTOR
from wattrail.clock import ManualClock
from wattrail.twin.bootrom import AT_ONCE, BootTiming, BootTwin

__all__ = ["asked_for", "chip"]

SIZE: Final = 0x20000
"""128 KiB of flash: a bootloader, a little more, and quick to compare."""

LINK_CHECK: Final = bytes.fromhex("01 E0 FC 01 00")
LONGEST_REPLY: Final = 4107
BLUR: Final = BAUD_AT_RESET * (MAX_DIVIDER + 1) // CLOCK_HZ + 1
"""Bytes that a host makes of one, when the chip speaks at its slowest."""

_SPANS: Final = {erase.code: erase.span for erase in ERASES}
_CHANGES: Final = re.compile(
    rb"(?=\x01\xe0\xfc\xff\xf4..(?:([\x06\x07\x0b])(....)|(\x0f)(.)(....)|(\x0a)\x04))", re.DOTALL
)
"""Every request that erases or programs, wherever it begins, cut short or not."""


def chip(data: bytes) -> None:
    """A chip that is sent garbage: only what the garbage asks for happens, and answers stay in proportion."""
    if not data:
        return
    how, said = data[0], data[1:]
    name, paced = ("N", "M", "T")[how % 3], bool(how & 0x10)
    clock = ManualClock()
    before = bytes(range(256)) * (SIZE // 256)
    twin = BootTwin(
        name, clock=clock, image=before, flash_bytes=SIZE, sr=0x4004 if how & 0x20 else 0,
        timing=BootTiming() if paced else AT_ONCE,
    )  # fmt: skip
    said = LINK_CHECK + said if how & 0x40 else said
    heard = _talk(twin, clock, said, portion=1 + how * 8)
    assert heard <= BLUR * LONGEST_REPLY * (len(said) // len(LINK_CHECK) + 1)
    if not paced:  # a chip that misses bytes while it works may put two requests together
        responder = Responder.BOOTLOADER if name == "T" else Responder.BOOT_ROM
        _judge(before, bytes(twin.flash.data), asked_for(said, responder))


def _talk(twin: BootTwin, clock: ManualClock, said: bytes, *, portion: int) -> int:
    port = twin.port()
    twin.reset()
    clock.advance(0.01)
    heard = 0
    for place in range(0, len(said), portion):
        port.write(said[place : place + portion])
        clock.advance(0.005)
        heard += len(port.drain())
    for _ in range(10):
        clock.advance(1.0)
        heard += len(port.drain())
    return heard


Change = tuple[int, int, bool]
"""Start and length in bytes, and whether it is an erase."""


def asked_for(said: bytes, responder: Responder) -> Iterator[Change]:
    """Every change of flash that some bytes can be read as asking for."""
    for found in _CHANGES.finditer(said):
        write, address, erase, code, erased, everything = found.groups()
        if everything and responder is Responder.BOOT_ROM:
            yield 0, SIZE, True
        elif erase:
            yield from _erase(_number(erased), _SPANS.get(code[0]), responder)
        elif write and write[0] == c.ERASE_4K.opcode:
            if responder is Responder.BOOT_ROM:
                yield from _erase(_number(address), SECTOR, responder)
        elif write:
            yield from _write(write[0], _number(address), responder)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _erase(address: int, span: int | None, responder: Responder) -> Iterator[Change]:
    if span is not None and not _is_guarded(address, responder):
        start = address % SIZE // span * span
        yield start, span, True


def _write(opcode: int, address: int, responder: Responder) -> Iterator[Change]:
    if opcode == c.FLASH_WRITE.opcode:
        if not _is_guarded(address, responder):
            yield address % SIZE, PAGE, False
        return
    guard = TRAITS[responder].write_4k_guard
    first = max(address, address + -(-(guard - address) // PAGE) * PAGE) if address < guard else address
    yield first % SIZE, max(0, address + SECTOR - first), False


def _is_guarded(address: int, responder: Responder) -> bool:
    return responder is Responder.BOOTLOADER and (address < TRAITS[responder].guard or address >> 31 == 1)


def _judge(before: bytes, after: bytes, asked: Iterator[Change]) -> None:
    old, new = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
    erased, written = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    for start, length, is_erase in asked:
        (erased if is_erase else written)[np.arange(start, start + length) % SIZE] = True
    untouched = ~(erased | written)
    stray = np.flatnonzero(untouched & (old != new))
    assert not stray.size, f"flash changed at {int(stray[0]):#x}, where nobody asked for it"
    risen = np.flatnonzero(~erased & (new & ~old != 0))
    assert not risen.size, f"programming set bits at {int(risen[0]):#x}"
