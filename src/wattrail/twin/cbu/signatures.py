"""Where a firmware without symbols has the functions that are called or watched: found by the bytes of their code.

The patterns were found once in each of 16 stock images of BK7231N and in OpenBeken N, M and T. A firmware in which one
is not found, or found twice, has no network here, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy

__all__ = ["NetworkFunctions", "call_target", "find_network_functions", "find_user_of_text"]

_OUTPUT: Final = re.compile(rb"\x10\xb5\x0c\x1c....\x02\x1e\x01\x2a", re.DOTALL)
"""push {r4, lr}; r4 = r1; bl; r2 = r0 compared with 0; compare with 1."""

_INPUT: Final = re.compile(rb"[\x70\x38]\xb5\x4b\x89\x05\x1c\x0c\x1c\x0e\x2b")
"""push; r3 = length of the pbuf; r5 = r0; r4 = r1; compare with 14, the length of an Ethernet header."""

_NEAR: Final = 0x40
_PUSH: Final = 0xB5


@dataclass(frozen=True, slots=True)
class NetworkFunctions:
    """Addresses of Thumb functions.

    ``output`` (netif, pbuf) sends a frame, ``receive`` (interface index, pbuf) takes one, ``allocate`` (address of a
    pointer, length) gives a pbuf for it.
    """

    output: int
    receive: int
    allocate: int


def find_network_functions(code: bytes) -> NetworkFunctions | None:
    """The functions in the plain code of a firmware, None where they are not found for certain."""
    outputs, inputs = ([found.start() for found in pattern.finditer(code)] for pattern in (_OUTPUT, _INPUT))
    if len(outputs) != 1 or len(inputs) != 1:
        return None
    callers = _callers(code, inputs[0])
    if len(callers) != 1:
        return None
    upload = code.rfind(bytes((_PUSH,)), 0, callers[0] + 2) - 1  # the little function that passes a frame up
    entries = _entries(code, range(upload - _NEAR, upload))
    if len(entries) != 1:
        return None
    return NetworkFunctions(outputs[0], inputs[0], entries.pop())


def find_user_of_text(code: bytes, text: bytes) -> int | None:
    """The function that uses a text: it has the address of the text among its constants. None if not just one has."""
    at = code.find(text)
    places = [found.start() for found in re.finditer(re.escape(at.to_bytes(4, "little")), code)] if at >= 0 else []
    places = [place for place in places if place % 4 == 0]
    if len(places) != 1:
        return None
    for push in range(places[0] - 2, max(0, places[0] - 0x800), -2):
        if code[push + 1] == _PUSH and is_called(code, push):
            return push
    return None


def is_called(code: bytes, address: int) -> bool:
    """Whether anything calls the address, directly or by a pointer."""
    pointer = (address | 1).to_bytes(4, "little")
    return pointer in code or bool(_callers(code, address))


def call_target(code: bytes, at: int) -> int | None:
    """Where the ``bl`` at an address goes; None if there is none."""
    first, second = (int.from_bytes(code[at + n : at + n + 2], "little") for n in (0, 2))
    if first >> 11 != 0b11110 or second >> 11 != 0b11111:
        return None
    high = first & 0x7FF
    offset = (high - 0x800 if high & 0x400 else high) << 12 | (second & 0x7FF) << 1
    return at + 4 + offset


def _callers(code: bytes, address: int) -> list[int]:
    return [at for at in _calls(code) if call_target(code, at) == address]


def _entries(code: bytes, near: range) -> set[int]:
    """Functions within a range: what is called there, and what constants point to."""
    called = {target for at in _calls(code) if (target := call_target(code, at)) is not None and target in near}
    words = numpy.frombuffer(code[: len(code) // 4 * 4], "<u4")
    pointed = words[(words & 1 == 1) & (words > near.start) & (words <= near.stop)] - 1
    return called | {int(word) for word in pointed}


def _calls(code: bytes) -> list[int]:
    """Every place that may be a ``bl``."""
    return [found.start() for found in _CALL.finditer(code) if found.start() % 2 == 0]


_CALL: Final = re.compile(rb"(?=.[\xf0-\xf7].[\xf8-\xff])", re.DOTALL)
