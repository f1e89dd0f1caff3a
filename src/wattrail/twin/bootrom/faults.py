"""What can go wrong between a chip in download mode and its host, as calls.

A fault on a reply or a request acts on the next one only; a fault with an on and off stays. A request is what the host
hands over in one write. Chance is seeded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from wattrail.twin.line_faults import LineFaults, flipped, without

__all__ = ["BootFaults"]


class _FaultyChip(Protocol):
    """What the faults act on besides bytes."""

    def power(self, on: bool) -> None: ...
    def receive_foreign(self, data: bytes, *, baud: int) -> None: ...


class BootFaults(LineFaults):
    """All faults of one twin. ``silence`` cuts the chip's sending wire only: the chip still obeys."""

    def __init__(self, twin: _FaultyChip, seed: int) -> None:
        super().__init__(seed)
        self._twin = twin
        self._requests: deque[Callable[[bytes], bytes]] = deque()
        self._cuts: dict[str, tuple[int, bool]] = {}
        self._failure: int | None = None

    # ---- the next command

    def fail(self, code: int = 0xEE) -> None:
        """Answer the next command with "system error" and do nothing."""
        self._failure = code

    # ---- the next request

    def flip_request_bit(self, byte: int, bit: int = 0) -> None:
        """Invert one bit of the next request."""
        self._requests.append(lambda data: flipped(data, byte, bit))

    def drop_request_byte(self, byte: int) -> None:
        """Lose one byte of the next request."""
        self._requests.append(lambda data: without(data, byte))

    # ---- once, now or soon

    def cut_power(self) -> None:
        """The supply fails, until ``twin.power(True)``."""
        self._twin.power(False)

    def brown_out(self) -> None:
        """The supply drops and comes back: a reset in the middle of whatever the chip was doing."""
        self._twin.power(False)
        self._twin.power(True)

    def power_fails_in(self, kind: Literal["page", "erase"], count: int = 1, *, returns: bool = True) -> None:
        """The supply drops half-way through the ``count``-th page or erase from now."""
        if count < 1:
            raise ValueError(f"count {count} is below 1, the next one")
        self._cuts[kind] = (count, returns)

    def second_talker(self, data: bytes = bytes.fromhex("55 AA 00 00 00 00 FF"), *, baud: int = 9600) -> None:
        """Another device sends on the chip's receiving wire (a TuyaMCU's heartbeat, if nothing is given)."""
        self._twin.receive_foreign(data, baud=baud)

    # ---- for the engine and the ports

    def request(self, data: bytes) -> bytes:
        """The request as it arrives at the chip."""
        if self._requests:
            data = self._requests.popleft()(data)
        return super().request(data)

    def unasked(self, data: bytes) -> bytes:
        """Bytes that the application sends unasked, as they arrive at the host: faults on replies spare them."""
        return b"" if self._silent else self._noisy(data)

    def failure(self) -> int | None:
        """The code of the "system error" that answers the next command, if one is set."""
        code, self._failure = self._failure, None
        return code

    def power_failure(self, kind: str) -> bool | None:
        """Whether the power fails in this step: None if not, else whether it returns."""
        if kind not in self._cuts:
            return None
        count, returns = self._cuts.pop(kind)
        if count > 1:
            self._cuts[kind] = (count - 1, returns)
            return None
        return returns
