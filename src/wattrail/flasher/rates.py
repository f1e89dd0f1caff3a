"""The rate of the conversation: up as far as the line carries, down by itself where it does not.

A rate counts as carried when the chip has answered there, and a sector read there has the CRC the chip says it has.
"""

from __future__ import annotations

from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.bootrom.commands import CHECK_CRC, READ_4K, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.ranges import crc_range, wire_crc
from wattrail.errors import LinkError, PortError, PortLost, TargetError
from wattrail.flasher.dialogue import Dialogue
from wattrail.flasher.events import RateChanged
from wattrail.flasher.history import Stage
from wattrail.flasher.trace import Trace

__all__ = ["LADDER", "Rates"]

LADDER: Final = (460800, 921600, 1_500_000, 2_000_000)
"""Steps upwards; those in between bring little."""


class Rates:
    """The rates of one session. ``most`` is the highest that may be tried, in baud."""

    def __init__(self, dialogue: Dialogue, trace: Trace, most: int) -> None:
        self._dialogue = dialogue
        self._trace = trace
        self.most = most

    def climb(self, responder: Responder) -> bool:
        """Try the steps from the present rate upwards; False if the chip was lost on one of them."""
        steps = sorted({*LADDER, self.most})
        for rate in steps:
            if not self._dialogue.baud < rate <= self.most or rate in self._trace.failed_rates:
                continue
            before = self._dialogue.baud
            if self._try(rate, responder):
                continue
            self._trace.failed_rates.append(rate)
            self.most = before
            if not self._down(self._dialogue.baud, before):
                return False
            break
        if self._dialogue.baud > BAUD_AT_RESET or self._trace.failed_rates:
            self._trace.tell(RateChanged(self._dialogue.baud, self._why()))
        return True

    def _why(self) -> str:
        if self._trace.failed_rates:
            return f"{min(self._trace.failed_rates)} baud did not work"
        return "the fastest that may be tried, and the line carries it"

    def step_down(self) -> bool:
        """Go one step slower, because the line damages too much; False if the chip was lost on the way."""
        lower = max((step for step in (BAUD_AT_RESET, *LADDER) if step < self._dialogue.baud), default=None)
        if lower is None:
            return True
        self._trace.failed_rates.append(self._dialogue.baud)
        self.most = lower
        self._trace.new_rate()
        if not self._down(self._dialogue.baud, lower):
            return False
        self._trace.tell(RateChanged(lower, "too much was damaged at the faster one"))
        return True

    def _try(self, rate: int, responder: Responder) -> bool:
        before = self._dialogue.baud
        try:
            self._dialogue.set_host_rate(rate)  # an adapter that refuses it must do so before the chip has changed
            self._dialogue.set_host_rate(before)
        except PortLost:
            raise
        except PortError:
            return False
        try:
            if not (self._dialogue.change_rate(rate) or self._dialogue.answers()):
                return False
            self._trace.good(Stage.BAUD)
            return self._dialogue.answers(3) and self._carries(responder)
        except (LinkError, TargetError):
            return False

    def _carries(self, responder: Responder) -> bool:
        data = self._dialogue.ask(READ_4K, address=APP_START).data
        start, end = crc_range(APP_START, SECTOR, responder)
        return self._dialogue.ask(CHECK_CRC, length=SECTOR, start=start, end=end)["crc"] == wire_crc(data)

    def _down(self, fast: int, slow: int) -> bool:
        """Bring both to the slower rate, wherever of the two the chip is; whether it answers there.

        What it says at the fast one may be garbled and what it hears may not: so it is told there all the same.
        """
        for _ in range(2):
            self._dialogue.set_host_rate(fast)
            if self._dialogue.change_rate(slow) or self._dialogue.resync():
                return True
        return False
