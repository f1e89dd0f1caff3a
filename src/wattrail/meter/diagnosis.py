"""Why a chip does not answer: ask at every rate and address, classify what arrives meanwhile, say what it means.

Only register reads are sent; nothing in the chip changes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from wattrail.chips.belling import Heads
from wattrail.chips.protocol import MeteringChip
from wattrail.chips.spi import SPI_MODE, bits_late
from wattrail.chips.uart import UartLink
from wattrail.clock import Deadline
from wattrail.errors import ChecksumError, LinkError, NoAnswer, PortError, PortTimeout, WattrailError
from wattrail.line_classifier import HEARD_LIMIT, LineReport, TrafficKind, classify, clearest
from wattrail.meter.answer_time import AnswerTime, bounds_of
from wattrail.meter.chip_client import ChipClient, SpiClient, Statistics, UartClient
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
    "the rate of this port cannot be changed from here; the chip speaks {rates}. If the rate is right: no 3.3 V, "
    "grounds not joined, RX and TX swapped, or SEL tied to VDD (then the chip speaks SPI)"
)
_WRONG_MODE: Final = (
    f"set the SPI master to mode {SPI_MODE}: clock low at rest (CPOL 0), bits taken on its falling edge (CPHA 1), most "
    "significant bit first; if it is, an inverter in the clock line or a clock that is too fast does the same"
)

LISTEN_S: Final = 1.2
"""Listening at another rate where something is heard: a module or a microcontroller speaks about once a second."""

_LOG_BAUD: Final = 115200
_USUAL_BAUD: Final = 4800

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
        "move the wires to the RX and TX of the metering chip itself, if the board has a {chip}",
    ),
    TrafficKind.CSE7766: (
        "another metering chip talks on this line",
        "this meter has no {chip} here; its own firmware (OpenBeken: startDriver CSE7766) can read it",
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
        "join the grounds; then check that the wires are on the RX and TX of the {chip} and that nothing else is",
    ),
}


@dataclass(frozen=True, slots=True)
class _ChipFound:
    """Where a chip answered; ``baud`` is None at the rate the port was opened with; ``late_s`` if it took too long."""

    baud: int | None
    heads: Heads
    late_s: float | None = None


def explain_silence(client: ChipClient, error: WattrailError) -> WattrailError:
    """The same failure with its cause, as far as asking around and listening can find it. Raises PortError."""
    if isinstance(client, SpiClient):
        return _explain_spi(client, error)
    if not isinstance(client, UartClient):
        return error
    survey = _Survey(client.carrier, client.chip, client.heads)
    refused: PortError | None = None
    try:
        found = survey.run()
    # Before its base class: a write that does not leave says nothing of the rate.
    except PortTimeout:
        raise
    except PortError as cannot_change:
        found, refused = None, cannot_change
    if (heard := survey.heard) and heard.kind in _OTHERS:
        return _named(error, heard, client.chip, *_OTHERS[heard.kind])
    if found is not None:
        return NoAnswer(str(error), hint=_where_it_answers(client, found))
    if heard is not None:
        return _named(error, heard, client.chip, *_NOISE[heard.kind])
    if not isinstance(error, LinkError):
        return error
    rates = client.grammar.rates
    hint = _UART_SILENCE if refused is None else f"{_RATE_CANNOT_CHANGE.format(rates=rates)} ({refused})"
    return NoAnswer(str(error), hint=hint)


def _named(error: WattrailError, heard: LineReport, chip: MeteringChip, what: str, remedy: str) -> NoAnswer:
    return NoAnswer(f"{error}; {what}: {heard.words}", got=heard.shown, hint=remedy.format(chip=chip.title))


class _Survey:
    """Asks one port at every documented rate and through all heads, and remembers what arrived at each rate."""

    def __init__(self, port: Port, chip: MeteringChip, heads: Heads) -> None:
        assert chip.uart is not None, "only a chip with a UART is asked over one"
        self._port, self._chip, self._grammar = port, chip, chip.uart
        self._bounds = bounds_of(port.url)
        self._heads = (heads, *(other for other in chip.uart.heads if other != heads))
        self._requests = tuple(UartLink(chip.uart, each).read_register(chip.probed[0]) for each in chip.uart.heads)
        self._received = bytearray()
        self._reports: list[LineReport] = []

    @property
    def heard(self) -> LineReport | None:
        """The clearest of what was heard, None of silence."""
        return clearest(report for report in self._reports if report.kind is not TrafficKind.SILENCE)

    def run(self) -> _ChipFound | None:
        """Where the chip answers, None if nowhere or where others talk. Raises PortError if the rate cannot change."""
        self._listen(self._bounds.noticed_s)  # what is still under way to us answers none of what is asked now
        # First as the port was opened: usually the rate is right, and the trouble elsewhere.
        for baud in (None, *self._grammar.baud_rates):
            if baud is not None:
                self._port.set_baud(baud)
                if self.heard is not None:
                    self._listen(LISTEN_S)
            found = next((at for heads in self._heads if (at := self._probe(baud, heads))), None)
            self._report(baud or _baud_in(self._port.url))
            # Where others talk, requests at further rates would only disturb them.
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
                self._receive(self._port.read(end))

    def _receive(self, data: bytes) -> None:
        # Enough to be classified; a log that never ends must not fill the memory.
        self._received += data[: HEARD_LIMIT - len(self._received)]

    def _report(self, baud: int) -> None:
        self._reports.append(classify(bytes(self._received), baud, sent=self._requests))
        self._received.clear()

    def _probe(self, baud: int | None, heads: Heads) -> _ChipFound | None:
        """Whether the chip answers there; the first time it is given the longest time there is."""
        bounds = self._bounds
        first = baud is None and heads == self._heads[0]
        time = AnswerTime(replace(bounds, longest_s=bounds.noticed_s), patient=first)
        probe = UartClient(
            self._port, self._chip, Statistics(), heads=(heads,), tries=1, time=time, received=self._receive
        )
        clock = self._port.clock
        try:
            probe.recover()
            asked_at = clock.monotonic()
            probe.read_register(self._chip.probed[0])
        except LinkError:
            return None
        took_s = clock.monotonic() - asked_at
        return _ChipFound(baud, heads, took_s if took_s > bounds.longest_s else None)


def _where_it_answers(client: UartClient, found: _ChipFound) -> str:
    parts = []
    if found.baud is not None:
        parts.append(f"the chip answers at {found.baud} baud: open {_with_baud(client.carrier.url, found.baud)}")
    if found.heads != client.heads and client.grammar.is_addressed:
        address = client.grammar.heads.index(found.heads)
        parts.append(f"the chip has address {address}: use address={address}")
    elif found.heads != client.heads:
        parts.append(
            f"the chip answers to heads {found.heads.read:02X} and {found.heads.write:02X}: open it with "
            f"heads={found.heads.read:02X}"
        )
    if found.late_s is not None:
        parts.append(f"its answers are whole and late, by {found.late_s:.2f} s: look for what delays them on the way")
    return "; ".join(parts) or "the chip answers now; the line is unreliable, check the wiring and the supply"


def _baud_in(url: str) -> int:
    """The rate that a URL names, the usual one where it names none."""
    found = re.search(r"baud=(\d+)", url)
    return int(found[1]) if found else _USUAL_BAUD


def _with_baud(url: str, baud: int) -> str:
    right, found = re.subn(r"baud=\d+", f"baud={baud}", url)
    return right if found else f"{url}{'&' if '?' in url else '?'}baud={baud}"


# ---- SPI


def _explain_spi(client: SpiClient, error: WattrailError) -> WattrailError:
    late = {bits_late(register, client.raw(register)) for register in client.chip.probed}
    # Every register by the same bit: damage would not be so even.
    if late in ({1}, {-1}):
        where = "late" if late == {1} else "early"
        return ChecksumError(
            f"{error}; every answer is whole and one bit {where}: the SPI mode, the phase of the clock, is wrong",
            hint=_WRONG_MODE,
        )
    return NoAnswer(str(error), hint=_SPI_SILENCE) if isinstance(error, NoAnswer) else error
