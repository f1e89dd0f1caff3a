"""Why a chip does not answer: look where else it could be listening, and say what the silence means.

Only register reads are sent; nothing in the chip changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wattrail.bl0942.constants import BAUD_RATES
from wattrail.bl0942.registers import MODE
from wattrail.errors import LinkError, NoAnswer, PortError
from wattrail.meter.dialogue import Dialogue, UartDialogue
from wattrail.meter.statistics import Statistics
from wattrail.transport import Port

__all__ = ["explain_silence"]

_SPI_SILENCE = (
    "nothing drives the chip's SDO line. In order of likelihood: SEL is open or low, so the chip speaks UART and not "
    "SPI (tie SEL to VDD to speak SPI); the chip has no 3.3 V; SDI and SDO are swapped; SCLK is not connected"
)
_UART_SILENCE = (
    "nothing answers at any rate or address. In order of likelihood: RX and TX are swapped; SEL is tied to VDD, so "
    "the chip speaks SPI and not UART (leave SEL open to speak UART); the chip has no 3.3 V; grounds are not joined"
)
_RATE_CANNOT_CHANGE = (
    "the rate of this port cannot be changed from here; the chip speaks 4800 baud, or 9600 if its SCLK_BPS pin is "
    "high. If the rate is right: RX and TX swapped, SEL tied to VDD (then the chip speaks SPI), or no 3.3 V"
)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a chip answered; ``baud`` is None at the rate the port was opened with."""

    baud: int | None
    address: int


def explain_silence(dialogue: Dialogue, error: LinkError) -> LinkError:
    """The same failure with its cause, as far as asking around can find it. Raises PortError."""
    if not isinstance(dialogue, UartDialogue):
        return NoAnswer(str(error), hint=_SPI_SILENCE) if isinstance(error, NoAnswer) else error
    try:
        found = _ask_around(dialogue.carrier)
    except PortError as refused:
        return NoAnswer(str(error), hint=f"{_RATE_CANNOT_CHANGE} ({refused})")
    if found is None:
        return NoAnswer(str(error), hint=_UART_SILENCE)
    return NoAnswer(str(error), hint=_where_it_answers(dialogue, found))


def _ask_around(port: Port) -> _Found | None:
    """Try every documented rate and address, those at the present rate first."""
    for baud in (None, *BAUD_RATES):
        if baud is not None:
            port.set_baud(baud)
        for address in range(4):
            if _answers(port, address):
                return _Found(baud, address)
    return None


def _answers(port: Port, address: int) -> bool:
    probe = UartDialogue(port, Statistics(), address=address, tries=1)
    try:
        probe.recover()
        probe.ask(MODE)
    except LinkError:
        return False
    return True


def _where_it_answers(dialogue: UartDialogue, found: _Found) -> str:
    parts = []
    if found.baud is not None:
        parts.append(f"the chip answers at {found.baud} baud: open {_with_baud(dialogue.carrier.url, found.baud)}")
    if found.address != dialogue.address:
        parts.append(f"the chip has address {found.address}: use --address {found.address}")
    return "; ".join(parts) or "the chip answers now; the line is unreliable, check the wiring and the supply"


def _with_baud(url: str, baud: int) -> str:
    right, found = re.subn(r"baud=\d+", f"baud={baud}", url)
    return right if found else f"{url}{'&' if '?' in url else '?'}baud={baud}"
