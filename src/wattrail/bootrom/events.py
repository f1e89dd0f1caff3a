"""What a boot link reports about the bytes it was given, and the errors that these reports amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from wattrail.bootrom.commands import Command
from wattrail.errors import LinkError, NoAnswer, TargetError, UnexpectedReply
from wattrail.wire import hex_pairs

__all__ = [
    "NEED_DATA",
    "Answered",
    "ChipFailed",
    "DamagedReply",
    "Event",
    "NeedReplyData",
    "NoReply",
    "TruncatedReply",
    "WrongEcho",
    "problem",
]


class NeedReplyData(Enum):
    """Type of the single value NEED_DATA."""

    NEED_DATA = auto()


NEED_DATA = NeedReplyData.NEED_DATA
"""No whole reply yet: give the link more bytes, or call ``end``."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to what was asked.

    ``status`` is the chip's result, None in short replies: 0 means "accepted", which does not prove that the flash
    changed. ``refused``: the status is not 0, or the reply has the shape of a refusal. ``fields`` are the
    integers by name. ``skipped`` are bytes in front of it, ``strays`` the number of whole replies
    to other requests among them.
    """

    command: Command
    fields: Mapping[str, int]
    data: bytes
    frame: bytes
    status: int | None = None
    refused: bool = False
    skipped: bytes = b""
    strays: int = 0

    def __getitem__(self, name: str) -> int:
        """An integer of the reply by its name."""
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class WrongEcho:
    """A reply of the right kind repeats another value of ``field`` than was sent. The link keeps waiting.

    Either it is late and belongs to an earlier request, or the request was damaged on its way and the chip has acted
    on ``got``: then the flash at that address must be looked at.
    """

    command: Command
    field: str
    sent: int
    got: int
    frame: bytes
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ChipFailed:
    """The chip replied "system error" with this code, 0xEE or 0xFE."""

    code: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class DamagedReply:
    """Bytes came without a reply among them. ``why`` names the first fault."""

    data: bytes
    why: str


@dataclass(frozen=True, slots=True)
class TruncatedReply:
    """The reply ended early: ``data`` is ``len(data)`` of ``want`` bytes."""

    data: bytes
    want: int


@dataclass(frozen=True, slots=True)
class NoReply:
    """Not one byte of an answer.

    ``strays`` counts replies to other requests: above 0 the chip is alive and did not answer this
    one. ``echoed``: our own request came back, so the line is shorted or shared.
    """

    strays: int = 0
    echoed: bool = False


Event = Answered | WrongEcho | ChipFailed | DamagedReply | TruncatedReply | NoReply


# ---- as errors


_SHOWN: Final = 32
"""Bytes quoted in a message."""


def problem(asked: Command, event: Event, *, secret: str = "") -> LinkError | TargetError | None:
    """The error an event amounts to, ready to be raised; None for an answer that refuses nothing.

    ``secret`` says why the bytes of the answer must not be quoted, "" if they may be.
    """
    match event:
        case Answered():
            return _refused(event) if event.refused else None
        case WrongEcho():
            return _wrong_echo(event)
        case ChipFailed():
            return TargetError(f"{asked}: the chip replied system error {event.code:02X}")
        # The 4111 bytes of a sector are the longest reply: buffers of 4095 bytes have cut it (BK7231GUIFlashTool #5).
        case TruncatedReply():
            got = f"{asked}: {len(event.data)} of {event.want} bytes arrived"
            hint = "ask again; if it recurs, lower the baud rate or shorten the wires"
            return NoAnswer(got, got=event.data, hint=hint)
        case DamagedReply():
            return _damaged(asked, event, secret)
        case NoReply():
            return _silence(asked, event)


def _refused(event: Answered) -> TargetError:
    at = f" at {event['address']:#x}" if "address" in event.fields else ""
    status = f"status {event.status:02X}" if event.status is not None else f"reply {hex_pairs(event.frame)}"
    return TargetError(
        f"{event.command}{at}: refused with {status}",
        hint="a BK7231T guards its bootloader below 0x10000" if event.status == 6 else None,
    )


def _wrong_echo(event: WrongEcho) -> UnexpectedReply:
    return UnexpectedReply(
        f"{event.command}: sent {event.field} {event.sent:#x}, the reply repeats {event.got:#x}",
        hint="a late reply, or the request was damaged on its way: check the flash at both places by CRC",
    )


def _damaged(asked: Command, event: DamagedReply, secret: str) -> UnexpectedReply:
    shown = hex_pairs(event.data[:_SHOWN]) + (" ..." if len(event.data) > _SHOWN else "")
    if secret:
        shown = f"{len(event.data)} bytes, not shown: {secret}"
    return UnexpectedReply(
        f"{asked}: {event.why} in {shown}",
        hint="check the baud rate and a shared ground; bytes of another device mean that it shares the UART",
    )


def _silence(asked: Command, event: NoReply) -> NoAnswer:
    if event.echoed:
        return NoAnswer(f"{asked}: only our own bytes came back", hint="look for a short between TX and RX")
    if event.strays:
        text = f"{asked}: not answered, though {event.strays} other replies came"
        return NoAnswer(text, hint="the chip is alive and may not know this command")
    return NoAnswer(f"{asked}: no answer", hint="reset the chip while LinkCheck is being sent; check that TX meets RX")
