"""Ethernet frames in and out of the firmware's own network stack: there is no radio, and nothing is modulated.

What the stack gives to the Wi-Fi driver is taken at the entry of that function; what arrives is put into a buffer that
the firmware allocates, and handed to its input function, from its idle task. Station association is not simulated: the
firmware's own access point has an interface as soon as it is started, and a firmware that is to believe that it has
joined a network is made to by ``claim_joined``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy

from wattrail.errors import WattrailError
from wattrail.image.layout import LAYOUTS
from wattrail.twin.cbu.guest_calls import SCRATCH
from wattrail.twin.cbu.machine import Cbu

__all__ = ["FramePort", "NetworkFunctions", "NoNetwork", "call_target", "find_network_functions"]

_POINTER: Final = SCRATCH + 0x10
"""Where the allocated buffer's address is put."""

_NEXT, _PAYLOAD, _LENGTHS = 0, 4, 8
_MAX_CHAIN: Final = 16
_MAX_WAITING: Final = 64
_INTERFACE: Final = 0
_OK: Final = 0

_JOINED_TEXT: Final = b"%s - WIFI_STA_CONNECTED - %i"
_STA_CONNECTED: Final = 4
"""The text that OpenBeken writes where it notes that it has joined, and the number of that event in its own list.

Source: openbeken/hal_wifi."""


class NoNetwork(WattrailError):
    """The functions of the firmware's network stack were not found in it."""


class FramePort:
    """Give ``listen`` what shall hear the frames that are sent; ``deliver`` sends one to the firmware.

    Raises NoNetwork where the firmware's functions are not found.
    """

    def __init__(self, machine: Cbu) -> None:
        self._machine = machine
        self._functions = _functions_in(machine.code.whole())
        self._watched = machine.cpu.watch(self._functions.output, self._sent, jumps=True)
        self._listeners: list[Callable[[bytes], None]] = []
        self._waiting: deque[bytes] = deque()
        self._is_busy = False
        self._is_other_code = False
        self._app = LAYOUTS[machine.chip.chip]["app"]
        self.dropped = 0
        machine.on_reset.append(self._restarted)
        machine.on_flash.append(self._flash_changed)

    def listen(self, call: Callable[[bytes], None]) -> None:
        """Be called with every frame that the firmware sends."""
        self._listeners.append(call)

    def deliver(self, frame: bytes) -> None:
        """Let a frame arrive as soon as the firmware is idle; too many at once are lost, as on the air."""
        if self._is_other_code and not self._found_again():
            self.dropped += 1
            return
        if len(self._waiting) >= _MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(frame)
        self._next()

    def claim_joined(self) -> None:
        """Make OpenBeken believe that it has joined a network. Raises NoNetwork for another firmware."""
        joined = find_user_of_text(self._machine.code.whole(), _JOINED_TEXT)
        if joined is None:
            raise NoNetwork("only OpenBeken can be made to believe that it has joined a network, and this is none")
        self._machine.guest.call(joined, _STA_CONNECTED)

    # ---- another start, another firmware

    def _restarted(self) -> None:
        """What was on its way into the firmware is gone with it."""
        self._waiting.clear()
        self._is_busy = False

    def _flash_changed(self, physical: int, _length: int) -> None:
        self._is_other_code |= self._app.start <= physical < self._app.end

    def _found_again(self) -> bool:
        """After an update the functions are elsewhere; while one is installed they are nowhere."""
        try:
            self._functions = _functions_in(self._machine.code.whole())
        except NoNetwork:
            return False
        self._machine.cpu.unwatch(self._watched)
        self._watched = self._machine.cpu.watch(self._functions.output, self._sent, jumps=True)
        self._is_other_code = False
        return True

    # ---- out

    def _sent(self) -> None:
        """At the entry of the driver's function: take the frame, and return to its caller as if it had been sent."""
        cpu = self._machine.cpu
        # At the entry, for the function refuses a frame where the radio has made no interface (read in its code).
        frame = self._frame_at(cpu.register(1))
        for call in self._listeners:
            call(frame)
        cpu.set_register(0, _OK)
        cpu.pc = cpu.lr

    def _frame_at(self, pbuf: int) -> bytes:
        parts = []
        for _ in range(_MAX_CHAIN):
            payload, lengths = self._word(pbuf + _PAYLOAD), self._word(pbuf + _LENGTHS)
            total, length = lengths & 0xFFFF, lengths >> 16
            parts.append(self._machine.cpu.read_memory(payload, length))
            pbuf = self._word(pbuf + _NEXT)
            if not pbuf or length >= total:
                break
        return b"".join(parts)

    def _word(self, address: int) -> int:
        return int.from_bytes(self._machine.cpu.read_memory(address, 4), "little")

    # ---- in

    def _next(self) -> None:
        if self._is_busy or not self._waiting:
            return
        self._is_busy = True
        frame = self._waiting.popleft()
        self._machine.cpu.write_memory(_POINTER, bytes(4))
        self._machine.guest.call(
            self._functions.allocate, _POINTER, len(frame), done=lambda _result: self._allocated(frame)
        )

    def _allocated(self, frame: bytes) -> None:
        pbuf = self._word(_POINTER)
        if not pbuf:  # the firmware has no memory left: the frame is lost
            self.dropped += 1
            self._done(0)
            return
        self._machine.cpu.write_memory(self._word(pbuf + _PAYLOAD), frame)
        self._machine.guest.call(self._functions.receive, _INTERFACE, pbuf, done=self._done)

    def _done(self, _result: int) -> None:
        self._is_busy = False
        self._next()


def _functions_in(code: bytes) -> NetworkFunctions:
    functions = find_network_functions(code)
    if functions is None:
        raise NoNetwork(
            "this firmware's network stack is not recognised: it runs without a network",
            hint="known are OpenBeken for BK7231N, T and M, and stock firmware of BK7231N",
        )
    return functions


# ---- where a firmware without symbols has the functions that are called or watched: by the bytes of their code
#
# The patterns were found once in each of 16 stock images of BK7231N and in OpenBeken N, M and T. A firmware in which
# one is not found, or found twice, has no network here, and that is said: a call into the wrong place would look like
# a fault of the firmware.

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
