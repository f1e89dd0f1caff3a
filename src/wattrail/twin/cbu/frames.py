"""Ethernet frames in and out of the firmware's own network stack: there is no radio, and nothing is modulated.

What the stack gives to the Wi-Fi driver is taken at the entry of that function; what arrives is put into a buffer that
the firmware allocates, and handed to its input function, from its idle task. Station association is not simulated: the
firmware's own access point has an interface as soon as it is started, and a firmware that is to believe that it has
joined a network is made to by ``claim_joined``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from wattrail.errors import WattrailError
from wattrail.image.layout import LAYOUTS
from wattrail.twin.cbu.guest_calls import SCRATCH
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.signatures import NetworkFunctions, find_network_functions, find_user_of_text

__all__ = ["FramePort", "NoNetwork"]

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
