"""Why a chip does not answer: ask at every rate and address, classify what arrives meanwhile, say what it means.

Only register reads are sent; nothing in the chip changes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from wattrail.chips.bl0942.constants import BAUD_RATES
from wattrail.chips.bl0942.registers import FREQ_CYC, GAIN_CR, MODE, OT_FUNX, WA_CREEP
from wattrail.chips.bl0942.spi import SPI_MODE, bits_late
from wattrail.chips.bl0942.uart import UartLink
from wattrail.clock import Deadline
from wattrail.errors import ChecksumError, LinkError, NoAnswer, PortError, PortTimeout, WattrailError
from wattrail.line_classifier import HEARD_LIMIT, LineReport, TrafficKind, classify, clearest
from wattrail.meter.answer_time import AnswerTime, bounds_of
from wattrail.meter.dialogue import Dialogue, SpiDialogue, UartDialogue
from wattrail.meter.statistics import Statistics
from wattrail.transport import Port

__all__ = ["explain_silence"]

_SPI_SILENCE: Final = (
    "nothing drives the chip's SDO line. In order of likelihood: the chip has no 3.3 V; SEL is open or low, so the "
    "chip speaks UART and not SPI (tie SEL to VDD to speak SPI); SDI and SDO are swapped; SCLK is not connected"
)
_UART_SILENCE: Final = (
    "nothing answers at any rate or address, and nothing else is heard. In order of likelihood: the chip has no 3.3 V; "
    "grounds are not joined; RX and TX are swapped; SEL is tied to VDD, so the chip speaks SPI and not UART (leave SEL "
    "open to speak UART)"
)
_RATE_CANNOT_CHANGE: Final = (
    "the rate of this port cannot be changed from here; the chip speaks 4800 baud, or 9600 if its SCLK_BPS pin is "
    "high. If the rate is right: no 3.3 V, grounds not joined, RX and TX swapped, or SEL tied to VDD (then the chip "
    "speaks SPI)"
)
_WRONG_MODE: Final = (
    f"set the SPI master to mode {SPI_MODE}: clock low at rest (CPOL 0), bits taken on its falling edge (CPHA 1), most "
    "significant bit first; if it is, an inverter in the clock line or a clock that is too fast does the same"
)

LISTEN_S: Final = 1.2
"""Listening at another rate where something is heard: a module or a microcontroller speaks about once a second."""

_LOG_BAUD: Final = 115200
_USUAL_BAUD: Final = BAUD_RATES[0]
_PROBED: Final = (MODE, GAIN_CR, FREQ_CYC, OT_FUNX, WA_CREEP)
"""Registers with different answers, so that an answer that fits by chance once in 128 does not fit each time."""

_OTHERS: Final = {
    TrafficKind.LINK: (
        "this is UART1 of a BK7231 in download mode",
        "restart the module, and move the wires to the RX and TX of the metering chip",
    ),
    TrafficKind.HALF_ANSWER: (
        "this is UART1 of a BK7231 in download mode",
        "restart the module, and move the wires to the RX and TX of the metering chip",
    ),
    TrafficKind.TUYA_MCU: (
        "a module and a microcontroller talk on this line",
        "move the wires to the RX and TX of the metering chip itself, if the board has a BL0942",
    ),
    TrafficKind.CSE7766: (
        "another metering chip talks on this line",
        "this meter has no BL0942 here; its own firmware (OpenBeken: startDriver CSE7766) can read it",
    ),
    TrafficKind.TEXT: (
        "this is the log of a module",
        "move the wires from the module's log UART to the RX and TX of the metering chip",
    ),
    TrafficKind.BL0942: (
        "somebody else asks this chip",
        "hold the module in reset (CEN to ground), or stop the other program: only one may ask",
    ),
}
"""What talks on the line instead of answering us, and what to do."""

_NOISE: Final = {
    TrafficKind.ECHO: (
        "only our own requests come back, as an echo",
        "take the wires off the meter. If the echo stays, the adapter or bridge makes it: switch its local echo off; "
        "else look for a bridge between TX and RX. Then check that the chip has 3.3 V, for it does not answer either",
    ),
    TrafficKind.BREAK: (
        "only zeros come: the line stays low",
        "check that the chip has 3.3 V and that its TX does not touch ground: a chip with power holds TX high; then "
        "that the grounds are joined",
    ),
    TrafficKind.GARBAGE: (
        "something talks on this line and makes no sense at any rate tried",
        "join the grounds; then check that the wires are on the RX and TX of the BL0942 and that nothing else is",
    ),
}


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a chip answered; ``baud`` is None at the rate the port was opened with; ``late_s`` if it took too long."""

    baud: int | None
    address: int
    late_s: float | None = None


def explain_silence(dialogue: Dialogue, error: WattrailError) -> WattrailError:
    """The same failure with its cause, as far as asking around and listening can find it. Raises PortError."""
    if isinstance(dialogue, SpiDialogue):
        return _explain_spi(dialogue, error)
    if not isinstance(dialogue, UartDialogue):
        return error
    survey = _Survey(dialogue.carrier, dialogue.address)
    refused: PortError | None = None
    try:
        found = survey.run()
    except PortTimeout:
        raise
    except PortError as cannot_change:
        found, refused = None, cannot_change
    if (heard := survey.heard) and heard.kind in _OTHERS:
        return _told(error, heard, *_OTHERS[heard.kind])
    if found is not None:
        return NoAnswer(str(error), hint=_where_it_answers(dialogue, found))
    if heard is not None:
        return _told(error, heard, *_NOISE[heard.kind])
    if not isinstance(error, LinkError):
        return error
    hint = _UART_SILENCE if refused is None else f"{_RATE_CANNOT_CHANGE} ({refused})"
    return NoAnswer(str(error), hint=hint)


def _told(error: WattrailError, heard: LineReport, what: str, remedy: str) -> NoAnswer:
    return NoAnswer(f"{error}; {what}: {heard.words}", got=heard.shown, hint=remedy)


class _Survey:
    """Asks one port at every documented rate and address, and remembers what arrived at each rate."""

    def __init__(self, port: Port, address: int) -> None:
        self._port = port
        self._bounds = bounds_of(port.url)
        self._addresses = (address, *(other for other in range(4) if other != address))
        self._requests = tuple(UartLink(address).read_register(MODE) for address in range(4))
        self._taken = bytearray()
        self._reports: list[LineReport] = []

    @property
    def heard(self) -> LineReport | None:
        """The clearest of what was heard, None of silence."""
        return clearest(report for report in self._reports if report.kind is not TrafficKind.SILENCE)

    def run(self) -> _Found | None:
        """Where the chip answers, None if nowhere or where others talk. Raises PortError if the rate cannot change."""
        self._listen(self._bounds.noticed_s)  # what is still under way to us answers none of what is asked now
        for baud in (None, *BAUD_RATES):
            if baud is not None:
                self._port.set_baud(baud)
                if self.heard is not None:
                    self._listen(LISTEN_S)
            found = next((at for address in self._addresses if (at := self._ask(baud, address))), None)
            self._report(baud or _baud_in(self._port.url))
            if found is not None or self._others_talk:
                return found
        if self.heard is not None:  # a log at its own rate is noise at all of the chip's
            self._port.set_baud(_LOG_BAUD)
            self._listen(LISTEN_S)
            self._report(_LOG_BAUD)
        return None

    @property
    def _others_talk(self) -> bool:
        return self.heard is not None and self.heard.kind in _OTHERS

    def _listen(self, seconds: float) -> None:
        end = Deadline.after(seconds, self._port.clock)
        with suppress(PortTimeout):
            while not end.passed:
                self._take(self._port.read(end))

    def _take(self, data: bytes) -> None:
        self._taken += data[: HEARD_LIMIT - len(self._taken)]

    def _report(self, baud: int) -> None:
        self._reports.append(classify(bytes(self._taken), baud, sent=self._requests))
        self._taken.clear()

    def _ask(self, baud: int | None, address: int) -> _Found | None:
        """Whether the chip answers there; the first time it is given the longest time there is."""
        bounds = self._bounds
        first = baud is None and address == self._addresses[0]
        time = AnswerTime(replace(bounds, longest_s=bounds.noticed_s), patient=first)
        probe = UartDialogue(self._port, Statistics(), address=address, tries=1, time=time, taken=self._take)
        clock = self._port.clock
        try:
            probe.recover()
            asked_at = clock.monotonic()
            probe.ask(MODE)
        except LinkError:
            return None
        took_s = clock.monotonic() - asked_at
        return _Found(baud, address, took_s if took_s > bounds.longest_s else None)


def _where_it_answers(dialogue: UartDialogue, found: _Found) -> str:
    parts = []
    if found.baud is not None:
        parts.append(f"the chip answers at {found.baud} baud: open {_with_baud(dialogue.carrier.url, found.baud)}")
    if found.address != dialogue.address:
        parts.append(f"the chip has address {found.address}: use --address {found.address}")
    if found.late_s is not None:
        parts.append(f"its answers are whole and late, by {found.late_s:.2f} s: look for what delays them on the way")
    return "; ".join(parts) or "the chip answers now; the line is unreliable, check the wiring and the supply"


def _baud_in(url: str) -> int:
    """The rate that a URL names, the chip's usual one where it names none."""
    found = re.search(r"baud=(\d+)", url)
    return int(found[1]) if found else _USUAL_BAUD


def _with_baud(url: str, baud: int) -> str:
    right, found = re.subn(r"baud=\d+", f"baud={baud}", url)
    return right if found else f"{url}{'&' if '?' in url else '?'}baud={baud}"


# ---- SPI


def _explain_spi(dialogue: SpiDialogue, error: WattrailError) -> WattrailError:
    late = {bits_late(register, dialogue.raw(register)) for register in _PROBED}
    if late in ({1}, {-1}):
        where = "late" if late == {1} else "early"
        return ChecksumError(
            f"{error}; every answer is whole and one bit {where}: the SPI mode, the phase of the clock, is wrong",
            hint=_WRONG_MODE,
        )
    return NoAnswer(str(error), hint=_SPI_SILENCE) if isinstance(error, NoAnswer) else error
