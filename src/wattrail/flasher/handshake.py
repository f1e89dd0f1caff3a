"""The handshake and the rate: how a link is made, and how fast it then runs.

Link check after link check is sent until a person, or a wired line, resets the chip while they arrive. All the while it
listens, and what it hears becomes the next line of advice. Bytes that make no sense are listened to at other rates for
a moment: a log, a second device, a chip that an earlier program left at its own rate.

Then the rate goes up as far as the line carries, and down by itself where it does not. A rate counts as carried when
the chip has answered there, and a sector read there has the CRC the chip says it has.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from wattrail.bk7231 import APP_START
from wattrail.bootrom.commands import APP_RESET, CHECK_CRC, LINK_CHECK, READ_4K, READ_REG, WRITE_REG, Responder
from wattrail.bootrom.constants import BAUD_AT_RESET, EFUSE_CONTROL
from wattrail.bootrom.events import Answered
from wattrail.bootrom.geometry import SECTOR
from wattrail.bootrom.link import BootLink
from wattrail.bootrom.requests import crc_range, wire_crc
from wattrail.clock import Deadline
from wattrail.diagnosis import Loss, Stage
from wattrail.errors import LinkError, PortError, PortLost, PortTimeout, TargetError
from wattrail.flasher.boot_client import BootClient
from wattrail.flasher.events import (
    EventSink,
    Exchanged,
    Fact,
    Heard,
    LinkCheckSent,
    Linked,
    Lost,
    RateChanged,
    RateFailed,
    SessionState,
)
from wattrail.line_classifier import LISTEN_RATES, LineReport, TrafficKind, classify
from wattrail.transport import Port

__all__ = ["MAX_BAUD_BY_HAND", "MAX_BAUD_WIRED", "AutoReset", "Handshake", "RateControl", "ResetMark"]

LINK_CHECK_EVERY_S: Final = 0.008
"""Between two link checks: the boot ROM listens for some 200 ms, the bootloader for tens of them."""

ROUND_S: Final = 0.5
"""Link checks between two checks at what was heard; after a pulse of the reset line longer than any window."""

LEFT_AT: Final = (921600, 2_000_000, 1_500_000, 460800)
"""Rates at which earlier programs leave a chip in download mode. Source: bk-boot/hosts."""

LISTEN_S: Final = 0.3
LISTEN_SLOW_S: Final = 1.1
"""A second device speaks about once a second, and slowly."""

LISTEN_EVERY: Final = 12
"""Rounds between two turns of listening elsewhere: meanwhile a reset would be missed."""

CLEAR_TRAFFIC: Final = (TrafficKind.TUYA_MCU, TrafficKind.BL0942, TrafficKind.TEXT, TrafficKind.LINK)
"""Traffic that says who is there; once it is heard, listening ends."""

REBOOT: Final = b"reboot\r\n"
"""What OpenBeken's command line understands. Source: bk-boot/hosts."""

HOLD_S: Final = 0.1
"""How long CEN is held low; hosts hold it 50 to 250 ms. Source: bk-boot/hosts."""


class AutoReset:
    """RTS or DTR, wired to CEN. Set, the line is low and the chip in reset; some modules invert it."""

    def __init__(self, line: Literal["rts", "dtr"]) -> None:
        self._line = line

    def pulse(self, port: Port, *, inverted: bool = False) -> None:
        """Reset the chip and let it go. Raises PortError where the carrier has no such line."""
        # A line that is set pulls the adapter's pin low, and CEN is active low. Source: bk-boot/link.
        port.set_lines(**{self._line: not inverted})
        port.clock.sleep(HOLD_S)
        port.drain()
        port.set_lines(**{self._line: inverted})


class Handshake:
    """Makes the link over one client, once or again. ``reset`` None: a person resets the chip."""

    def __init__(self, client: BootClient, reset: AutoReset | None, state: SessionState) -> None:
        self._client = client
        self._reset = reset
        self._state = state
        self._link = BootLink()

    def link(self, patience_s: float) -> None:
        """Send link checks until the chip answers. Raises LinkFailed with a diagnosis, PortLost."""
        port = self._client.port
        clock = port.clock
        began, end = clock.monotonic(), Deadline.after(patience_s, clock)
        self._state.record(Fact.LINK_SOUGHT)
        _release_lines(port)
        turn = 0
        while not self._found_elsewhere(turn):
            self._client.set_host_rate(BAUD_AT_RESET)
            self._provoke(turn)
            if self._answers_within(ROUND_S):
                break
            self._state.record(Fact.STILL_SILENT)
            if end.passed:
                raise self._state.link_failed(f"no link after {patience_s:g} s")
            turn += 1
        self._state.record(Linked(self._client.baud, clock.monotonic() - began))

    # ---- one round

    def _provoke(self, turn: int) -> None:
        """Do what resets a chip without a person: the wired line, and what some firmware listens to."""
        port = self._client.port
        if self._reset is not None:
            self._state.record(Fact.LINE_RESET)
            # Every other pulse is inverted, for modules that invert the line.
            self._reset.pulse(port, inverted=bool(turn % 2))
        # Text for OpenBeken, a frame for Beken's own firmware; LibreTiny restarts at the link checks themselves.
        # Source: bk-boot/hosts.
        elif turn % 2:
            port.write(REBOOT + BootLink().request(APP_RESET))

    def _answers_within(self, seconds: float) -> bool:
        """Link checks for that long; whether the chip answers them, and goes on answering."""
        end = Deadline.after(seconds, self._client.port.clock)
        while not end.passed:
            if self._send_link_check() and self._confirmed():
                return True
        return False

    def _send_link_check(self) -> bool:
        port = self._client.port
        # Over and over, from before the reset on: a loader that hears nothing is gone after tens of milliseconds, and
        # one that hears any byte stays 0.8 s. Source: bk-boot/loader-1.
        request = self._link.request(LINK_CHECK)
        port.write(request)
        self._state.record(LinkCheckSent(request))
        slot = Deadline.after(LINK_CHECK_EVERY_S, port.clock)
        while True:
            try:
                heard = port.read(slot)
            except PortTimeout:
                return False
            self._state.record(Heard(heard, self._client.baud))
            self._link.receive(heard)
            if isinstance(self._link.next_event(), Answered):
                return True

    def _confirmed(self) -> bool:
        """One answer may be the last before the supply gives way: two more are wanted."""
        # Replies to earlier link checks are still under way. One of them in front of the next reply was what other
        # flashers fail at (hid_download_py #3 and #4). Source: bk-boot/hosts.
        self._state.record(Heard(self._client.drain_until_quiet(), self._client.baud))
        if self._client.answers(2):
            return True
        self._state.record(Lost(Loss(Stage.LINK, self._client.baud, None)))
        if self._state.give_up:
            raise self._state.link_failed("the chip answers, and is gone again")
        return False

    # ---- elsewhere

    def _found_elsewhere(self, turn: int) -> bool:
        """Look at other rates: first for a chip left there, later for whoever makes the noise."""
        if turn == 0 and self._state.links == 0:
            return self._was_left_at_a_rate()
        if turn % LISTEN_EVERY == 2 and self._hears_noise():
            for rate in LISTEN_RATES:
                if self._listen_at(rate.baud).kind in CLEAR_TRAFFIC:
                    break
        return False

    def _was_left_at_a_rate(self) -> bool:
        """A chip that an earlier program left in download mode needs no reset."""
        # The rate stays until a reset: a flasher that links again without one, and at 115200, hears nothing.
        # Source: bk-boot/link.
        for rate in (BAUD_AT_RESET, *LEFT_AT):
            if not _host_takes(self._client, rate):
                continue
            if self._client.answers(2) or self._client.answers(2):
                self._client.drain_until_quiet()
                return True
        return False

    def _hears_noise(self) -> bool:
        noise = (TrafficKind.GARBAGE, TrafficKind.BREAK)
        return any(report.kind in noise for report in self._state.statistics().line_reports)

    def _listen_at(self, rate: int) -> LineReport:
        if not _host_takes(self._client, rate):
            return classify(b"", rate)
        heard = self._client.listen(LISTEN_SLOW_S if rate < BAUD_AT_RESET else LISTEN_S)
        self._state.record(Heard(heard, rate))
        return classify(heard, rate)


class ResetMark:
    """A mark in the chip that a restart wipes out: how a loss of power shows where the rate cannot tell. Boot ROM only.

    At a higher rate a restarted chip gives itself away: it answers at 115200 alone. A link that never left 115200 looks
    the same before and after. So the address field of the eFuse controller, which means nothing without its go bit, is
    set to a value that no read of the code key leaves there. That a restart clears it is a guess: every other register
    of the chip it is known to.
    """

    _MARK: Final = 0x1F << 8

    def __init__(self, client: BootClient) -> None:
        self._client = client
        self._left = False

    def leave(self) -> None:
        """Leave it; a chip that does not keep it goes without."""
        try:
            self._client.request(WRITE_REG, address=EFUSE_CONTROL, value=self._MARK)
            self._left = self._read() == self._MARK
        except (LinkError, TargetError):
            self._left = False

    def is_gone(self) -> bool:
        """Whether it was left and is not there any more, read twice."""
        if not self._left:
            return False
        try:
            return self._read() != self._MARK and self._read() != self._MARK
        except (LinkError, TargetError):
            return False

    def _read(self) -> int:
        return self._client.request(READ_REG, address=EFUSE_CONTROL)["value"]


def _host_takes(client: BootClient, rate: int) -> bool:
    """Go to a rate with the host alone; False where the adapter has no such rate. Raises PortLost."""
    try:
        client.set_host_rate(rate)
    except PortLost:
        raise
    except PortError:
        return False
    return True


def _release_lines(port: Port) -> None:
    """Let both modem lines go: an adapter that holds one may hold the chip in reset."""
    try:
        # A CP210x has held them set, and with them the chip in reset (bk7231tools #16). Source: bk-boot/adapters.
        port.set_lines(dtr=False, rts=False)
    except PortLost:
        raise
    except PortError:
        return  # a carrier without such lines holds nothing


# ---- the rate

# Real rates are 26 MHz over a whole number: 2 000 000 is exact, 1 500 000 comes out 2 % high, 3 000 000 3.7 % low and
# is not tried. Source: bk-boot/loader-1.
LADDER: Final = (460800, 921600, 1_500_000, 2_000_000)
"""Rates tried upwards; those in between bring little."""

# Not every one: a CP2102 was seen to fail at it (OpenBK7231T_App #579). Source: bk-boot/adapters.
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
        # A rate that failed is not tried again in this session: without a wire to CEN each attempt may cost a reset by
        # hand. ADR 20.
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
        # An adapter that refuses the rate must do so before the chip has changed.
        if not (_host_takes(self._client, rate) and _host_takes(self._client, before)):
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
