"""What an event means to whoever asked: an error with the mend, or nothing."""

from __future__ import annotations

from wattrail.bootrom.commands import Command
from wattrail.bootrom.events import Answered, ChipFailed, Damaged, Event, Silence, Truncated, WrongEcho
from wattrail.errors import LinkError, NoAnswer, TargetError, UnexpectedReply
from wattrail.wire import hex_pairs

__all__ = ["problem"]

_SHOWN = 32
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
            return TargetError(f"{asked}: the chip says system error {event.code:02X}")
        case Truncated():
            got = f"{asked}: {len(event.data)} of {event.want} bytes arrived"
            hint = "ask again; if it recurs, lower the baud rate or shorten the wires"
            return NoAnswer(got, got=event.data, hint=hint)
        case Damaged():
            return _damaged(asked, event, secret)
        case Silence():
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
        f"{event.command}: sent {event.part} {event.sent:#x}, the reply repeats {event.got:#x}",
        hint="a late reply, or the request was damaged on its way: check the flash at both places by CRC",
    )


def _damaged(asked: Command, event: Damaged, secret: str) -> UnexpectedReply:
    shown = hex_pairs(event.data[:_SHOWN]) + (" ..." if len(event.data) > _SHOWN else "")
    if secret:
        shown = f"{len(event.data)} bytes, not shown: {secret}"
    return UnexpectedReply(
        f"{asked}: {event.why} in {shown}",
        hint="check the baud rate and a shared ground; bytes of another device mean that it shares the UART",
    )


def _silence(asked: Command, event: Silence) -> NoAnswer:
    if event.echoed:
        return NoAnswer(f"{asked}: only our own bytes came back", hint="look for a short between TX and RX")
    if event.strays:
        text = f"{asked}: not answered, though {event.strays} other replies came"
        return NoAnswer(text, hint="the chip is alive and may not know this command")
    return NoAnswer(f"{asked}: no answer", hint="reset the chip while LinkCheck is being sent; check that TX meets RX")
