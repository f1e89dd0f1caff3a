"""The rate of a session: up as far as the line carries, down by itself where it does not.

A rate counts as carried when the chip has answered there, and a sector read there has the CRC the chip says it has.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.commands import CHECK_CRC, READ_4K, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import crc_range, wire_crc
from wattrail.errors import LinkError, PortError, PortLost, TargetError
from wattrail.flasher.boot_client import BootClient
from wattrail.flasher.events import EventSink, Exchanged, RateChanged, RateFailed
from wattrail.flasher.session_statistics import Stage

__all__ = ["MAX_BAUD_BY_HAND", "MAX_BAUD_WIRED", "RateControl"]

LADDER: Final = (460800, 921600, 1_500_000, 2_000_000)
"""Rates tried upwards; those in between bring little."""

MAX_BAUD_BY_HAND: Final = 921600
"""Fastest rate tried by itself where only a person can reset the chip: almost every adapter and wire carries it."""

MAX_BAUD_WIRED: Final = 2_000_000
"""The same where a modem line resets it: a rate that fails costs a tenth of a second."""

RECENT: Final = 50
MAX_DAMAGED: Final = 3
"""Damaged exchanges among the recent ones, from which on the rate is too high for the line."""


class RateControl:
    """The rate of one session. ``max_baud`` is the highest that may be tried."""

    def __init__(self, client: BootClient, sink: EventSink, max_baud: int) -> None:
        self._client = client
        self._sink = sink
        self._max_baud = max_baud
        self._failed: list[int] = []
        self._recent: deque[bool] = deque(maxlen=RECENT)

    def count(self, *, good: bool) -> None:
        """An exchange was answered as it should be, or was damaged."""
        self._recent.append(good)

    @property
    def error_rate_high(self) -> bool:
        """Whether the line carries its present rate badly."""
        return self._recent.count(False) >= MAX_DAMAGED

    def climb(self, responder: Responder) -> bool:
        """Try the rates from the present one upwards; False if the chip was lost on one of them."""
        for rate in sorted({*LADDER, self._max_baud}):
            if not self._client.baud < rate <= self._max_baud or rate in self._failed:
                continue
            before = self._client.baud
            if self._try(rate, responder):
                continue
            self._fail(rate, before)
            if not self._down(self._client.baud, before):
                return False
            break
        if self._client.baud > BAUD_AT_RESET or self._failed:
            failed = f"{min(self._failed)} baud did not work" if self._failed else ""
            why = failed or "the highest rate allowed, and the link holds it"
            self._sink(RateChanged(self._client.baud, why))
        return True

    def step_down(self) -> bool:
        """Go one step slower, because the line damages too much; False if the chip was lost on the way."""
        lower = max((rate for rate in (BAUD_AT_RESET, *LADDER) if rate < self._client.baud), default=None)
        if lower is None:
            return True
        self._fail(self._client.baud, lower)
        self._recent.clear()  # damage at the old rate says nothing about the new one
        if not self._down(self._client.baud, lower):
            return False
        self._sink(RateChanged(lower, "too much was damaged at the faster one"))
        return True

    def _fail(self, rate: int, lower: int) -> None:
        self._failed.append(rate)
        self._max_baud = lower
        self._sink(RateFailed(rate))

    def _try(self, rate: int, responder: Responder) -> bool:
        before = self._client.baud
        try:
            self._client.set_host_rate(rate)  # an adapter that refuses it must do so before the chip has changed
            self._client.set_host_rate(before)
        except PortLost:
            raise
        except PortError:
            return False
        try:
            if not (self._client.change_rate(rate) or self._client.answers()):
                return False
            self.count(good=True)
            self._sink(Exchanged(Stage.BAUD))
            return self._client.answers(3) and self._carries(responder)
        except (LinkError, TargetError):
            return False

    def _carries(self, responder: Responder) -> bool:
        """Whether a sector arrives with its CRC: long bursts suffer where link checks do not."""
        data = self._client.request(READ_4K, address=APP_START).data
        start, end = crc_range(APP_START, SECTOR, responder)
        return self._client.request(CHECK_CRC, length=SECTOR, start=start, end=end)["crc"] == wire_crc(data)

    def _down(self, fast: int, slow: int) -> bool:
        """Bring both to the slower rate, wherever of the two the chip is; whether it answers there.

        At the fast rate its replies may be garbled, and what it gets may not: so the change is sent there all the same.
        """
        for _ in range(2):
            self._client.set_host_rate(fast)
            if self._client.change_rate(slow) or self._client.resync():
                return True
        return False
